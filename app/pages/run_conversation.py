"""The first turns of a run: read as far as they are drawn, beside the event loop."""

from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.message_markdown import has_marks
from app.models import Execution
from app.schemas.executions import MAX_SPANS
from app.services.conversation import Reader, Turn, lone_within
from app.services.spans import SpanService, full_spans

FIRST_STEPS, MOST_STEPS = 32, 256
FORMATTED_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Conversation:
    """``is_whole`` says that no step after those that were read can tell of more."""

    turns: list[Turn] = field(default_factory=list)
    is_whole: bool = True


async def conversation_in(
    steps: SpanService,
    execution: Execution,
    outline: Sequence[Any],  # all steps, as rows, by start time
    wanted: int,
) -> Conversation:
    """At least ``wanted`` turns, where there are so many, with what came of their calls."""
    if not outline:
        return Conversation()
    reader = Reader(outline[0].start_ns, lone_within(outline))
    rows: Sequence[Any] = ()
    size, count, is_last = FIRST_STEPS, 0, False
    while count < MAX_SPANS:
        rows = await steps.spoken(execution, rows[-1] if rows else None, size)
        await to_thread(hear, reader, rows)
        if len(rows) < size:
            return Conversation(reader.turns)
        if is_last or (len(reader.turns) > wanted and not waits(reader.turns[:wanted])):
            break
        is_last = len(reader.turns) > wanted  # What was called there is told soon, or never.
        count, size = count + size, min(2 * size, MOST_STEPS)
    return Conversation(reader.turns, is_whole=False)


def hear(reader: Reader, rows: Sequence[Any]) -> None:
    reader.read(full_spans(rows))


def waits(turns: Sequence[Turn]) -> bool:
    return any(call.result is None for turn in turns for call in turn.calls)


def words_of(turns: Sequence[Turn], asked: str | None) -> str | None:
    """How what models wrote is shown: ``formatted`` from its Markdown, or as it was ``written``.

    ``None`` where none of it is Markdown. Much of it is formatted only where that was asked for.
    """
    marked = [len(turn.text) for turn in turns if turn.role == "assistant" and has_marks(turn.text)]
    if not marked:
        return None
    return asked or ("formatted" if sum(marked) <= FORMATTED_CHARACTERS else "written")
