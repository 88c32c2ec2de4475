"""the product itself makes the coming months' partitions, and nothing else"""

from collections.abc import Sequence

from alembic import op

revision: str = "3b7e2a94c6d1"
down_revision: str | Sequence[str] | None = "f2c7a90b51e8"
branch_labels = None
depends_on = None

# Runs as the owner of the tables, who alone may make any: with names and months of its own, so
# that whoever calls it can do no more than make them a little early.
FUNCTION = """
CREATE FUNCTION make_partitions() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partitioned text;
    month date;
BEGIN
    FOR month IN SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month')::date
                 FROM generate_series(0, 3) AS n LOOP
        FOREACH partitioned IN ARRAY ARRAY['execution_bodies', 'spans', 'span_bodies'] LOOP
            BEGIN
                EXECUTE format(
                    'CREATE TABLE IF NOT EXISTS public.%I PARTITION OF public.%I'
                    ' FOR VALUES FROM (%L) TO (%L)',
                    partitioned || to_char(month, '"_p"YYYYMM'), partitioned,
                    month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
            EXCEPTION WHEN check_violation THEN
                NULL;  -- rows of this month are in the default partition already, and stay there
            END;
        END LOOP;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    op.execute(FUNCTION)
    op.execute("REVOKE EXECUTE ON FUNCTION make_partitions() FROM PUBLIC")
    for table in ("staff_sessions", "refresh_tokens", "user_tokens"):
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])


def downgrade() -> None:
    for table in ("staff_sessions", "refresh_tokens", "user_tokens"):
        op.drop_index(f"ix_{table}_expires_at", table_name=table)
    op.execute("DROP FUNCTION make_partitions()")
