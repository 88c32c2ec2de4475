"""how far back runs and bodies are kept, and months that go as a whole"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "5d0c83f7e1b4"
down_revision: str | Sequence[str] | None = "c58b20e7f4d1"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
# Sums of hours before ``runs_before`` are final: what is left of their runs says no longer what
# they were made from, so nothing marks them any more.
MARK = """
CREATE OR REPLACE FUNCTION mark_changed_hours() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    final timestamptz := coalesce((SELECT runs_before FROM retention_states), '-infinity');
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT DISTINCT 'executions', agent_id, date_trunc('hour', started_at, 'UTC')
        FROM new_rows WHERE started_at >= final ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT DISTINCT 'executions', agent_id, date_trunc('hour', started_at, 'UTC')
        FROM old_rows WHERE started_at >= final ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT 'executions', agent_id, date_trunc('hour', started_at, 'UTC') FROM old_rows
        WHERE started_at >= final
        UNION
        SELECT 'executions', agent_id, date_trunc('hour', started_at, 'UTC') FROM new_rows
        WHERE started_at >= final
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$
"""
MARK_ALL = """
CREATE OR REPLACE FUNCTION mark_changed_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT DISTINCT 'executions', agent_id, date_trunc('hour', started_at, 'UTC')
        FROM new_rows ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT DISTINCT 'executions', agent_id, date_trunc('hour', started_at, 'UTC')
        FROM old_rows ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT 'executions', agent_id, date_trunc('hour', started_at, 'UTC') FROM old_rows
        UNION
        SELECT 'executions', agent_id, date_trunc('hour', started_at, 'UTC') FROM new_rows
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$
"""
# Runs as the owner of the tables, who alone may drop a partition: only months that are over by
# ``retention_states``, and never rows of runs that are spared. Writers to that month wait while
# its spared rows are copied, all others only for the change of partitions at the end.
DROP_MONTH = """
CREATE FUNCTION drop_month(partitioned text, month date) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    part text := partitioned || to_char(month, '"_p"YYYYMM');
    ends timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
    horizon timestamptz;
    same text;
    spared bigint;
    gone bigint;
BEGIN
    IF partitioned NOT IN ('execution_bodies', 'spans', 'span_bodies') THEN
        RAISE EXCEPTION 'no such table of months: %', partitioned;
    END IF;
    SELECT CASE partitioned WHEN 'spans' THEN runs_before ELSE greatest(runs_before, bodies_before) END
    INTO horizon FROM public.retention_states;
    IF horizon IS NULL OR ends > horizon THEN
        RAISE EXCEPTION '% is still to be kept', part;
    END IF;
    IF to_regclass('public.' || part) IS NULL THEN
        RETURN 0;
    END IF;
    same := CASE partitioned WHEN 'span_bodies' THEN 'e.trace_id = p.trace_id'
                             ELSE 'e.id = p.execution_id' END;
    EXECUTE format('LOCK TABLE public.%I IN SHARE MODE', part);
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', part || '_spared', part);
    EXECUTE format(
        'INSERT INTO public.%I SELECT p.* FROM public.%I p WHERE EXISTS ('
        ' SELECT FROM public.executions e WHERE %s AND (e.started_at >= $1 OR (e.deleted_at IS NULL'
        ' AND (e.status IN (''failed'', ''pending'', ''running'')'
        ' OR EXISTS (SELECT FROM public.feedback f WHERE f.execution_id = e.id)))))',
        part || '_spared', part, same) USING horizon;
    GET DIAGNOSTICS spared = ROW_COUNT;
    EXECUTE format('SELECT count(*) - $1 FROM public.%I', part) INTO gone USING spared;
    IF gone > 0 THEN
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', partitioned, part);
        EXECUTE format('DROP TABLE public.%I', part);
    END IF;
    IF gone = 0 OR spared = 0 THEN
        EXECUTE format('DROP TABLE public.%I', part || '_spared');
    ELSE
        EXECUTE format('ALTER TABLE public.%I RENAME TO %I', part || '_spared', part);
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            partitioned, part, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
    END IF;
    RETURN gone;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "retention_states",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(
            sa.Column(name, MOMENT, nullable=True)
            for name in ("runs_before", "bodies_before", "runs_done_before", "bodies_done_before")
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_retention_states_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_states")),
    )
    op.execute("INSERT INTO retention_states (id) VALUES (1)")
    op.execute(MARK)
    op.execute(DROP_MONTH)
    op.execute("REVOKE EXECUTE ON FUNCTION drop_month(text, date) FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION drop_month(text, date)")
    op.execute(MARK_ALL)
    op.drop_table("retention_states")
