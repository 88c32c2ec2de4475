"""An end to work that takes too long, such as a pattern that backtracks for ever."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooSlow(Exception):
    """The work was cut short."""


def cut_short(_: int, __: FrameType | None) -> None:
    raise TooSlow


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise ``TooSlow`` in the block once this process has computed for so long.

    Counted in time of the processor, so that a busy machine cuts nothing short. Signals reach the
    main thread alone, which is where the processes of the pool work; elsewhere nothing is cut.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, cut_short)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
