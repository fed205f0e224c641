"""Alembic's entry: runs the migrations on the connection that :mod:`spine_fracture.cohort.database` gives."""

from __future__ import annotations

from alembic import context

from spine_fracture.cohort import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.METADATA,
    # SQLite cannot alter most of a table: it is copied instead.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
