"""What the tests of the process pool have done elsewhere; light, as each process loads it."""

import os
import time
from pathlib import Path

FOR_EVER_S = 600


def process_id() -> int:
    return os.getpid()


def refuse(message: str) -> None:
    raise ValueError(message)


def die() -> None:
    os._exit(9)


def hang(path: str) -> None:
    """Write one's process id there, and do nothing more."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(FOR_EVER_S)
