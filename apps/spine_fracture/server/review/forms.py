"""What the reading room's page sends. A misspelt key is an error, and nobody says here who they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level
from spine_fracture.cohort.desk import SkipReason, WorkList

#: A window of a browser names itself; two windows of one reader never lie on the same level.
Tab = Annotated[str, Field(min_length=1, max_length=64)]
LevelName = Annotated[Level, BeforeValidator(lambda v: Level.parse(v) if isinstance(v, str) else v)]
MOST_AHEAD = 5


class Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TabForm(Form):
    tab: Tab


class UndoForm(TabForm):
    """``level_id`` is the level that the window shows, None where it shows none: what the server put there
    since, of which the answer was lost, is then told again instead of taking back one read more.
    """

    level_id: int | None = None


class NextForm(TabForm):
    """The next level of a list, or one of a study, or one level."""

    work_list: WorkList = Field(WorkList.ASSISTED, alias="list")
    study: str | None = Field(None, max_length=64)
    level_id: int | None = None


class StartForm(Form):
    """What a link asks for; its window gets a name from the server."""

    work_list: WorkList = Field(WorkList.ASSISTED, alias="list")
    study: str | None = Field(None, max_length=64)
    level: int | None = None

    def in_window(self, tab: str) -> NextForm:
        return NextForm(list=self.work_list, tab=tab, study=self.study, level_id=self.level)


class ProgressForm(TabForm):
    work_list: WorkList = Field(WorkList.ASSISTED, alias="list")


class UpcomingForm(TabForm):
    work_list: WorkList = Field(WorkList.ASSISTED, alias="list")
    count: int = Field(2, ge=1, le=MOST_AHEAD)


class BoxForm(Form):
    """A box as it was drawn: x0, y0, x1, y1 in pixels of one slice, the first pixel covering [0, 1]."""

    series: str = Field(max_length=64)
    sop: str = Field("", max_length=64)
    slice: int
    box: tuple[float, float, float, float]


class ReadForm(TabForm):
    """One answer. ``token`` is new for each press of the button: sending it twice stores one read."""

    level_id: int
    level_version: int
    token: str = Field(min_length=1, max_length=64)
    diagnosis: Diagnosis
    features: frozenset[Feature] = frozenset()
    confidence: int
    basis: Basis = Basis.IMAGING
    seconds: float = 0.0
    note: str = ""
    name: LevelName | None = None
    box: BoxForm | None = None


class SkipForm(TabForm):
    level_id: int
    reason: SkipReason
    note: str = ""


class DrawForm(BoxForm, TabForm):
    """A vertebra that was not found: its name, and its box on one slice."""

    study: str = Field(max_length=64)
    name: LevelName


class ShiftForm(TabForm):
    """All names of a study by one: ``by`` 1 is one up (L2 becomes L1), -1 one down.

    ``level_version`` is that of the level ``level_id`` as the window shows it: names are moved once, however
    often that is sent.
    """

    by: int = Field(ge=-1, le=1)
    level_id: int
    level_version: int
