"""Two runs as the page of their comparison shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.templating import duration, money, pretty_json
from app.core.texts import _
from app.core.wording import number, words
from app.models import Execution
from app.pages.trace_view import ICONS, css_of
from app.pages.word_diffs import Differ, Piece, is_cut, word_diff
from app.services.alignment import aligned
from app.services.comparisons import ComparedStep, pairs_of
from app.services.conversation import Turn
from app.services.spans import FullSpan

MAX_TURNS = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the head-to-head; ``verdict`` is ``better``, ``worse`` or empty."""

    name: str
    left: str
    right: str
    difference: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class StepPair:
    """``state`` is ``same``, ``changed``, ``added`` (right only) or ``removed`` (left only)."""

    number: int
    left: ComparedStep | None
    right: ComparedStep | None
    state: str
    what: str

    @property
    def either(self) -> Any:  # the step of one side
        return self.right or self.left

    @property
    def icon(self) -> str:
        return ICONS[self.either.span.kind]

    @property
    def css(self) -> str:
        return css_of(self.either.span)


@dataclass(frozen=True, slots=True)
class TurnPair:
    """``pieces`` are empty where the turns are the same, or too long to be compared by words."""

    left: Turn | None
    right: Turn | None
    is_same: bool
    pieces: Sequence[Piece] = ()


@dataclass(frozen=True, slots=True)
class TextDifference:
    name: str
    pieces: list[Piece]
    text: str
    cut: bool


def figures_of(left: Execution, right: Execution) -> list[Figure]:
    def both(name: str, field: str, write: Any, *, is_cost: bool = True) -> Figure:
        a, b = getattr(left, field), getattr(right, field)
        told, verdict = difference(a, b, write)
        return Figure(name, write(a), write(b), told, verdict if is_cost else "")

    return [
        Figure(_("Status"), words(left.status.value), words(right.status.value)),
        both(_("Latency"), "latency_ms", duration),
        both(_("Input tokens"), "input_tokens", number),
        both(_("Output tokens"), "output_tokens", number),
        both(_("Cost"), "cost", money),
        both(_("Steps"), "span_count", number, is_cost=False),
        both(_("Errors"), "error_count", number),
        Figure(_("Model"), left.model_name or "–", right.model_name or "–"),
    ]


def difference(old: Any, new: Any, write: Any) -> tuple[str, str]:  # numbers, and how to write one
    """The change with its sign, and in percent of the old one; less is better."""
    if old is None or new is None:
        return "", ""
    if old == new:
        return "same", ""
    share = f" ({(new - old) / old:+.0%})".replace("-", "−") if old else ""
    sign, amount = "+" if new > old else "−", write(abs(new - old))
    told = f"< {sign}{amount[2:]}" if amount.startswith("< ") else f"{sign}{amount}"
    # What rounds to 0 % is neither better nor worse.
    is_noise = abs(new - old) * 200 < old
    return told + share, "" if is_noise else "worse" if new > old else "better"


def step_pairs(left: Sequence[ComparedStep], right: Sequence[ComparedStep]) -> list[StepPair]:
    return [
        pair_of(n, None if i is None else left[i], None if j is None else right[j])
        for n, (i, j) in enumerate(pairs_of(left, right))
    ]


def pair_of(number: int, left: ComparedStep | None, right: ComparedStep | None) -> StepPair:
    if left is None or right is None:
        return StepPair(number, left, right, "added" if left is None else "removed", "")
    told = (("input", left.given, right.given), ("output", left.gave, right.gave))
    what = [name for name, a, b in told if a != b]
    if left.span.status is not right.span.status and "error" in (
        left.span.status.value,
        right.span.status.value,
    ):
        what.append(_("fails now") if right.span.status.value == "error" else _("no longer fails"))
    return StepPair(number, left, right, "changed" if what else "same", ", ".join(what))


def counts_of(pairs: Sequence[StepPair]) -> dict[str, int]:
    states = [pair.state for pair in pairs]
    return {state: states.count(state) for state in ("changed", "added", "removed", "same")}


def differences(left: FullSpan | None, right: FullSpan | None) -> list[TextDifference]:
    """Input and output of one step; where a side lacks it, what the other one has."""
    return [found for name in ("input", "output") if (found := difference_in(name, left, right))]


def difference_in(
    name: str, left: FullSpan | None, right: FullSpan | None
) -> TextDifference | None:
    old, new = (as_text(None if side is None else getattr(side, name)) for side in (left, right))
    if not old and not new:
        return None
    pieces = word_diff(old, new)
    return TextDifference(
        _("Input") if name == "input" else _("Output"), pieces, new, is_cut(old, new)
    )


def as_text(value: Any) -> str:  # a JSON value
    return "" if value is None else value if isinstance(value, str) else pretty_json(value)


def turn_key(turn: Turn) -> tuple[str, str, str]:
    calls = [(call.name, call.arguments) for call in turn.calls]
    return turn.role, turn.text, pretty_json(calls) if calls else ""


def turn_pairs(left: Sequence[Turn], right: Sequence[Turn]) -> list[TurnPair]:
    """Equal turns beside each other; between them, the others in their order."""
    left, right = left[:MAX_TURNS], right[:MAX_TURNS]
    rows: list[TurnPair] = []
    differ = Differ()
    alone: tuple[list[Turn], list[Turn]] = ([], [])
    for i, j in aligned([turn_key(t) for t in left], [turn_key(t) for t in right]):
        if i is not None and j is not None:
            rows += [*beside(*alone, differ), TurnPair(left[i], right[j], True, [])]
            alone = ([], [])
        elif i is not None:
            alone[0].append(left[i])
        else:
            alone[1].append(right[j or 0])
    return rows + beside(*alone, differ)


def beside(left: list[Turn], right: list[Turn], differ: Differ) -> list[TurnPair]:
    """Turns by the same speaker in one row, in the order that they were said in."""
    rows = []
    for i, j in aligned([turn.role for turn in left], [turn.role for turn in right]):
        a, b = (None if i is None else left[i]), (None if j is None else right[j])
        pieces = differ.diff(a.text, b.text) if a and b else []
        rows.append(TurnPair(a, b, False, pieces))
    return rows
