"""The importers that send spans as OpenTelemetry has them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.importers import langfuse, otlp_json
from app.importers.client import Greenroom
from app.importers.files import Faults, InputError
from app.importers.screen import (
    ApiKey,
    DryRun,
    Files,
    Url,
    conclude,
    ending_in_words,
    progress_bar,
    say,
)
from app.importers.spans import SPANS, Exporter, Part, Signal, SpanTally, joined

Reader = Callable[[Path, Faults, Callable[[str], None]], Iterator[Part]]


class Source:
    """The parts of some files, read one after another; ``problems`` says which are left out."""

    def __init__(self, files: Sequence[Path], read: Reader) -> None:
        self.problems: list[str] = []
        self._files, self._read = files, read

    def parts(self) -> Iterator[Part]:
        with progress_bar() as progress:
            for path in progress.track(self._files):
                yield from joined(self._parts_of(path))

    def _parts_of(self, path: Path) -> Iterator[Part]:
        """Where a file cannot be read on, that is a problem, and the next one follows."""
        try:
            yield from self._read(path, self._fault, say)
        except InputError as error:
            self._fault(error)

    def _fault(self, error: InputError) -> None:
        self.problems.append(str(error))


def check(source: Source) -> None:
    found: Counter[Signal] = Counter({SPANS: 0})
    for part in source.parts():
        found[part.signal] += part.count
    counts = ", ".join(f"{signal.title}: {count} found" for signal, count in found.items())
    conclude(f"{counts}, nothing sent", source.problems)


def send(source: Source, url: str, api_key: str) -> None:
    """Where the server ends it early, say so below all that was found until then."""
    tally = SpanTally(told=source.problems)
    with ending_in_words(source.problems), Greenroom(url, api_key, say) as api:
        exporter = Exporter(api, tally, say)
        for part in source.parts():
            exporter.send(part)
    conclude(tally.summary, source.problems)


def import_spans(source: Source, url: str, api_key: str, *, dry_run: bool) -> None:
    if dry_run:
        check(source)
        return
    send(source, url, api_key)


def import_otlp_json(files: Files, url: Url, api_key: ApiKey, dry_run: DryRun = False) -> None:
    """Import spans and GenAI events from files of OTLP's JSON, as the OpenTelemetry Collector
    writes them.

    Doing it again, or after it was cut off, adds what is missing and changes nothing else.
    """
    import_spans(Source(files, otlp_json.parts_of), url, api_key, dry_run=dry_run)


def import_langfuse(files: Files, url: Url, api_key: ApiKey, dry_run: DryRun = False) -> None:
    """Import traces that Langfuse exports, with their observations.

    Doing it again, or after it was cut off, adds what is missing and changes nothing else.
    """
    import_spans(Source(files, langfuse.parts_of), url, api_key, dry_run=dry_run)
