"""Counted things in words, the same on pages, in reports and in messages."""


def plural(count: int, noun: str, many: str | None = None) -> str:
    """``1 run``, ``1,200 runs``; ``many`` where it does not just take an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
