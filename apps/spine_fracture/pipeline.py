"""From one aligned T1/T2 pair to the levels of a study: detect, fuse, name, classify, doubt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spine_fracture.active_learning.uncertainty import score_level
from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import SHIPPED_WEIGHTS
from spine_fracture.classification.classifier import LevelOpinion
from spine_fracture.classification.loading import load_level_model
from spine_fracture.classification.model import LevelModel
from spine_fracture.detection.detector import Runtime, VertebraDetector
from spine_fracture.detection.fusion import Track, fuse_slices
from spine_fracture.detection.lesion_detector import LesionDetector
from spine_fracture.detection.naming import NamedTrack, name_tracks
from spine_fracture.detection.orientation import check_upright
from spine_fracture.dicom.pairing import RESIDUAL_LIMIT_PX
from spine_fracture.errors import InputError, OffDomainError
from spine_fracture.geometry import PatientBox, PixelBox
from spine_fracture.imaging import FURTHER, PairedStack, Sequence, Volume
from spine_fracture.levels import LevelReading, SliceBox, StudyReading
from spine_fracture.same_place import carried, slice_box

#: Fewer vertebrae than this in a row are no spine that could be named.
FEWEST_VERTEBRAE = 3


@dataclass(frozen=True, eq=False)
class ReadingPipeline:
    """The two networks and what joins them. Safe to call from several threads."""

    detector: VertebraDetector
    classifier: LevelModel

    @classmethod
    def load(cls, detector: Path, classifier: Path, runtime: Runtime = "openvino") -> ReadingPipeline:
        """From two model folders (bundles)."""
        return cls(VertebraDetector.load(detector, runtime), load_level_model(classifier, runtime))

    @property
    def further(self) -> tuple[Sequence, ...]:
        """What the classifier looks at beside T1 and T2, where a study has it."""
        return tuple(sequence for sequence in FURTHER if sequence in self.classifier.sequences)

    @classmethod
    def shipped(cls, runtime: Runtime = "openvino") -> ReadingPipeline:
        """The models that come in the package."""
        return cls.load(SHIPPED_WEIGHTS / "detector", SHIPPED_WEIGHTS / "classifier", runtime)

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        """All levels of the study; raises :class:`OffDomainError` when none could be trusted.

        ``pair`` comes with what it has of :attr:`further` beside it.
        """
        require_spine_mr(pair)
        _require_one_of(self.detector.sequences, pair, self.detector.version)
        _require_one_of(self.classifier.sequences, pair, self.classifier.version)
        candidates = self.detector.detect(pair.pixels)
        check_upright(self.detector, pair.pixels, candidates)
        tracks = fuse_slices(candidates)
        if len(tracks) < FEWEST_VERTEBRAE:
            raise OffDomainError(
                f"Only {len(tracks)} vertebrae were found: this does not look like a sagittal picture of "
                "the spine. Choose a sagittal T1 or T2 series."
            )
        naming = name_tracks(tracks)
        opinions = self.classifier.classify(
            pair.channels if self.further else pair.pixels,
            [[(c.slice_index, c.box) for c in named.track.candidates] for named in naming.levels],
        )
        taught = _taught(self.classifier)
        return StudyReading(
            study_uid=study_uid,
            levels=tuple(
                _level(pair, named, opinion, taught)
                for named, opinion in zip(naming.levels, opinions, strict=True)
            ),
            numbering_sure=naming.sure,
            notes=(*naming.notes, *_pair_notes(pair)),
            residual_px=pair.residual_px,
            registered=pair.registered,
            detector_version=self.detector.version,
            classifier_version=self.classifier.version,
        )


def require_spine_mr(pair: PairedStack) -> None:
    """Refuse what the networks were never shown: neither T1 nor T2."""
    if not (pair.has_t1 or pair.has_t2):
        raise OffDomainError("Neither a T1 nor a T2 series: the models read sagittal T1 and T2 only.")


def _require_one_of(sequences: tuple[Sequence, ...], pair: PairedStack, model: str) -> None:
    """A network that is shown none of what it was taught on finds nothing, which is no sign of health."""
    if not pair.acquired.intersection(sequences):
        read = " or ".join(sequences)
        raise InputError(
            f"{model} reads {read}, and the study has no sagittal {read}: choose a study that has, or let a "
            "model of other sequences serve (spine-fracture models promote NAME)."
        )


def _taught(classifier: LevelModel) -> frozenset[Diagnosis]:
    """The classes that a classifier tells apart; to a detector of lesions a body without one is normal."""
    taught = frozenset(map(Diagnosis, classifier.manifest.classes))
    return taught | {Diagnosis.NORMAL} if isinstance(classifier, LesionDetector) else taught


def _level(
    pair: PairedStack, named: NamedTrack, opinion: LevelOpinion, taught: frozenset[Diagnosis]
) -> LevelReading:
    track = named.track
    uncertainty, reasons = score_level(
        opinion,
        taught=taught,
        detector_abnormal=track.abnormal,
        detection_score=track.score,
        numbering_sure=named.sure,
    )
    found = _boxes_on_grid(pair.reference, track)
    return LevelReading(
        name=named.level,
        box=box_in_space(pair.reference, track),
        slices=(*found, *_boxes_on_other(pair, found)),
        detection_score=track.score,
        detector_abnormal=track.abnormal,
        numbering_sure=named.sure,
        probabilities=opinion.probabilities,
        uncertainty=uncertainty,
        reasons=reasons,
    )


def box_in_space(volume: Volume, track: Track) -> PatientBox:
    """The median of the slice boxes over the slices the vertebra spans, as one box in space."""
    indices = [c.slice_index for c in track.candidates]
    median = PixelBox(*(float(v) for v in np.median([c.box.as_tuple() for c in track.candidates], axis=0)))
    return volume.frame.box_to_patient(median, min(indices), max(indices))


def _boxes_on_grid(volume: Volume, track: Track) -> tuple[SliceBox, ...]:
    return tuple(slice_box(volume, c.slice_index, c.box, c.score) for c in track.candidates)


def _boxes_on_other(pair: PairedStack, found: tuple[SliceBox, ...]) -> tuple[SliceBox, ...]:
    return () if pair.other is None else tuple(carried(pair, pair.reference, pair.other, found))


def _pair_notes(pair: PairedStack) -> tuple[str, ...]:
    notes = []
    if not (pair.has_t1 and pair.has_t2):
        notes.append(
            f"Only {'T1' if pair.has_t1 else 'T2'} was read: a second sequence would make the answer surer."
        )
    if pair.other is not None:
        notes += _fit_notes("T1 and T2", pair.residual_px, pair.registered)
    for one in pair.further:
        notes.append(f"{one.sequence} was read too.")
        both = f"{one.sequence} and {pair.reference.sequence}"
        notes += _fit_notes(both, one.residual_px, one.registered)
    return tuple(notes)


def _fit_notes(both: str, residual_px: float | None, registered: bool) -> list[str]:
    """What is doubtful about how two series fit, if anything."""
    if residual_px is None:
        return [f"{both} show too little in common to check that they fit: read them with care."]
    if registered:
        return [f"{both} were {residual_px:.1f} pixels apart and were registered."]
    if residual_px > RESIDUAL_LIMIT_PX:
        return [f"{both} are {residual_px:.1f} pixels apart and could not be registered."]
    return []
