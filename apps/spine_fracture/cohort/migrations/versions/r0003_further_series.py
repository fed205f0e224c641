"""Sagittal fat-saturated T2 and contrast-enhanced T1 are read beside T1 and T2: they count as usable."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FURTHER = "plane = 'sagittal' AND sequence IN ('T2_FS', 'T1_CE')"
_BEFORE = "plain T1 and T2 are read"
_SINCE = "T1, T2, T2_FS, T1_CE are read"


def upgrade() -> None:
    op.execute(f"UPDATE series SET usable = true, reason = '' WHERE {_FURTHER}")
    op.execute(f"UPDATE series SET reason = replace(reason, '{_BEFORE}', '{_SINCE}')")


def downgrade() -> None:
    op.execute(f"UPDATE series SET reason = replace(reason, '{_SINCE}', '{_BEFORE}')")
    unused = f"usable = false, reason = 'sequence ' || sequence || ': {_BEFORE}'"
    op.execute(f"UPDATE series SET {unused} WHERE {_FURTHER}")
