"""Files that take their name once they are complete, and never the place of another."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def take_name(unfinished: Path, path: Path) -> None:
    """Raise ``FileExistsError`` when there is a file of this name.

    Both are in one folder; ``unfinished`` may keep its name, too.
    """
    try:
        os.link(unfinished, path)  # unlike a rename, it never takes the place of another file
    except FileExistsError:
        raise
    except OSError:
        # No hard links here, as on FAT and in some shared folders.
        with only_one_in(path.parent):
            if path.exists():
                raise FileExistsError(path) from None
            unfinished.rename(path)


@contextmanager
def only_one_in(folder: Path) -> Iterator[None]:
    """Whoever else asks for this folder waits; what asks for nothing does not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
