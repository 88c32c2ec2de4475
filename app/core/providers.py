"""The model provider: anything that speaks OpenAI's chat completions at OPENAI_BASE_URL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import structlog

from app.core.completions import Completion, Json, Malformed, mapping
from app.core.config import Settings
from app.core.watchers import TRAIL
from app.exceptions import AppError, Conflict

log = structlog.get_logger("greenroom.provider")
CONNECT_WITHIN_S = 5.0
MAX_TOLD = 500
NOT_CONFIGURED = (
    "No model provider is configured. Set OPENAI_BASE_URL (and OPENAI_API_KEY) to one that speaks "
    "OpenAI's chat completions, and start Greenroom again."
)
FAILURES = (openai.OpenAIError, httpx2.HTTPError, Malformed, ValueError, TimeoutError)
OnText = Callable[[str], None]


class ProviderNotConfigured(Conflict):
    """Nothing can be run here until the operator names a provider."""

    code = "PROVIDER_NOT_CONFIGURED"

    def __init__(self) -> None:
        super().__init__(NOT_CONFIGURED)


class ProviderError(AppError):
    """The provider could not be reached, refused, or sent what is no answer.

    ``kind`` is a word for statistics.
    """

    status = 502
    code = "PROVIDER_ERROR"
    kind = "provider_failed"

    def __init__(self, message: str, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind or type(self).kind


class ProviderTimeout(ProviderError):
    """It did not answer in time."""

    status = 504
    code = "PROVIDER_TIMEOUT"
    kind = "provider_timeout"


class ProviderBusy(ProviderError):
    """It is over its limits, or we are over ours."""

    status = 503
    code = "PROVIDER_BUSY"
    kind = "provider_rate_limited"

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "10"}


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request. ``params`` are further fields of a chat completion, such as temperature."""

    model: str
    messages: Sequence[Json]
    tools: Sequence[Json] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> Json:
        tools = {"tools": list(self.tools)} if self.tools else {}
        sent = {"model": self.model, "messages": list(self.messages)}
        return {**self.params, **sent, **tools}


class ModelProvider:
    """Calls models, a few at a time. One for each process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(settings.provider_concurrency)
        self._clients: dict[str, openai.AsyncOpenAI] = {}

    @property
    def is_configured(self) -> bool:
        return self._settings.openai_base_url is not None

    @property
    def base_url(self) -> str | None:
        return self._settings.openai_base_url

    @property
    def name(self) -> str:
        """As traces name the provider: PROVIDER_NAME, else the host it is at."""
        return self._settings.provider_name or urlsplit(self.base_url or "").hostname or "none"

    @property
    def default_model(self) -> str | None:
        """PROVIDER_MODEL: what the operator would have write for staff."""
        return self._settings.provider_model or None

    def require(self) -> None:
        """Raise ``ProviderNotConfigured``."""
        if not self.is_configured:
            raise ProviderNotConfigured

    async def complete(
        self, call: ModelCall, on_text: OnText, into: Completion | None = None
    ) -> Completion:
        """The whole answer; ``on_text`` is told the text of it as it comes.

        It is put together in ``into``, so that a caller has what came before a failure.
        Calls that fail by 429, 5xx or the connection are tried again before anything has come.
        Raise ``ProviderNotConfigured`` and ``ProviderError``.
        """
        self.require()
        completion = Completion() if into is None else into
        try:
            async with self._turn(), self._stream(call) as chunks:
                async for chunk in chunks:
                    if said := completion.add(chunk):
                        on_text(said)
        except FAILURES as error:
            raise self._in_words(error, call.model) from error
        if not completion.is_whole:
            raise ProviderError("The model's answer broke off.", "provider_broke_off")
        return completion

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of PROVIDER_CONCURRENCY places."""
        try:
            async with asyncio.timeout(self._settings.provider_timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise ProviderBusy("Too many model calls are going on. Try again later.") from error
        try:
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def _stream(self, call: ModelCall) -> AsyncIterator[AsyncIterator[object]]:
        """The pieces of an answer as JSON; one piece from a server that does not stream."""
        # The library's types are those of OpenAI's own models; other servers take other fields.
        create: Any = self._client().chat.completions.create
        asked = {**call.body, "stream": True, "stream_options": {"include_usage": True}}
        host = urlsplit(self.base_url or "").hostname or ""
        with TRAIL.get().call("POST", host) as headers:
            async with asyncio.timeout(self._settings.provider_timeout_s):
                stream = await create(**asked, extra_headers=headers)
            try:
                yield pieces(stream)
            finally:
                await stream.close()

    def _client(self) -> openai.AsyncOpenAI:
        """Made when it is first needed: most processes never call a model."""
        settings, url = self._settings, self.base_url or ""
        if url not in self._clients:
            key = settings.openai_api_key
            self._clients[url] = openai.AsyncOpenAI(
                base_url=url,
                # Servers of one's own often want none; the library insists on some text.
                api_key=key.get_secret_value() if key else "none",
                timeout=httpx2.Timeout(settings.provider_timeout_s, connect=CONNECT_WITHIN_S),
                max_retries=settings.provider_retries,
            )
        return self._clients[url]

    def _in_words(self, error: Exception, model: str) -> ProviderError:
        """What a user may know of it: never the key, whatever the server repeats."""
        log.warning("model call failed", error=type(error).__name__, model=model)
        match error:
            case TimeoutError() | openai.APITimeoutError() | httpx2.TimeoutException():
                seconds = f"{self._settings.provider_timeout_s:g}"
                return ProviderTimeout(f"The model did not answer within {seconds} seconds.")
            case openai.APIConnectionError() | httpx2.HTTPError():
                return ProviderError(
                    "The model provider could not be reached, or the connection broke off.",
                    "provider_unreachable",
                )
            case openai.APIStatusError():
                return self._refusal(error, model)
            case openai.APIError():
                return ProviderError(f"The model provider broke off: {self._told(error)}")
        return ProviderError(
            "The model provider sent what is no chat completion.", "provider_malformed"
        )

    def _refusal(self, error: openai.APIStatusError, model: str) -> ProviderError:
        status = error.status_code
        if status in (401, 403):
            return ProviderError(
                f"The model provider refused us ({status}). Check OPENAI_API_KEY.",
                "provider_unauthorized",
            )
        if status == 404:
            return ProviderError(
                f"The model provider knows no model called {model} (404).", "model_not_found"
            )
        if status == 429:
            return ProviderBusy(f"The model provider is over its limit: {self._told(error)}")
        if status in (408, 504):
            return ProviderTimeout("The model provider ran into a timeout.")
        kind = "provider_failed" if status >= 500 else "provider_refused"
        return ProviderError(f"The model provider answered {status}: {self._told(error)}", kind)

    def _told(self, error: openai.APIError) -> str:
        """The provider's own words, without our key."""
        body = error.body if isinstance(error.body, dict) else {}
        words = str(body.get("message") or "no reason given")
        key = self._settings.openai_api_key
        if key and key.get_secret_value():
            words = words.replace(key.get_secret_value(), "…")
        return words[:MAX_TOLD]

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.close()
        self._clients.clear()


async def pieces(stream: Any) -> AsyncIterator[object]:  # an AsyncStream of chunks
    """Raise ``ValueError`` for what is no JSON."""
    response: httpx2.Response = stream.response
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        await response.aread()
        answer = response.json()
        if error := mapping(answer).get("error"):
            raise openai.APIError("error", response.request, body=error)
        yield answer
        return
    async for chunk in stream:
        # Chunks are built without a check, so that anything may be in them.
        yield chunk.to_dict(warnings=False) if isinstance(chunk, openai.BaseModel) else chunk
