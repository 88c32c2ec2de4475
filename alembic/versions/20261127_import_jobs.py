"""imports name the job that writes them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b7c1e2f0a954"
down_revision: str | Sequence[str] | None = "5b08e3c7d19a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("imports", sa.Column("job_id", sa.BigInteger(), nullable=True))
    op.create_unique_constraint(op.f("uq_imports_job_id"), "imports", ["job_id"])
    op.create_foreign_key(
        op.f("fk_imports_job_id_jobs"), "imports", "jobs", ["job_id"], ["id"], ondelete="SET NULL"
    )


def downgrade() -> None:
    op.drop_column("imports", "job_id")
