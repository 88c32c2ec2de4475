"""How the input of the model grows from call to call within a run."""

from collections.abc import Iterator

from app.schemas.analyses import (
    ContextGrowth,
    ContextPoint,
    ContextUnit,
    Finding,
    FindingKind,
    Severity,
)
from app.services.analysis.counting import Sightings, Sketch, sighting
from app.services.analysis.findings import finding
from app.services.analysis.runs import Run, Step
from app.services.analysis.words import share
from app.services.conversation import messages_of

MAX_CALLS = 40
# What is large enough to be worth a word, and how often it has multiplied.
GROWN, MIN_CALLS = 4, 5
WORTH_IT = {ContextUnit.TOKENS: 8_000, ContextUnit.CHARACTERS: 32_000}
LARGE = {ContextUnit.TOKENS: 100_000, ContextUnit.CHARACTERS: 400_000}


class Growth:
    """Of the runs whose inputs are known in one unit."""

    def __init__(self, unit: ContextUnit) -> None:
        self.unit = unit
        self.runs = 0
        self.calls = [Sketch() for _ in range(MAX_CALLS)]
        self.grown = Sightings()
        self.highest = 0

    def add(self, run: Run, sizes: list[int], steps: list[Step]) -> None:
        self.runs += 1
        for sketch, size in zip(self.calls, sizes, strict=False):
            sketch.add(size)
        top, first = max(sizes), max(1, sizes[0])
        if len(sizes) < MIN_CALLS or top < GROWN * first or top < WORTH_IT[self.unit]:
            return
        self.highest = max(self.highest, top)
        times = f"{top // first} times as many" if top // first < 1000 else "from next to nothing"
        note = f"{sizes[0]:,} to {top:,} {self.unit} in {len(sizes)} calls, {times}"
        step = steps[sizes.index(top)]
        self.grown.note([sighting(run.id, step.hex_id, note, rank=-top)])

    def merge(self, other: "Growth") -> None:
        self.runs += other.runs
        self.highest = max(self.highest, other.highest)
        self.grown.merge(other.grown)
        for mine, theirs in zip(self.calls, other.calls, strict=True):
            mine.merge(theirs)

    def growth(self) -> ContextGrowth:
        points = [
            ContextPoint(
                call=place,
                runs=sketch.count,
                p50=float(round(sketch.quantile(0.5))),
                highest=float(sketch.highest),
            )
            for place, sketch in enumerate(self.calls, 1)
            if sketch.count
        ]
        return ContextGrowth(unit=self.unit, runs=self.runs, points=points)

    def finding(self) -> Finding:
        estimated = self.unit is ContextUnit.CHARACTERS
        return finding(
            FindingKind.GROWING_CONTEXT,
            Severity.MEDIUM if self.highest >= LARGE[self.unit] else Severity.LOW,
            f"The model's input grew to {GROWN} times its size or more within "
            f"{share(self.grown.runs, self.runs, 'run')}, to {self.highest:,} {self.unit} at the "
            f"most.",
            self.grown,
            subject=self.unit.value,
            detail="No tokens were reported, so the characters of the messages are counted."
            if estimated
            else "Every call pays for the whole of its input.",
        )


class Contexts:
    def __init__(self) -> None:
        self.growths = {unit: Growth(unit) for unit in ContextUnit}

    def add(self, run: Run) -> None:
        steps = run.model_steps
        if not steps:
            return
        known = [step.input_tokens for step in steps if step.input_tokens is not None]
        if len(known) == len(steps):
            self.growths[ContextUnit.TOKENS].add(run, known, steps)
        elif sizes := characters_of(steps):
            self.growths[ContextUnit.CHARACTERS].add(run, sizes, steps)

    def merge(self, other: "Contexts") -> None:
        for unit, growth in self.growths.items():
            growth.merge(other.growths[unit])

    def rows(self) -> list[ContextGrowth]:
        return [growth.growth() for growth in self.growths.values() if growth.runs]

    def findings(self) -> Iterator[Finding]:
        for growth in self.growths.values():
            if growth.grown.runs:
                yield growth.finding()


def characters_of(steps: list[Step]) -> list[int]:
    """Of each call's input. Empty where an input is not known.

    Where calls were reported with what is new alone, what was said before is added: it was sent.
    """
    if any(step.input_characters is None for step in steps):
        return []
    sizes = [step.input_characters or 0 for step in steps]
    if len(steps) < 2 or repeats_history(steps):
        return sizes
    heard, added = 0, []
    for step, size in zip(steps, sizes, strict=True):
        heard += size
        added.append(heard)
        heard += len(str(step.output or ""))
    return added


def repeats_history(steps: list[Step]) -> bool:
    """Whether a later input begins with the message that the first one began with."""
    first, *later = [messages_of(step.input, "user")[:1] for step in steps]
    return bool(first) and any(start == first for start in later)
