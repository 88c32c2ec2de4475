"""Recorded exchanges with OpenAI's server, replayed: each run ends and is shown as it went."""

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # the library comes without types

from app.core.config import PROJECT_ROOT
from tests.conftest import client_of
from tests.factories.clients import log_in
from tests.factories.users import make_user
from tests.provider import Answer, Provider, replies
from tests.stage import Json, Stage

FOLDER = PROJECT_ROOT.parent / "shared" / "data" / "openai-cassettes"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the published runs are not here"),
]
CASSETTES = sorted(FOLDER.glob("*chat_completion*.yaml"))
WEATHER = {"name": "get_current_weather", "parameters": {"type": "object"}}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer of the server, and what can be read from it without our code."""

    asked: Json
    status: int
    body: str
    media_type: str

    @property
    def answer(self) -> Answer:
        return replies(self.body, self.media_type, self.status)

    @property
    def chunks(self) -> list[Json]:
        if not self.media_type.startswith("text/event-stream"):
            return [json.loads(self.body)]
        lines = [line[6:] for line in self.body.splitlines() if line.startswith("data: {")]
        return [json.loads(line) for line in lines]

    @property
    def deltas(self) -> list[Json]:
        """Of the first choice."""
        choices = [c for chunk in self.chunks for c in chunk.get("choices", ()) if c["index"] == 0]
        return [choice.get("delta") or choice.get("message") or {} for choice in choices]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def calls(self) -> int:
        ids = [c.get("id") for d in self.deltas for c in d.get("tool_calls") or ()]
        return len([call_id for call_id in ids if call_id])

    @property
    def usage(self) -> Json | None:
        return next((c["usage"] for c in reversed(self.chunks) if c.get("usage")), None)


def recorded_in(path: Path) -> list[Recorded]:
    found = []
    for exchange in yaml.safe_load(path.read_text())["interactions"]:
        response = exchange["response"]
        headers = {name.lower(): value for name, value in response["headers"].items()}
        body, media_type = response["body"]["string"], headers["content-type"][0]
        asked = json.loads(exchange["request"]["body"])
        found.append(Recorded(asked, response["status"]["code"], body, media_type))
    return found


async def run_through(stage: Stage, provider: Provider, recorded: list[Recorded]) -> Json:
    """The run that gets these answers, its tool calls answered as often as it asks."""
    provider.will(*(one.answer for one in recorded))
    last = (await stage.stream())[-1][1]
    for _ in recorded[1:]:
        wanted = last["output"]["requires_action"]["tool_calls"]
        results = [{"tool_call_id": call["id"], "content": "50 degrees"} for call in wanted]
        path = f"/api/v1/executions/{last['id']}/tool-results"
        last = (await stage.stream(path, results=results))[-1][1]
    return last


async def shown(stage: Stage, execution_id: int) -> str:
    async with client_of(stage.app) as web:
        async with stage.database.unit_of_work() as session:
            await log_in(web, session, stage.settings, await make_user(session))
        return html.unescape((await web.get(f"/executions/{execution_id}")).text)


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
async def test_recorded_exchange_ends_and_is_shown_as_it_went(
    stage: Stage, provider: Provider, path: Path
) -> None:
    recorded = recorded_in(path)
    last = recorded[-1]
    await stage.new_agent(WEATHER, model=last.asked["model"])
    run = await run_through(stage, provider, recorded)
    page = await shown(stage, run["id"])
    if last.status == 404:
        assert (run["status"], run["error_type"]) == ("failed", "model_not_found")
        assert "knows no model called" in page
        return
    check_output(run, last)
    check_usage(run, recorded)
    assert last.text in page
    assert page.count("Tool call · ") == sum(one.calls for one in recorded)


def check_output(run: Json, last: Recorded) -> None:
    if not last.calls:
        assert (run["status"], run["output"]) == ("succeeded", last.text)
        return
    assert run["status"] == "running"
    wanted = run["output"]["requires_action"]["tool_calls"]
    assert len(wanted) == last.calls
    assert all(isinstance(json.loads(call["arguments"]), dict) for call in wanted)


def check_usage(run: Json, recorded: list[Recorded]) -> None:
    """Sums over all answers; what the server does not say is unknown and has no price."""
    known: list[Any] = [one.usage for one in recorded if one.usage]
    if not known:
        assert (run["input_tokens"], run["cost"], run["cost_source"]) == (None, None, "unpriced")
        return
    assert run["input_tokens"] == sum(usage["prompt_tokens"] for usage in known)
    assert run["output_tokens"] == sum(usage["completion_tokens"] for usage in known)
    assert float(run["cost"]) > 0
    assert run["cost_source"] == "computed"
