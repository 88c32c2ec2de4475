"""Scores that come with a step."""

from typing import Any

from app.services.ingestion.dialects.dialect import Seen, listed
from app.services.ingestion.dialects.values import long_text, name, score
from app.services.ingestion.facts import Evaluation

EVENT = "gen_ai.evaluation.result"
FAMILIES = {
    "annotations.": "annotation",
    "evaluations.": "evaluation",
    "trace.annotations.": "annotation",
    "session.annotations.": "annotation",
    "trace.evaluations.": "evaluation",
    "session.evaluations.": "evaluation",
}
OF_RUN = ("trace.", "session.")
MAX_EVALUATIONS = 100


def evaluations_in(seen: Seen) -> list[Evaluation]:
    """From events of the conventions, and from numbered annotations of OpenInference."""
    found: list[Evaluation] = []
    if not seen.events and not seen.families:
        return found
    for event, inner in seen.events:
        if event.name == EVENT:
            _add(found, {k: inner.attributes.get(f"gen_ai.evaluation.{k}") for k in KEYS})
    for family in seen.families.keys() & FAMILIES.keys():
        for node in listed(seen.tree(family)):
            inner_node = node.get(FAMILIES[family]) if type(node) is dict else None
            if type(inner_node) is dict:
                _add(found, inner_node, of_run=family.startswith(OF_RUN))
    return found[:MAX_EVALUATIONS]


KEYS = ("name", "score.value", "score.label", "explanation")


def _add(found: list[Evaluation], values: dict[str, Any], *, of_run: bool = False) -> None:
    called = name(values.get("name"))
    if called is None:
        return
    points = values.get("score", values.get("score.value"))
    if type(points) is dict:
        points = points.get("value")
    label = values.get("label", values.get("score.label"))
    found.append(
        Evaluation(called, score(points), name(label), long_text(values.get("explanation")), of_run)
    )
