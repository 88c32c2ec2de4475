"""What a check says: how it stands, the figure it goes by, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.schemas.operations import State

ORDER = tuple(State)  # from good to bad


@dataclass(frozen=True, slots=True)
class Outcome:
    """``figure`` is a few words or a number with its unit; ``advice`` is what to do, if anything.

    Neither names a path, an address of the database, or anything that people have stored.
    """

    state: State
    figure: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome under its name: ``key`` for programs, ``name`` and ``group`` for people.

    ``help`` is the section of the manual that explains it, ``href`` the page that shows more.
    """

    key: str
    group: str
    name: str
    state: State
    figure: str
    advice: str
    help: str
    href: str | None = None


def worst(states: Iterable[State]) -> State:
    """``ok`` for none; what is not known makes nothing worse."""
    known = [state for state in states if state is not State.UNKNOWN]
    return max(known, key=ORDER.index, default=State.OK)


def graded(value: float, warn: float, bad: float) -> State:
    """By two limits, each of which already counts."""
    if value >= bad:
        return State.BAD
    return State.WARN if value >= warn else State.OK


def ok(figure: str, advice: str = "") -> Outcome:
    return Outcome(State.OK, figure, advice)


def unknown(figure: str, advice: str = "") -> Outcome:
    return Outcome(State.UNKNOWN, figure, advice)


def judged(state: State, figure: str, advice: str) -> Outcome:
    """``advice`` where something is to be done."""
    return Outcome(state, figure, "" if state is State.OK else advice)
