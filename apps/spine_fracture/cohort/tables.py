"""All tables together, wherever they are described: what the migrations have to make."""

from __future__ import annotations

from spine_fracture.cohort import desk, models, people, records, reports  # noqa: F401 - each brings tables
from spine_fracture.cohort.base import Base

METADATA = Base.metadata
