"""The importers that send whole runs, over the JSON API."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.importers.agents import Wanted, ensure_agent
from app.importers.client import Greenroom, Item, Tally
from app.importers.files import InputError
from app.importers.openai_messages import Target, execution_of
from app.importers.screen import (
    AgentName,
    ApiKey,
    BatchSize,
    CreateAgent,
    DryRun,
    Files,
    Model,
    Url,
    conclude,
    ending_in_words,
    progress_bar,
    say,
)
from app.importers.survey import Survey
from app.importers.swe_agent import execution_of as execution_of_trajectory
from app.importers.timeline import DEFAULT_BASE_TIME, content_sha256
from app.importers.trajectories import Trajectory, trajectories_in
from app.importers.transcripts import Transcript, read_transcripts

MAX_BATCH_BYTES = 4 * 1024 * 1024


def survey_of(path: Path) -> Survey:
    """Read the whole file once, so that a fault in it is found before anything is sent."""
    survey = Survey()
    for transcript in read_transcripts(path):
        survey.add(transcript)
    if not survey.runs:
        raise InputError(f"There are no runs in {path}.")
    return survey


def items_of(path: Path, target: Target) -> Iterator[Item]:
    """Each run of the file as it is sent."""
    seen: Counter[str] = Counter()
    for transcript in read_transcripts(path):
        content = content_sha256(transcript.messages)
        seen[content] += 1
        execution = execution_of(transcript, target, seen[content])
        text = json.dumps(execution, separators=(",", ":"))
        yield Item(f"Run {transcript.index + 1}", execution["external_id"], text.encode())


def batches_of(items: Iterable[Item], most: int, max_bytes: int) -> Iterator[list[Item]]:
    """At most so many runs and bytes each; a run that is larger by itself goes alone."""
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) == most or size + len(item.body) > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.body)
    if batch:
        yield batch


def send_all(api: Greenroom, batches: Iterable[list[Item]], total: int) -> Tally:
    tally = Tally()
    with progress_bar() as progress:
        task = progress.add_task("import", total=total)
        for batch in batches:
            tally.add(api.record(batch))
            progress.advance(task, len(batch))
    return tally


def moment(text: str) -> datetime:
    """An ISO 8601 time, UTC where it names no zone. Raise ``InputError`` for what is none."""
    try:
        value = datetime.fromisoformat(text.strip())
        value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        example = "2024-05-15T15:00:00Z"
        raise InputError(f"--base-time must be a time such as {example}.") from error
    if value > datetime.now(UTC):
        raise InputError("--base-time must not be in the future.")
    return value


def survey_of_trajectories(files: Sequence[Path], faults: list[str]) -> Survey:
    """Read all files once, so that what is wrong with any is found before anything is sent."""
    survey = Survey()
    for _, trajectory in found_in(files, faults):
        survey.add(Transcript(0, trajectory.messages, {"model": trajectory.model}))
    return survey


def found_in(files: Sequence[Path], faults: list[str]) -> Iterator[tuple[Path, Trajectory]]:
    """The runs of each file; ``faults`` gets a line for what cannot be used."""

    def note(error: InputError) -> None:
        faults.append(str(error))

    for path in files:
        try:
            for trajectory in trajectories_in(path, note):
                yield path, trajectory
        except InputError as error:
            note(error)


def items_of_trajectories(files: Sequence[Path], target: Target) -> Iterator[Item]:
    """Each run as it is sent; what cannot be used was told before."""
    for path, trajectory in found_in(files, []):
        execution = execution_of_trajectory(trajectory, target)
        text = json.dumps(execution, separators=(",", ":"))
        yield Item(str(path), execution["external_id"], text.encode())


def import_openai_messages(
    file: Annotated[Path, typer.Argument(help="Runs with their messages, as JSON or JSON Lines.")],
    agent: AgentName,
    url: Url,
    api_key: ApiKey,
    model: Model = None,
    base_time: Annotated[
        str, typer.Option(help="Start of the first run (ISO 8601); the next is an hour later.")
    ] = DEFAULT_BASE_TIME.isoformat(),
    batch_size: BatchSize = 20,
    create_agent: CreateAgent = True,
    dry_run: DryRun = False,
) -> None:
    """Import OpenAI chat transcripts as runs with spans.

    Doing it again, or after it was cut off, adds what is missing and changes nothing else.
    """
    wanted = Wanted(agent.strip().lower(), model, create_agent)
    with ending_in_words():
        start = moment(base_time)
        survey = survey_of(file)
        if dry_run:
            found_only(survey, [])
            return
        with Greenroom(url, api_key, say) as api:
            target = Target(ensure_agent(api, wanted, survey, say), model, start)
            batches = batches_of(items_of(file, target), batch_size, MAX_BATCH_BYTES)
            tally = send_all(api, batches, survey.runs)
    conclude(tally.summary, tally.refused)


def import_swe_agent(
    files: Files,
    agent: AgentName,
    url: Url,
    api_key: ApiKey,
    model: Model = None,
    base_time: Annotated[str, typer.Option(help="Start of each run (ISO 8601).")] = (
        DEFAULT_BASE_TIME.isoformat()
    ),
    batch_size: BatchSize = 20,
    create_agent: CreateAgent = True,
    dry_run: DryRun = False,
) -> None:
    """Import trajectories of SWE-agent (.traj files) as runs with spans.

    Doing it again, or after it was cut off, adds what is missing and changes nothing else.
    """
    wanted = Wanted(agent.strip().lower(), model, create_agent)
    faults: list[str] = []
    with ending_in_words(faults):
        start = moment(base_time)
        survey = survey_of_trajectories(files, faults)
        if dry_run or not survey.runs:
            found_only(survey, faults)
            return
        with Greenroom(url, api_key, say) as api:
            target = Target(ensure_agent(api, wanted, survey, say), model, start)
            items = items_of_trajectories(files, target)
            tally = send_all(api, batches_of(items, batch_size, MAX_BATCH_BYTES), survey.runs)
    conclude(tally.summary, [*faults, *tally.refused])


def found_only(survey: Survey, faults: list[str]) -> None:
    conclude(f"Runs: {survey.runs} found, nothing sent", faults)
