"""Sex of a patient, and age at a study."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("patient") as table:
        table.add_column(sa.Column("sex", sa.String(length=32), nullable=True))
    with op.batch_alter_table("study") as table:
        table.add_column(sa.Column("age", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("study") as table:
        table.drop_column("age")
    with op.batch_alter_table("patient") as table:
        table.drop_column("sex")
