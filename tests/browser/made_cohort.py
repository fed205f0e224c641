"""A few phantom patients, read by the shipped models once for all browser tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from browser.serving import Plan, processes, write_to

from spine_fracture.anatomy import Level
from spine_fracture.cohort.phantoms import make_phantoms
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.dicom.write import uid_from
from spine_fracture.simulation.phantom import patient_key
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe

CENTRE = "Test centre"
_LUMBAR = PhantomRecipe(
    name="browser",
    patients=3,
    first_seed=100,
    slices=9,
    first=Level.T10,
    last=Level.S1,
    coverage=CoverageShares(lumbar=1.0, thoracolumbar=0.0),
    patient_shift=0.0,
    supernumerary=0.0,
)
#: The first three teach. One of them has fat-saturated T2 and contrast too, of one T2 is missing.
_WITH_EXTRAS = _LUMBAR.model_copy(update={"patients": 1, "extra_share": 1.0})
_OTHERS = _LUMBAR.model_copy(update={"patients": 2, "first_seed": 101})
_LOCKED = _LUMBAR.model_copy(update={"patients": 1, "first_seed": 105})
EXTRAS, PLAIN, WITHOUT_T2, LOCKED = 100, 101, 102, 105


def study_uid(seed: int) -> str:
    return uid_from(_LUMBAR.name, patient_key(seed), "study")


@dataclass(frozen=True)
class MadeCohort:
    """``folder`` holds the DICOM studies."""

    folder: Path

    @cached_property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted(path for path in self.folder.rglob("*") if path.is_file()))


def make(folder: Path) -> MadeCohort:
    assert split_of(patient_key(LOCKED)) is Split.TEST
    assert {split_of(patient_key(seed)) for seed in (EXTRAS, PLAIN, WITHOUT_T2)} == {Split.TRAIN}
    studies = folder / "studies"
    for number, recipe in enumerate((_WITH_EXTRAS, _OTHERS, _LOCKED)):
        part = folder / str(number)
        make_phantoms(part, recipe, lambda done, total: None)
        shutil.copytree(part / "studies", studies, dirs_exist_ok=True)
        shutil.rmtree(part)
    (without,) = studies.glob(f"*/{patient_key(WITHOUT_T2)}")
    for series in without.glob("*-T2"):
        shutil.rmtree(series)
    return MadeCohort(studies)


def read_all(*plans: Plan) -> None:
    """Take the studies of each plan in and read them with the shipped models, in one other process."""
    process = processes().Process(target=_read_all, args=(plans,))
    process.start()
    process.join(300)
    assert process.exitcode == 0, plans[0].log.read_text()[-3000:]


def _read_all(plans: tuple[Plan, ...]) -> None:
    write_to(plans[0].log)
    from spine_fracture.promotion import open_registry
    from spine_fracture.server.champions import Champions
    from spine_fracture.server.room import open_room

    first = open_room(plans[0].home, plans[0].studies, plans[0].centre)
    models = Champions(first.project)()
    for plan in plans:
        room = open_room(plan.home, plan.studies, plan.centre, lambda: models)
        open_registry(room.project)  # the shipped models are in every project
        room.catalogue.refresh()
        while room.ahead.one_more():
            pass
        room.close()
    first.close()
