"""Steps of a run whose records hold no times: a second for each message, and the run says so."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]  # a JSON object of the API
DEFAULT_BASE_TIME = datetime(2024, 5, 15, 15, tzinfo=UTC)


def without_unknown(body: Body) -> Body:
    return {name: value for name, value in body.items() if value is not None}


def content_sha256(content: Any) -> str:  # a JSON value
    """Of canonical JSON: sorted keys, no spaces."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Timeline:
    """The ids and times of a run's steps, which follow from its id, its start and positions.

    A position is that of a message in the run, from 0; the root is at -1.
    """

    external_id: str
    started_at: datetime

    def at(self, position: int) -> str:
        """Times before the first message are the first's."""
        return (self.started_at + timedelta(seconds=max(0, position))).isoformat()

    def span_id(self, position: int) -> str:
        """16 hex digits."""
        name = f"{self.external_id}/{position}"
        return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def root(self, last: int) -> Body:
        return {
            "span_id": self.span_id(-1),
            "kind": "agent",
            "name": "run",
            "started_at": self.at(0),
            "ended_at": self.at(last),
        }

    def step(self, position: int, **values: Any) -> Body:  # fields of a span
        """From the message before to its own."""
        times = {"started_at": self.at(position - 1), "ended_at": self.at(position)}
        ids = {"span_id": self.span_id(position), "parent_span_id": self.span_id(-1)}
        return ids | times | without_unknown(values)

    def model_step(self, position: int, model: str | None, **values: Any) -> Body:  # as above
        name = f"chat {model}" if model else "chat"
        return self.step(position, kind="llm", name=name, model=model, **values)
