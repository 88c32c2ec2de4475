"""The work of an import: some rows in each transaction, in few statements for all of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.core.texts import lazy
from app.exceptions import AppError, Conflict
from app.models import Import
from app.models.base import JsonObject
from app.schemas.imports import PlannedRow
from app.services.bulk import RowProgress, attempt_each
from app.services.import_plans import Planner, Stored, by_name, only
from app.services.imports import ImportService, places_left, rows_at
from app.services.saves import Edit

ROWS_AT_ONCE = 50  # whoever waits for one of them waits for a moment
Results = dict[str, str | None]  # by place in the plan: why a row was refused, or nothing


class ImportRunner:
    """Goes through the rows that are to be written: none twice, because each is marked then.

    The plan is read once; it does not change any more.
    """

    def __init__(self, row: Import) -> None:
        places = places_left(row)
        self._left = dict(zip(places, rows_at(row, places), strict=True))
        self._import_id, self._tried = row.id, dict(row.results)
        done = len(self._tried)
        self.progress = RowProgress(done + len(places), done)

    @property
    def outcome(self) -> JsonObject:
        """How many rows were written, and how many refused."""
        refused = sum(problem is not None for problem in self._tried.values())
        return {"written": len(self._tried) - refused, "refused": refused}

    async def go_on(self, imports: ImportService) -> int:
        """Write the next rows: how many were gone through, 0 at the end."""
        row = await imports.to_mark(self._import_id)
        # Somebody else may be at it as well: the command line beside a job.
        left = [place for place in self._left if str(place) not in row.results]
        places = left[:ROWS_AT_ONCE]
        planner = imports.planner(row.resource)
        found = await write_each(planner, [self._left[place] for place in places])
        refusals = [one.message if isinstance(one, AppError) else None for one in found]
        row.results = row.results | dict(zip(map(str, places), refusals, strict=True))
        await imports.session.flush()  # committed with the rows that they tell of
        self._tried = dict(row.results)
        return len(places)


async def write_each(planner: Planner, rows: Sequence[PlannedRow]) -> list[Any]:
    """What was stored of each, or why it was refused."""
    await planner.tools.load({name for row in rows for name in row.tools or ()})
    writer = Writer(planner)
    return await attempt_each(planner.service.session, rows, writer.write)


class Writer:
    """Writes rows as they were planned, all of them or none; what has changed since is refused."""

    def __init__(self, planner: Planner) -> None:
        self._planner, self._service = planner, planner.service

    async def write(self, rows: Sequence[PlannedRow]) -> list[Any]:  # agents or tools
        known, new = [row for row in rows if row.id], [row for row in rows if not row.id]
        stored = iter(await self._update(known) if known else [])
        made = iter(await self._create(new) if new else [])
        return [next(stored if row.id else made) for row in rows]

    async def _update(self, rows: Sequence[PlannedRow]) -> list[Any]:
        service, kind = self._service, self._planner.kind
        found = await service.get_each([row.id for row in rows if row.id])
        edits = [
            Edit(
                current.id, kind.update.model_validate(self._values(row, current)), row.row_version
            )
            for row, current in zip(rows, found, strict=True)
        ]
        return await service.update_together(edits)

    async def _create(self, rows: Sequence[PlannedRow]) -> list[Any]:
        stored = await by_name(self._service, [row.name for row in rows])
        self._require_new(rows, stored)
        create = self._planner.kind.create
        given = [create.model_validate(self._values(row, None)) for row in rows]
        return await self._service.create_together(given)

    def _require_new(self, rows: Iterable[PlannedRow], stored: Stored) -> None:
        for row in rows:
            found = stored.get(row.name, [])
            if only(found, self._service.actor, self._service.noun) is not None:
                raise Conflict(
                    lazy("Somebody made one of this name since the preview. Upload the file again.")
                )

    def _values(self, row: PlannedRow, current: Any) -> dict[str, Any]:  # a model, or nothing
        values: dict[str, Any] = dict(row.values)
        if row.tools is not None:
            values["tool_ids"] = self._planner.tools.ids(row.tools, current)
        if self._planner.kind.has_tools:
            values["note"] = "Imported from a file"
        return values
