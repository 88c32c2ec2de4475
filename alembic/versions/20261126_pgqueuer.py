"""the transport of background jobs, in a schema of its own"""

from collections.abc import Sequence

from alembic import op
from pgqueuer.adapters.persistence import schema_ddl
from pgqueuer.domain.schema.declaration import target

from app.core.queue import QUEUE, SCHEMA

revision: str = "c5a8e1f7d230"
down_revision: str | Sequence[str] | None = "c93a6d11f5e0"
branch_labels = None
depends_on = None


def statements() -> list[str]:
    """One at a time, as prepared statements have to be."""
    schema = target(QUEUE)
    return [
        f"CREATE SCHEMA {SCHEMA}",
        *(schema_ddl.render_enum(entry, QUEUE) for entry in schema.enums),
        *(schema_ddl.render_table(entry, QUEUE) for entry in schema.tables),
        *(schema_ddl.render_index(entry, QUEUE) for entry in schema.indexes),
        *(schema_ddl.render_function(entry, QUEUE) for entry in schema.functions),
        *(schema_ddl.render_trigger(entry, QUEUE) for entry in schema.triggers),
    ]


def upgrade() -> None:
    # A test fails where a later release of the library declares other tables than these.
    for statement in statements():
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
