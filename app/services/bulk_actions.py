"""What a bulk change does to one row: tried in memory, and done through the row's service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Invalid
from app.models.bulk_changes import BulkAction, BulkResource
from app.schemas.agents import AgentUpdate, MaxTokens, ModelName
from app.schemas.base import MAX_TAGS, Tag
from app.schemas.bulk_changes import VALUED
from app.schemas.executions import ExecutionUpdate
from app.services.agents import AgentService
from app.services.audit_events import Changes
from app.services.base import BaseService
from app.services.executions import ExecutionService
from app.services.pausing import PausingService
from app.services.tools import ToolService

A = BulkAction
Service = BaseService[Any, Any, Any]  # any resource's
Row = Any  # of the resource's model
SERVICES: Mapping[BulkResource, type[Service]] = {
    BulkResource.AGENTS: AgentService,
    BulkResource.TOOLS: ToolService,
    BulkResource.EXECUTIONS: ExecutionService,
}
UPDATES = {BulkResource.AGENTS: AgentUpdate, BulkResource.EXECUTIONS: ExecutionUpdate}
VALUES: Mapping[BulkAction, TypeAdapter[Any]] = {
    A.ADD_TAG: TypeAdapter(Tag),
    A.REMOVE_TAG: TypeAdapter(Tag),
    A.SET_MODEL: TypeAdapter(ModelName),
    A.SET_MAX_TOKENS: TypeAdapter(MaxTokens),
}
LIVE_REVISION = "live_revision"
# What is so already, in words.
ALREADY: Mapping[BulkAction, str] = {
    A.PAUSE: "It is paused already.",
    A.RESUME: "It is not paused.",
    A.ADD_TAG: "It has the tag already.",
    A.REMOVE_TAG: "It does not have the tag.",
    A.SET_MODEL: "It has this model already.",
    A.SET_MAX_TOKENS: "It has this limit already.",
    A.UNDO: "There is nothing left to take back.",
}


def service_of(resource: BulkResource, session: AsyncSession, actor: Actor) -> Service:
    return SERVICES[resource](session, actor)


@dataclass(frozen=True, slots=True)
class Act:
    """One action with its value; ``note`` goes into the audit log."""

    action: BulkAction
    value: Any = None  # a tag, a model or a number
    note: str | None = None

    @classmethod
    def of(cls, action: BulkAction, value: str | None, note: str | None = None) -> "Act":
        """Raise ``Invalid`` for a value that the action cannot take."""
        if action not in VALUED:
            if value is not None:
                raise Invalid(lazy("This action takes no value."), field="value")
            return cls(action, None, note)
        if value is None:
            raise Invalid(lazy("Say which."), field="value")
        try:
            return cls(action, VALUES[action].validate_python(value), note)
        except ValidationError as error:
            raise Invalid(str(error.errors()[0]["msg"]), field="value") from error

    def permission(self, service: Service) -> Permission:
        trashes = self.action in (A.TRASH, A.RESTORE)
        return service.deletable if trashes else service.writable

    @property
    def reads_trash(self) -> bool:
        return self.action is A.RESTORE


async def try_on(service: Service, row: Row, act: Act) -> None:
    """Give a row that is never flushed the values that the action would give it."""
    if isinstance(service, PausingService) and act.action in (A.PAUSE, A.RESUME):
        await service.set_paused(row, paused=act.action is A.PAUSE)
    elif act.action in (A.TRASH, A.RESTORE):
        row.deleted_at = datetime.now(UTC) if act.action is A.TRASH else None
    elif act.action in (A.ADD_TAG, A.REMOVE_TAG):
        row.tags = tags_after(row.tags, act)
    else:
        values = await service.values_for(update_of(act))
        for name in values.keys() - {"note"}:
            setattr(row, name, values[name])


async def act_on(service: Service, row_id: int, version: int | None, act: Act) -> None:
    """Do it, as for one row alone. Raise what the service refuses it for."""
    if isinstance(service, PausingService) and act.action is A.PAUSE:
        await service.pause(row_id, act.note, version)
    elif isinstance(service, PausingService) and act.action is A.RESUME:
        await service.resume(row_id, version)
    elif act.action is A.TRASH:
        await service.delete(row_id, version)
    elif act.action is A.RESTORE:
        service.check_version(await service.get(row_id, trashed=True, lock=True), version)
        await service.restore(row_id)
    elif act.action in (A.ADD_TAG, A.REMOVE_TAG):
        # Read before the row is locked: the version says whether they still are the same.
        seen = service.visible_in(select(service.model.tags)).where(service.model.id == row_id)
        tags = (await service.session.execute(seen)).scalar() or []
        update = UPDATES[BulkResource(service.resource)](tags=tags_after(tags, act))
        await service.update(row_id, update, version)
    else:
        await service.update(row_id, update_of(act), version)


def tags_after(tags: list[str], act: Act) -> list[str]:
    """Raise ``Invalid`` for one tag too many."""
    if act.action is A.REMOVE_TAG:
        return [tag for tag in tags if tag != act.value]
    if act.value not in tags and len(tags) >= MAX_TAGS:
        raise Invalid(
            lazy("It has %(max_tags)s tags, and there may be no more.", max_tags=MAX_TAGS),
            field="value",
        )
    return tags if act.value in tags else sorted({*tags, act.value})


def update_of(act: Act) -> AgentUpdate:
    if act.action is A.SET_MODEL:
        return AgentUpdate(model_name=act.value, note=act.note)
    return AgentUpdate(max_tokens=act.value, note=act.note)


def put_back(row: Row, changes: Changes) -> None:
    """Give the row the values on the right of each pair, as JSON holds them."""
    columns = inspect(type(row)).columns
    for name, (_, value) in changes.items():
        if name != LIVE_REVISION:
            setattr(row, name, from_json(value, columns[name].type.python_type))


def from_json(value: Any, kind: type[Any]) -> Any:  # a column's value
    if not isinstance(value, str) or kind is str:
        return value
    return datetime.fromisoformat(value) if kind is datetime else kind(value)


async def undo_on(service: Service, row_id: int, version: int | None, changes: Changes) -> None:
    """Put back the values on the right, by the rules that changed them.

    A row that was brought back goes to the trash anew, with the moment of now.
    """
    if "deleted_at" in changes:
        action = A.RESTORE if changes["deleted_at"][1] is None else A.TRASH
        await act_on(service, row_id, version, Act(action))
        return
    if "is_active" in changes:
        action = A.RESUME if changes["is_active"][1] else A.PAUSE
        await act_on(service, row_id, version, Act(action))
        return
    service.require(service.writable)
    row = await service.get(row_id, lock=True)
    service.check_version(row, version)
    put_back(row, changes)
    _, revision = changes.get(LIVE_REVISION, (None, None))
    if isinstance(service, AgentService) and revision is not None:
        await service.go_back_to(row, revision)
    await service.save("update", row)
