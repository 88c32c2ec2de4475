"""What a bulk change does to one row: tried in memory, and done through the row's service.

All that can be done many at once is in ``DOINGS``, and what it can be done to in ``SERVICES``.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Forbidden, Invalid
from app.models.bulk_changes import BulkAction, BulkResource
from app.schemas.agents import AgentUpdate
from app.schemas.base import MAX_TAGS
from app.schemas.bulk_changes import VALUES
from app.schemas.executions import ExecutionUpdate
from app.schemas.users import UserUpdate
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.audit_events import Changes
from app.services.base import BaseService
from app.services.executions import ExecutionService
from app.services.jobs import JobService
from app.services.pausing import PausingService
from app.services.tools import ToolService
from app.services.users import UserService

A = BulkAction
Service = BaseService[Any, Any, Any]  # any resource's
Row = Any  # of the resource's model
SERVICES: Mapping[BulkResource, type[Service]] = {
    BulkResource.AGENTS: AgentService,
    BulkResource.TOOLS: ToolService,
    BulkResource.EXECUTIONS: ExecutionService,
    BulkResource.USERS: UserService,
    BulkResource.API_KEYS: ApiKeyService,
    BulkResource.JOBS: JobService,
}
TAGGED: Mapping[str, type[BaseModel]] = {"agents": AgentUpdate, "executions": ExecutionUpdate}
LIVE_REVISION = "live_revision"
NOTHING_LEFT = lazy("There is nothing left to take back.")


def service_of(resource: BulkResource, session: AsyncSession, actor: Actor) -> Service:
    return SERVICES[resource](session, actor)


def permission_of(service: Service | type[Service], action: BulkAction) -> Permission:
    """What it takes for one row, beside being allowed to ask for jobs."""
    if action is A.END_SESSIONS:
        return Permission.SESSIONS_MANAGE
    return service.deletable if action in (A.TRASH, A.RESTORE) else service.writable


@dataclass(frozen=True, slots=True)
class Act:
    """One action with its value; ``note`` goes into the audit log."""

    action: BulkAction
    value: Any = None  # of the action's type
    note: str | None = None

    @classmethod
    def of(cls, action: BulkAction, value: str | None, note: str | None = None) -> "Act":
        """Raise ``Invalid`` for a value that the action cannot take."""
        if action not in VALUES:
            if value is not None:
                raise Invalid(lazy("This action takes no value."), field="value")
            return cls(action, None, note)
        if value is None:
            raise Invalid(lazy("Say which."), field="value")
        try:
            return cls(action, VALUES[action].validate_python(value), note)
        except ValidationError as error:
            raise Invalid(str(error.errors()[0]["msg"]), field="value") from error

    @property
    def stored_value(self) -> str | None:
        """As ``of`` reads it."""
        is_moment = isinstance(self.value, datetime)
        text = self.value.isoformat() if is_moment else self.value
        return None if text is None else str(text)

    def permission(self, service: Service) -> Permission:
        return permission_of(service, self.action)

    @property
    def reads_trash(self) -> bool:
        return self.action is A.RESTORE


Try = Callable[[Any, Row, Act], Awaitable[None]]  # a service of the row's resource
Do = Callable[[Any, int, int | None, Act], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Doing:
    """``tried`` gives a row that is never flushed the values that ``done`` would give it.

    ``already`` says in words that a row is so already.
    """

    tried: Try
    done: Do
    already: str


# Switches, the trash, and plain updates


async def try_pause(service: Any, row: Row, act: Act) -> None:  # a PausingService
    await service.set_paused(row, paused=act.action is A.PAUSE)


async def try_trash(_: Service, row: Row, act: Act) -> None:
    row.deleted_at = datetime.now(UTC) if act.action is A.TRASH else None


async def restore(service: Service, row_id: int, version: int | None, _: Act) -> None:
    service.check_version(await service.get(row_id, trashed=True, lock=True), version)
    await service.restore(row_id)


def update_by(build: Callable[[Act], BaseModel], already: str) -> Doing:
    """An update like any other of the row."""

    async def tried(service: Service, row: Row, act: Act) -> None:
        values = await service.values_for(build(act))
        for name in values.keys() - {"note"}:
            setattr(row, name, values[name])

    async def done(service: Service, row_id: int, version: int | None, act: Act) -> None:
        await service.update(row_id, build(act), version)

    return Doing(tried, done, already)


# Tags


async def try_tag(_: Service, row: Row, act: Act) -> None:
    row.tags = tags_after(row.tags, act)


async def tag(service: Service, row_id: int, version: int | None, act: Act) -> None:
    # Read before the row is locked: the version says whether they still are the same.
    seen = service.visible_in(select(service.model.tags)).where(service.model.id == row_id)
    tags = (await service.session.execute(seen)).scalar() or []
    update = TAGGED[service.resource].model_validate({"tags": tags_after(tags, act)})
    await service.update(row_id, update, version)


def tags_after(tags: Sequence[str], act: Act) -> list[str]:
    """Raise ``Invalid`` for one tag too many."""
    if act.action is A.REMOVE_TAG:
        return [tag for tag in tags if tag != act.value]
    if act.value not in tags and len(tags) >= MAX_TAGS:
        raise Invalid(
            lazy("It has %(max_tags)s tags, and there may be no more.", max_tags=MAX_TAGS),
            field="value",
        )
    return list(tags) if act.value in tags else sorted({*tags, act.value})


# What only people, keys and jobs have


def refuse_oneself(service: Service, user_id: int) -> None:
    if user_id == service.actor.user_id:
        raise Forbidden(lazy("Your own sessions end under Account."))


async def try_end_sessions(service: UserService, row: Row, _: Act) -> None:
    """Nothing of the row itself changes; how many logins there are is counted for all rows."""
    refuse_oneself(service, row.id)


async def end_sessions(service: UserService, row_id: int, *_: object) -> None:
    refuse_oneself(service, row_id)
    await service.end_logins(row_id)


DOINGS: Mapping[BulkAction, Doing] = {
    A.PAUSE: Doing(
        try_pause, lambda s, i, v, act: s.pause(i, act.note, v), "It is paused already."
    ),
    A.RESUME: Doing(try_pause, lambda s, i, v, _: s.resume(i, v), "It is not paused."),
    A.ADD_TAG: Doing(try_tag, tag, "It has the tag already."),
    A.REMOVE_TAG: Doing(try_tag, tag, "It does not have the tag."),
    A.SET_MODEL: update_by(
        lambda act: AgentUpdate(model_name=act.value, note=act.note),
        "It has this model already.",
    ),
    A.SET_MAX_TOKENS: update_by(
        lambda act: AgentUpdate(max_tokens=act.value, note=act.note),
        "It has this limit already.",
    ),
    A.TRASH: Doing(try_trash, lambda s, i, v, _: s.delete(i, v), "It is in the trash already."),
    A.RESTORE: Doing(try_trash, restore, "It is not in the trash."),
    A.DISABLE: update_by(lambda _: UserUpdate(is_active=False), "The account is disabled already."),
    A.ENABLE: update_by(lambda _: UserUpdate(is_active=True), "The account is not disabled."),
    A.SET_ROLE: update_by(lambda act: UserUpdate(role=act.value), "They have this role already."),
    A.END_SESSIONS: Doing(try_end_sessions, end_sessions, "They are not logged in."),
    A.SET_EXPIRY: Doing(
        lambda s, row, act: s.set_expiry(row, act.value),
        lambda s, i, v, act: s.expire_at(i, act.value, v),
        "It ends then already.",
    ),
    A.REVOKE: Doing(
        lambda s, row, _: s.set_revoked(row),
        lambda s, i, v, _: s.revoke(i, v),
        "It is revoked already.",
    ),
    A.CANCEL: Doing(
        lambda s, row, _: s.set_cancelled(row),
        lambda s, i, *_: s.cancel(i),
        "It is to stop already.",
    ),
    A.RETRY: Doing(
        lambda s, row, _: s.set_queued(row), lambda s, i, *_: s.retry(i), "It waits already."
    ),
}


async def try_on(service: Service, row: Row, act: Act) -> None:
    """Raise what the action is refused for."""
    await DOINGS[act.action].tried(service, row, act)


async def act_on(service: Service, row_id: int, version: int | None, act: Act) -> None:
    """Do it, as for one row alone. Raise what the service refuses it for."""
    await DOINGS[act.action].done(service, row_id, version, act)


def already(action: BulkAction) -> str:
    return NOTHING_LEFT if action is A.UNDO else DOINGS[action].already


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


def switched_back(service: Service, changes: Changes) -> BulkAction | None:
    """The action of its own that puts these back, where there is one."""
    if "deleted_at" in changes:
        return A.RESTORE if changes["deleted_at"][1] is None else A.TRASH
    if isinstance(service, PausingService) and "is_active" in changes:
        return A.RESUME if changes["is_active"][1] else A.PAUSE
    if "paused_at" in changes:
        return A.RESUME if changes["paused_at"][1] is None else A.PAUSE
    return None


async def undo_on(service: Service, row_id: int, version: int | None, changes: Changes) -> None:
    """Put back the values on the right, by the rules that changed them.

    A row that was brought back goes to the trash anew, with the moment of now.
    """
    action = switched_back(service, changes)
    if action is not None:
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
