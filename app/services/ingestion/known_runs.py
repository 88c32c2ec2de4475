"""Which run a sender's part of a trace goes to: nothing is said of runs they may not write to."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Self

from sqlalchemy import ARRAY, LargeBinary, Row, any_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, Execution, TraceClaims
from app.services.base import Columns

IN_TRASH = "The run of this trace is in the trash. Restore it to add to it."
TRACE_IDS = bindparam("trace_ids", type_=ARRAY(LargeBinary))
KNOWN: Columns = (
    select(
        Execution.id,
        Execution.stored_trace_id,
        Execution.sent_trace_id,
        Execution.agent_id,
        Execution.agent_revision_id,
        Execution.status,
        Execution.source,
        Execution.started_at,
        Execution.row_version,
        Execution.deleted_at,
        Agent.user_id,
        TraceClaims.claims,
    )
    .join(Agent, Agent.id == Execution.agent_id)
    .outerjoin(TraceClaims, TraceClaims.execution_id == Execution.id)
    .where(
        or_(
            Execution.stored_trace_id == any_(TRACE_IDS),
            # Said twice, so that the index of the few that have one is used.
            Execution.sent_trace_id.is_not(None) & (Execution.sent_trace_id == any_(TRACE_IDS)),
        )
    )
)
# In one order for every process, so that none waits for another in a circle. Apart from reading:
# what is joined to a row that had to be waited for would be as it was before.
LOCK: Columns = (
    KNOWN.with_only_columns(Execution.id)
    .order_by(Execution.stored_trace_id)
    .with_for_update(of=Execution)
)


Runs = dict[bytes, list[Row[Any]]]  # of each trace id, as it was sent


class Sender(NamedTuple):
    """Whose runs somebody may write to; ``agent_id`` is the only one of a key that has but one."""

    user_id: int | None
    agent_id: int | None
    sees_all: bool

    @classmethod
    def of(cls, actor: Actor) -> Self:
        return cls(actor.user_id, actor.only_agent_id, actor.sees_all_rows)

    def may_write_to(self, run: Row[Any]) -> bool:
        is_theirs = self.sees_all or self.user_id == run.user_id
        return is_theirs and self.agent_id in (None, run.agent_id)

    def run_among(self, runs: Sequence[Row[Any]]) -> Row[Any] | None:
        """Of several of one trace that has the trace id itself, else the oldest."""
        own = [run for run in runs if self.may_write_to(run)]
        return min(own, key=lambda run: (run.sent_trace_id is not None, run.id), default=None)


def locked_for(sender: Sender) -> Columns:
    """``LOCK`` for those that ``may_write_to``: nobody waits for who writes to another's run."""
    statement = LOCK
    if not sender.sees_all:
        statement = statement.where(Agent.user_id == sender.user_id)
    if sender.agent_id is not None:
        statement = statement.where(Execution.agent_id == sender.agent_id)
    return statement


async def lock_runs(session: AsyncSession, sender: Sender, trace_ids: Collection[bytes]) -> Runs:
    """As ``find_runs``, where those that the sender may write to are locked."""
    locked = set(await session.scalars(locked_for(sender), {"trace_ids": list(trace_ids)}))
    found = await find_runs(session, trace_ids)
    # What was committed between the two statements is not locked, and so is not known yet.
    return {
        trace_id: [run for run in runs if run.id in locked or not sender.may_write_to(run)]
        for trace_id, runs in found.items()
    }


async def find_runs(session: AsyncSession, trace_ids: Collection[bytes]) -> Runs:
    """All runs of these traces, whoever may write to them."""
    runs: Runs = {trace_id: [] for trace_id in trace_ids}
    for run in await session.execute(KNOWN, {"trace_ids": list(trace_ids)}):
        sent = run.sent_trace_id or run.stored_trace_id
        if sent in runs:  # else somebody sends what another's run is stored under
            runs[sent].append(run)
    return runs
