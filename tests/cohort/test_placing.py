"""A drawn box lies on its slice, on those beside it, and where the other sequence shows the same place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_cohort import TIMING, ingested, write_study
from scipy import ndimage

from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.placing import place
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import DrawnBox
from spine_fracture.cohort.studies import load_pair
from spine_fracture.dicom.orientation import sagittal_frame
from spine_fracture.dicom.write import PatientTags, assume_spacing, uid_from, write_series
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.levels import SliceBox

BOX = PixelBox(20.0, 30.0, 44.0, 50.0)
#: T1 has twice the resolution of T2 in plane and across, and half its slices' thickness.
FINER = 2
#: By so many T2 pixels the patient moved between T2 and T1.
MOVED = 8


@pytest.fixture
def moved_pair(project: Project, pictures: Path) -> str:
    """T2 of 3 slices of 96 x 64, 1 mm; T1 of 6 slices of 192 x 128, half a millimetre, shifted along x."""
    rng = np.random.default_rng(7)
    fine = ndimage.gaussian_filter(rng.random((192, 128)), 3, mode="wrap")
    fine = np.rint(900 * (fine - fine.min()) / np.ptp(fine)).astype(np.float32)
    coarse = fine[::FINER, ::FINER]
    study = uid_from("study", "moved")
    tags = PatientTags("moved", study)
    for number, (sequence, picture, slices, spacing) in enumerate(
        (
            (Sequence.T2, coarse, 3, (1.0, 1.0, 4.0)),
            (Sequence.T1, np.roll(fine, -MOVED * FINER, axis=1), 6, (0.5, 0.5, 2.0)),
        ),
        start=1,
    ):
        shape = (slices, *picture.shape)
        plain = Volume(
            series_uid=uid_from("series", "moved", sequence),
            pixels=np.broadcast_to(picture, shape).copy(),
            frame=sagittal_frame(shape),
            sequence=sequence,
            plane=Plane.SAGITTAL,
            spacing_origin=SpacingOrigin.UNKNOWN,
            acquisition=TIMING[sequence],
        )
        write_series(assume_spacing(plain, spacing), tags, pictures / sequence, series_number=number)
    assert ingest(pictures, "Centre A", project).added == (study,)
    return study


def on(slices: tuple[SliceBox, ...], uid: str) -> dict[int, SliceBox]:
    return {s.slice_index: s for s in slices if s.series_uid == uid}


def test_a_box_on_one_grid_lies_alike_on_both(project: Project, pictures: Path) -> None:
    study = ingested(project, "p1", pictures)
    with project.session() as session:
        pair = load_pair(session, study)
        t2 = pair.reference
        box, slices = place(session, study, DrawnBox(t2.series_uid, 1, BOX))
    assert pair.other is not None
    for uid, uids in ((t2.series_uid, t2.slice_uids), (pair.other.series_uid, pair.other.slice_uids)):
        found = on(slices, uid)
        assert sorted(found) == [0, 1, 2]
        assert [found[k].slice_uid for k in range(3)] == list(uids)
        assert max(found, key=lambda k: found[k].score) == 1
        for part in found.values():
            assert part.box.as_tuple() == pytest.approx(BOX.as_tuple())
    assert box.size == pytest.approx([24.0, 20.0, 12.0])
    assert t2.frame.box_to_pixel(box)[0].as_tuple() == pytest.approx(BOX.as_tuple())


@pytest.mark.parametrize("drawn_on", [Sequence.T2, Sequence.T1])
def test_a_patient_who_moved_is_followed(project: Project, moved_pair: str, drawn_on: Sequence) -> None:
    """The same tissue lies MOVED pixels further left in T1, on a grid of half the size."""
    in_t1 = BOX.shifted(-MOVED, 0).scaled(FINER, FINER)
    with project.session() as session:
        pair = load_pair(session, moved_pair)
        assert pair.registered and pair.other is not None
        t2, t1 = pair.reference, pair.other
        drawn = (
            DrawnBox(t2.series_uid, 1, BOX) if drawn_on is Sequence.T2 else DrawnBox(t1.series_uid, 3, in_t1)
        )
        box, slices = place(session, moved_pair, drawn)
    assert on(slices, t2.series_uid)[1].box.as_tuple() == pytest.approx(BOX.as_tuple(), abs=0.7)
    assert on(slices, t1.series_uid)[3].box.as_tuple() == pytest.approx(in_t1.as_tuple(), abs=1.4)
    best = {
        uid: max(on(slices, uid).values(), key=lambda s: s.score) for uid in (t2.series_uid, t1.series_uid)
    }
    assert best[t2.series_uid].slice_index == 1 and best[t1.series_uid].slice_index in (2, 3)
    assert box.size[:2] == pytest.approx([24.0, 20.0])


def test_the_slice_is_the_one_with_the_uid(project: Project, pictures: Path) -> None:
    study = ingested(project, "p1", pictures)
    with project.session() as session:
        t2 = load_pair(session, study).reference
        counted_backwards = DrawnBox(t2.series_uid, 2, BOX, t2.slice_uids[0])
        _, slices = place(session, study, counted_backwards)
        assert sorted(on(slices, t2.series_uid)) == [0, 1]
        assert on(slices, t2.series_uid)[0].score == 1.0
        with pytest.raises(NotFoundError, match="slice that this series does not have"):
            place(session, study, replace(counted_backwards, slice_uid="1.2"))
        with pytest.raises(NotFoundError, match="series that this study does not have"):
            place(session, study, replace(counted_backwards, series_uid="1.2"))
        with pytest.raises(InputError, match="slice 3 of a series of 3"):
            place(session, study, DrawnBox(t2.series_uid, 3, BOX))
        with pytest.raises(InputError, match="outside the picture"):
            place(session, study, DrawnBox(t2.series_uid, 1, BOX.shifted(100, 0)))


def test_a_study_with_one_sequence(project: Project, pictures: Path) -> None:
    study = write_study(pictures / "p", "p1", sequences=(Sequence.T2,))
    ingest(pictures / "p", "Centre A", project)
    with project.session() as session:
        uid = load_pair(session, study).reference.series_uid
        _, slices = place(session, study, DrawnBox(uid, 0, BOX))
    assert [(s.series_uid, s.slice_index) for s in slices] == [(uid, 0), (uid, 1)]
