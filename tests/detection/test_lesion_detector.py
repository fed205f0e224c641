"""What a detector finds on a level becomes its opinion of the level, by the rule that is written down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.detection.candidates import Boxes
from spine_fracture.detection.families import Architecture, build_network
from spine_fracture.detection.finder import BoxFinder, Found
from spine_fracture.detection.lesion_detector import LesionDetector
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.geometry import PixelBox

BOX, BELOW = PixelBox(10, 10, 40, 30), PixelBox(10, 32, 40, 52)
NORMAL, BENIGN, MALIGNANT = (
    MODEL_CLASSES.index(d) for d in (Diagnosis.NORMAL, Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
)
STACK = np.ones((3, 2, 64, 64), np.float32)
LEVELS = [[(at, BOX) for at in range(3)], [(at, BELOW) for at in range(3)]]


def finder(task=DetectionTask.LESIONS, sequences="T1+T2"):
    manifest = Manifest(
        name="test", task="classification", family="retinanet", classes=task.classes, config={}, seed=1,
        architecture={"layout": "resnet18", "size": 64, "sequences": sequences},
    )  # fmt: skip
    architecture = Architecture.model_validate(manifest.architecture)
    return BoxFinder(manifest, build_network("retinanet", architecture, len(task.classes)))


@pytest.fixture(scope="module")
def plain():
    return LesionDetector(finder())


def test_each_class_is_the_mean_of_its_three_best_slices(plain):
    found = [Found(0, BOX, (0.2, 0.9)), Found(1, BOX, (0.1, 0.6)), Found(1, BOX.shifted(2, 0), (0.3, 0.5))]
    chances = plain.probabilities(found, LEVELS)
    benign, malignant = (0.2 + 0.3) / 3, (0.9 + 0.6) / 3
    expected = np.zeros(len(MODEL_CLASSES))
    expected[[NORMAL, BENIGN, MALIGNANT]] = 1 - malignant, benign, malignant
    np.testing.assert_allclose(chances[0], expected / expected.sum())
    assert chances[1, NORMAL] == 1  # nothing lies on the level below


def test_a_class_for_normal_bodies_is_believed():
    model = LesionDetector(finder(DetectionTask.LESIONS_AND_NORMAL))
    chances = model.probabilities([Found(0, BOX, (0.6, 0.1, 0.3))], [LEVELS[0][:1], LEVELS[1][:1]])
    assert chances[0, [NORMAL, BENIGN, MALIGNANT]] == pytest.approx([0.6, 0.1, 0.3])
    assert chances[1, NORMAL] == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1), st.floats(0, 1)), max_size=6))
def test_probabilities_add_up_to_one_whatever_is_found(plain, answers):
    chances = plain.probabilities([Found(at, BOX, scores) for at, *scores in answers], LEVELS)
    assert chances.min() >= 0
    assert chances.sum(axis=1) == pytest.approx([1, 1])


def answer_by_signal(pictures):
    """Malignant as far as T1 is bright, benign as far as T2 is, on the upper level."""
    corners = np.array([BOX.as_tuple()], np.float32)
    return tuple(Boxes(corners, np.array([[p[-1].max() / 4, p[0].max() / 2]], np.float32)) for p in pictures)


def test_a_study_is_answered_with_each_sequence_alone():
    seen = finder()
    seen._forward = answer_by_signal
    opinion, other = LesionDetector(seen).classify(STACK, LEVELS)
    assert np.sum(opinion.probabilities) == pytest.approx(1)
    assert opinion.probabilities[MALIGNANT] == pytest.approx(0.5 / 1.25)
    assert (opinion.t1_only[BENIGN], opinion.t1_only[MALIGNANT]) == pytest.approx((0, 0.5))
    assert (opinion.t2_only[BENIGN], opinion.t2_only[MALIGNANT]) == pytest.approx((0.25, 0))
    assert 0 < opinion.augmentation_spread < 0.2
    assert other.probabilities[NORMAL] == 1
    t1 = STACK.copy()
    t1[:, 1] = 0
    alone = LesionDetector(seen).classify(t1, LEVELS)[0]
    assert alone.t1_only == alone.probabilities
    assert alone.t2_only is None


def test_a_detector_of_one_sequence_knows_nothing_of_the_other():
    seen = finder(sequences="T2")
    seen._forward = answer_by_signal
    opinion = LesionDetector(seen).classify(STACK, LEVELS)[0]
    assert opinion.t1_only is None
    assert opinion.t2_only == opinion.probabilities


def test_detectors_of_vertebrae_and_levels_without_a_box_are_refused(plain):
    with pytest.raises(ModelFileError, match="kinds of vertebra"):
        LesionDetector(finder(DetectionTask.KINDS))
    with pytest.raises(InputError, match="draw its box"):
        plain.classify(STACK, [[]])
    assert plain.classify(STACK, []) == ()
