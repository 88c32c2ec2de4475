"""The folder in which several web processes count together, kept by who starts and ends them."""

from pathlib import Path


def empty(folder: Path) -> None:
    """Processes that are no more have nothing to say."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)


def forget(folder: Path, pid: int) -> None:
    """What a process that ended held at the moment; what it had counted stays."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)
