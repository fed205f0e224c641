"""A cohort of phantom patients on disk: DICOM by centre and patient, and its truth beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.simulation.phantom import patient_key
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import simulate_study
from spine_fracture.simulation.truth import truth_of, write_truth


def make_phantoms(out: Path, recipe: PhantomRecipe, progress: Callable[[int, int], None]) -> int:
    """Write ``out/studies/CENTRE/PATIENT`` and ``out/truth``; returns how many were not there yet.

    ``progress`` is told (patients done, patients in all). Raises :class:`InputError` when ``out``
    holds phantoms of another recipe.
    """
    _claim(out, recipe)
    made = 0
    for number in range(recipe.patients):
        progress(number, recipe.patients)
        made += _make(recipe.first_seed + number, recipe, out)
    progress(recipe.patients, recipe.patients)
    return made


def _claim(out: Path, recipe: PhantomRecipe) -> None:
    """One folder, one recipe: the recipe is kept beside what it made."""
    path, text = out / "recipe.json", recipe.model_dump_json(indent=1) + "\n"
    if path.is_file() and path.read_text() != text:
        raise InputError(f"{out} holds phantoms of another recipe: choose another folder or empty this one.")
    write_atomically(path, text.encode())


def _make(seed: int, recipe: PhantomRecipe, out: Path) -> bool:
    """Write one study unless its truth, which is written last, is there already."""
    if (out / "truth" / f"{patient_key(seed)}.json").is_file():
        return False
    study = simulate_study(seed, recipe)
    study_uid = uid_from(recipe.name, study.patient_key, "study")
    tags = PatientTags(study.patient_key, study_uid, study_description=f"Phantom spine, {study.coverage}")
    folder = out / "studies" / study.centre / study.patient_key
    for number, volume in enumerate(study.volumes, start=1):
        write_series(volume, tags, folder / f"{number}-{volume.sequence}", series_number=number)
    write_truth(truth_of(study, study_uid), out / "truth")
    return True
