"""Heat maps on either series of a study, and similar levels that a reader may see."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from server.studies import QuickPipeline, image_id, study_uid, volume, write_study
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import SHIPPED_WEIGHTS, read_bundle, write_bundle
from spine_fracture.classification.attention import AttentiveClassifier
from spine_fracture.cohort.models import LevelSlice, ReadMode, Series, Study, StudyLevel
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.protocol import load_protocol
from spine_fracture.cohort.reads import ReadSubmission, submit_read
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.cohort.states import ReadState
from spine_fracture.dicom.write import PatientTags, write_series
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PixelBox, VolumeFrame
from spine_fracture.imaging import PairedStack, Sequence, Volume
from spine_fracture.levels import StudyReading
from spine_fracture.promotion import open_registry
from spine_fracture.same_place import carried
from spine_fracture.server.explain import Explainer, HeatMap
from spine_fracture.server.inference import InferOptions, ModelInference, ModelName
from spine_fracture.server.readings import StudyReader
from spine_fracture.server.served import Served
from spine_fracture.server.served_classifier import served_classifier
from spine_fracture.server.shelf import DatabaseShelf
from spine_fracture.server.sources import FolderSource
from spine_fracture.server.studies import Catalogue

HERE, OTHER, THIRD = "phantom-000001", "phantom-000003", "phantom-000006"
TESTED = next(key for n in range(100) if split_of(key := f"phantom-{n:06d}") is Split.TEST)


class Place:
    """A project over a folder of studies, read by a pipeline that is quick."""

    def __init__(self, folder: Path) -> None:
        self.studies = folder / "studies"
        self.project: Project = open_project(folder / "home")
        self.catalogue = Catalogue(self.project, FolderSource(self.studies, "Test centre"))
        self.loaded = AttentiveClassifier.load(SHIPPED_WEIGHTS / "classifier")

    def read(self) -> None:
        self.catalogue.refresh()
        reader = StudyReader(self.catalogue, _BothSeries, DatabaseShelf(self.project))
        for image in self.catalogue.images():
            reader.read(self.catalogue.find(image))

    def explainer(self, protocol: str = "single") -> Explainer:
        return Explainer(self.project, self.catalogue, load_protocol(protocol), lambda: self.loaded)

    def levels(self, key: str) -> list[int]:
        with self.project.session() as session:
            query = select(StudyLevel.id).join(Study).where(Study.uid == study_uid(key))
            return list(session.scalars(query.order_by(StudyLevel.id)))

    def slices(self, level_id: int, series_uid: str) -> dict[int, PixelBox]:
        with self.project.session() as session:
            rows = session.scalars(
                select(LevelSlice)
                .join(Series)
                .where(LevelSlice.level_id == level_id, Series.uid == series_uid)
            )
            return {row.slice_index: row.box for row in rows}

    def label(self, level_id: int, reader: str, diagnosis: Diagnosis, state: ReadState | None = None) -> None:
        with self.project.transaction() as session:
            read = submit_read(
                session,
                ReadSubmission(
                    level_id=level_id,
                    reader=reader,
                    mode=ReadMode.ASSISTED,
                    diagnosis=diagnosis,
                    features=frozenset(),
                    confidence=4,
                    seconds=10.0,
                    token=f"{reader}-{level_id}",
                ),
            )
            read.state = state or read.state

    def prepare(self) -> int:
        explainer, studies = self.explainer(), 0
        while explainer.prepare():
            studies += 1
        return studies


class _BothSeries(QuickPipeline):
    """As the real pipeline does it: each box also where the other series shows the same."""

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        reading = super().read(pair, study_uid)
        other = pair.other
        if other is None:
            return reading
        levels = []
        for level in reading.levels:
            there = carried(pair, pair.reference, other, level.slices)
            levels.append(replace(level, slices=(*level.slices, *there)))
        return replace(reading, levels=tuple(levels))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.project.engine.dispose()


@pytest.fixture
def read_place(place: Place) -> Place:
    for key in (HERE, OTHER, THIRD):
        write_study(place.studies, key)
    place.read()
    return place


def picture(heat: HeatMap) -> np.ndarray:
    kind, _, data = heat.png.partition(";base64,")
    assert kind == "data:image/png"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_heat_map_lies_over_the_vertebra_on_both_series(read_place: Place) -> None:
    level = read_place.levels(HERE)[1]
    for sequence in (Sequence.T1, Sequence.T2):
        series = image_id(HERE, sequence)
        for index, box in read_place.slices(level, series).items():
            heat = read_place.explainer().heatmap(level, series, index)
            assert picture(heat).shape[2] == 4
            assert heat.box.iou(box) > 0.3  # it shows the vertebra with what is round it
            assert heat.box.as_tuple() == pytest.approx(box.square(1.35).inside(96, 64).as_tuple())
            assert 0 < heat.probability <= 1
    asked = read_place.explainer().heatmap(level, series, 2, Diagnosis.HEMANGIOMA)
    assert asked.diagnosis is Diagnosis.HEMANGIOMA


def test_the_other_series_has_the_same_heat_at_its_own_pixels(place: Place) -> None:
    """T1 of another matrix, spacing, first slice and position, as scanners make them."""
    write_study(place.studies, HERE, (Sequence.T2,))
    own = _elsewhere(volume(HERE, Sequence.T1))
    write_series(own, PatientTags(HERE, study_uid(HERE)), place.studies / HERE, series_number=7)
    place.read()
    with_t2 = place.catalogue.pair(place.catalogue.find(study_uid(HERE)))
    assert with_t2.other is not None
    level = place.levels(HERE)[2]
    on_t1, on_t2 = (place.slices(level, image_id(HERE, s)) for s in (Sequence.T1, Sequence.T2))
    assert set(on_t1) == {index - 1 for index in on_t2}
    explainer = place.explainer()
    for index in on_t1:
        first = explainer.heatmap(level, image_id(HERE, Sequence.T1), index)
        second = explainer.heatmap(level, image_id(HERE, Sequence.T2), index + 1)
        assert first.probability == second.probability
        there = with_t2.other.frame.to_patient([[*first.box.centre, index + 0.5]])
        here = with_t2.reference.frame.to_patient([[*second.box.centre, index + 1.5]])
        np.testing.assert_allclose(there, here, atol=1.0)
        assert first.box.width == pytest.approx(second.box.width * 1.5 / 1.2, rel=0.02)


@pytest.mark.parametrize("only", [Sequence.T1, Sequence.T2])
def test_one_sequence_alone_is_enough(place: Place, only: Sequence) -> None:
    write_study(place.studies, HERE, (only,))
    place.read()
    level = place.levels(HERE)[0]
    assert place.explainer().heatmap(level, image_id(HERE, only), 2).box.area > 0
    missing = Sequence.T1 if only is Sequence.T2 else Sequence.T2
    with pytest.raises(InputError, match="T1 or T2"):
        place.explainer().heatmap(level, image_id(HERE, missing), 2)
    place.label(level, "reader-1", Diagnosis.NORMAL)
    assert place.prepare() == 1


def test_what_has_no_heat_says_why(read_place: Place) -> None:
    level, series = read_place.levels(HERE)[0], image_id(HERE)
    explainer = read_place.explainer()
    with pytest.raises(NotFoundError, match=r"one of its slices \(2, 3, 4\)"):
        explainer.heatmap(level, series, 0)
    with pytest.raises(InputError, match="did not read this series"):
        explainer.heatmap(level, image_id(OTHER), 2)
    with pytest.raises(NotFoundError, match="no level 9999"):
        explainer.heatmap(9999, series, 2)
    next(iter((read_place.studies / HERE).rglob("*.dcm"))).unlink()
    with pytest.raises(InputError, match="no longer where they were"):
        explainer.heatmap(level, series, 2)


def test_a_box_outside_the_picture_is_refused_in_words(read_place: Place) -> None:
    level, series = read_place.levels(HERE)[0], image_id(HERE)
    with read_place.project.transaction() as session:
        for part in session.get_one(StudyLevel, level).slices:
            part.box = PixelBox(500, 500, 540, 540)
    with pytest.raises(InputError, match="outside the picture"):
        read_place.explainer().heatmap(level, series, 2)


def test_similar_levels_are_of_other_training_patients_nearest_first(read_place: Place) -> None:
    write_study(read_place.studies, TESTED)
    read_place.read()
    for key in (HERE, OTHER, THIRD, TESTED):
        for level in read_place.levels(key):
            read_place.label(level, "reader-1", Diagnosis.MALIGNANT)
    assert read_place.prepare() == 3
    asked = read_place.levels(HERE)[0]
    found = read_place.explainer().similar(asked, "reader-2", k=7)
    assert found.waiting == 0
    assert len(found.items) == 7
    assert {item.level_id for item in found.items} <= {*read_place.levels(OTHER), *read_place.levels(THIRD)}
    distances = [item.distance for item in found.items]
    assert distances == sorted(distances)
    assert 0 <= distances[0] <= distances[-1] <= 1
    assert {item.diagnosis for item in found.items} == {Diagnosis.MALIGNANT}
    kind, _, data = found.items[0].thumbnail.partition(";base64,")
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (kind, shown.format, shown.size) == ("data:image/jpeg", "JPEG", (210, 104))


def test_a_level_of_a_test_patient_may_be_compared_and_is_never_shown(read_place: Place) -> None:
    write_study(read_place.studies, TESTED)
    read_place.read()
    read_place.label(read_place.levels(OTHER)[0], "reader-1", Diagnosis.NORMAL)
    read_place.prepare()
    found = read_place.explainer().similar(read_place.levels(TESTED)[0], "reader-1")
    assert [item.level_id for item in found.items] == [read_place.levels(OTHER)[0]]


def test_readers_see_labels_that_are_settled_and_their_own(read_place: Place) -> None:
    own, theirs, disputed, decided, unsure = read_place.levels(OTHER)
    read_place.label(own, "reader-1", Diagnosis.NORMAL)
    read_place.label(theirs, "reader-2", Diagnosis.NORMAL)
    read_place.label(disputed, "reader-2", Diagnosis.NORMAL)
    read_place.label(disputed, "reader-3", Diagnosis.MALIGNANT)
    read_place.label(decided, "reader-2", Diagnosis.NORMAL)
    read_place.label(decided, "judge", Diagnosis.HEMANGIOMA, ReadState.ADJUDICATED)
    read_place.label(unsure, "reader-1", Diagnosis.INDETERMINATE)
    read_place.prepare()
    asked = read_place.levels(HERE)[0]

    def seen(protocol: str, reader: str) -> dict[int, Diagnosis]:
        found = read_place.explainer(protocol).similar(asked, reader)
        return {item.level_id: item.diagnosis for item in found.items}

    always = {own: Diagnosis.NORMAL, decided: Diagnosis.HEMANGIOMA}
    assert seen("double", "reader-1") == always
    assert seen("single", "reader-1") == always | {theirs: Diagnosis.NORMAL}
    assert seen("double", "reader-3") == {decided: Diagnosis.HEMANGIOMA, disputed: Diagnosis.MALIGNANT}


def test_what_was_looked_at_is_kept_until_the_level_or_the_model_changes(
    read_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, labelled = read_place.levels(HERE)[0], read_place.levels(OTHER)[0]
    read_place.label(labelled, "reader-1", Diagnosis.NORMAL)
    assert read_place.explainer().similar(asked, "reader-1").waiting == 1
    assert read_place.prepare() == 1
    looks: list[int] = []
    features = AttentiveClassifier.features
    monkeypatch.setattr(AttentiveClassifier, "features", lambda *given: looks.append(1) or features(*given))
    before = read_place.explainer().similar(asked, "reader-1")
    assert (before.waiting, len(before.items), looks) == (0, 1, [])
    assert read_place.prepare() == 0
    (kept,) = (read_place.project.settings.cache_folder / "features").rglob(f"{labelled}-1.npy")
    kept.write_bytes(b"half a file")
    assert read_place.explainer().similar(asked, "reader-1").waiting == 1
    assert read_place.prepare() == 1
    assert read_place.explainer().similar(asked, "reader-1") == before
    with read_place.project.transaction() as session:
        session.get_one(StudyLevel, labelled).version = 2
    assert read_place.explainer().similar(asked, "reader-1").waiting == 1
    assert read_place.prepare() == 1
    assert not kept.exists()
    read_place.loaded.manifest = read_place.loaded.manifest.model_copy(update={"seal": "f" * 64})
    assert read_place.explainer().similar(asked, "reader-1").waiting == 1


def test_a_study_that_is_gone_does_not_stop_the_others(
    read_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    for key in (HERE, OTHER):
        read_place.label(read_place.levels(key)[0], "reader-1", Diagnosis.NORMAL)
    for file in (read_place.studies / HERE).rglob("*.dcm"):
        file.unlink()
    caplog.set_level("INFO")
    assert read_place.prepare() == 2
    assert "left out of the similar ones" in caplog.text
    assert HERE not in caplog.text
    found = read_place.explainer().similar(read_place.levels(THIRD)[0], "reader-1")
    assert (len(found.items), found.waiting) == (1, 1)


def test_nothing_labelled_is_nothing_to_prepare(read_place: Place) -> None:
    assert read_place.prepare() == 0
    assert read_place.explainer().similar(read_place.levels(HERE)[0], "x").items == ()


def test_the_champion_explains_and_after_a_promotion_the_new_one(place: Place, tmp_path: Path) -> None:
    served = served_classifier(place.project)
    first = served()
    assert served() is first
    assert first.version == place.loaded.version
    manifest, state = read_bundle(SHIPPED_WEIGHTS / "classifier")
    state["head.bias"] += 0.5
    write_bundle(tmp_path / "better", state, manifest)
    registry = open_registry(place.project)
    promoted = registry.promote(registry.register_candidate(tmp_path / "better"))
    assert served().version == promoted.name != first.version


def test_a_champion_that_cannot_explain_is_looked_at_once(place: Place, tmp_path: Path) -> None:
    looked: list[Path] = []

    def load(folder: Path) -> AttentiveClassifier:
        looked.append(folder)
        if len(looked) == 1:
            raise NotFoundError("It is of another family.")
        return AttentiveClassifier.load(folder)

    served = Served(place.project, "classification", load)
    for _ in range(3):
        with pytest.raises(NotFoundError, match="another family"):
            served()
    assert len(looked) == 1
    manifest, state = read_bundle(SHIPPED_WEIGHTS / "classifier")
    state["head.bias"] += 0.5
    write_bundle(tmp_path / "better", state, manifest)
    registry = open_registry(place.project)
    promoted = registry.promote(registry.register_candidate(tmp_path / "better"))
    assert served().version == promoted.name and len(looked) == 2


def test_while_the_champion_cannot_explain_there_is_nothing_to_prepare(read_place: Place) -> None:
    def refuse() -> AttentiveClassifier:
        raise NotFoundError("It is of another family.")

    read_place.label(read_place.levels(OTHER)[0], "reader-1", Diagnosis.NORMAL)
    explainer = Explainer(read_place.project, read_place.catalogue, load_protocol("single"), refuse)
    assert explainer.prepare() is False
    with pytest.raises(NotFoundError, match="another family"):
        explainer.similar(read_place.levels(HERE)[0], "reader-1")


def _elsewhere(source: Volume) -> Volume:
    """The same anatomy on pixels of 1.2 mm, a little off and without the slice that comes first when read."""
    slices, rows, columns = source.pixels.shape
    frame = source.frame.matrix.copy()
    shape = (slices - 1, round(rows * 1.5 / 1.2) + 6, round(columns * 1.5 / 1.2) + 6)
    matrix = frame.copy()
    matrix[:3, 0] *= 1.2 / 1.5
    matrix[:3, 1] *= 1.2 / 1.5
    matrix[:3, 3] = (frame @ [-2.0, -3.0, 0.0, 1.0])[:3]
    across = np.floor(-2 + (np.arange(shape[2]) + 0.5) * 0.8).astype(int)
    down = np.floor(-3 + (np.arange(shape[1]) + 0.5) * 0.8).astype(int)
    pixels = source.pixels[:-1][:, np.clip(down, 0, rows - 1)][:, :, np.clip(across, 0, columns - 1)]
    return replace(
        source, pixels=np.ascontiguousarray(pixels), frame=VolumeFrame(matrix, shape), slice_uids=()
    )


def test_the_twin_is_drawn_on_the_series_that_was_asked_for(place: Place, tmp_path: Path) -> None:
    """A viewer that shows T1 gets a label map that fits T1, whatever grid T2 has."""
    write_study(place.studies, HERE, (Sequence.T2,))
    own = _elsewhere(volume(HERE, Sequence.T1))
    write_series(own, PatientTags(HERE, study_uid(HERE)), place.studies / HERE, series_number=7)
    place.read()
    study = place.catalogue.find(study_uid(HERE))
    models = ModelInference(
        place.catalogue, StudyReader(place.catalogue, _BothSeries, DatabaseShelf(place.project))
    )
    for sequence in (Sequence.T1, Sequence.T2):
        series = image_id(HERE, sequence)
        twin = models.infer(ModelName.TWIN, study, InferOptions(), series).file
        (tmp_path / twin.name).write_bytes(twin.content)
        image = SimpleITK.ReadImage(str(tmp_path / twin.name))
        shown = place.catalogue.picture(study, series)
        drawn = SimpleITK.GetArrayFromImage(image)
        assert drawn.shape == shown.pixels.shape
        assert image.GetSpacing() == pytest.approx(shown.frame.spacing)
        on_it = place.slices(place.levels(HERE)[0], series)
        assert sorted(on_it) == sorted(np.unique(np.nonzero(drawn)[0]).tolist())
    other = models.infer(ModelName.TWIN, study, InferOptions(), image_id(OTHER)).file
    assert other.content == twin.content
