"""A statement as a measurement group, in the two forms; everything that both share comes from one place.

The viewer form hangs the outline under its one number, where OHIF looks for it; the standard form is
TID 1410 with the outline as image region.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    FindingSite,
    GraphicTypeValues,
    ImageContentItem,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    ScoordContentItem,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from highdicom.sr.value_types import ContentSequence

from spine_fracture.anatomy import Code
from spine_fracture.dicom.sr.codes import (
    BASIS,
    BASIS_CODES,
    COMMENT,
    CONFIDENCE,
    CONFIDENCE_CODES,
    IMAGE_REGION,
    NO_UNITS,
    PRESENT,
    PROBABILITY,
    PURPOSE_BOUNDED,
    RECTANGLE,
    SOURCE,
)
from spine_fracture.dicom.sr.images import SourceImage
from spine_fracture.dicom.sr.statements import Algorithm, Author, Form, Statement


def group(statement: Statement, author: Author, image: SourceImage, form: Form) -> Any:
    """The measurement group of ``statement``, whose region lies on ``image``, in highdicom's type."""
    made = _viewer(statement, author, image) if form is Form.VIEWER else _standard(statement, author, image)
    texts = [statement.label, statement.note] if statement.note else [statement.label]
    made[0].ContentSequence.extend(_comment(text) for text in texts)
    return made


def concept(code: Code) -> Any:
    return CodedConcept(code.value, code.scheme, code.meaning)


def _viewer(statement: Statement, author: Author, image: SourceImage) -> Any:
    strength = CONFIDENCE if statement.probability is None else PROBABILITY
    number = Measurement(concept(strength), statement.strength, concept(NO_UNITS))
    outline = ScoordContentItem(
        name=concept(IMAGE_REGION),
        graphic_type=GraphicTypeValues.POLYLINE,
        graphic_data=_outline(statement),
        relationship_type=RelationshipTypeValues.INFERRED_FROM,
    )
    outline.ContentSequence = ContentSequence(
        [
            ImageContentItem(
                name=concept(SOURCE),
                referenced_sop_class_uid=image.sop_class_uid,
                referenced_sop_instance_uid=image.sop_uid,
                referenced_frame_numbers=_frames(statement, image),
                relationship_type=RelationshipTypeValues.SELECTED_FROM,
            )
        ]
    )
    number[0].ContentSequence = ContentSequence([outline])
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(statement.tracking_uid, RECTANGLE),
        measurements=[number],
        **_shared(statement, author),
    )


def _standard(statement: Statement, author: Author, image: SourceImage) -> Any:
    region = ImageRegion(
        GraphicTypeValues.POLYLINE,
        _outline(statement),
        SourceImageForRegion(image.sop_class_uid, image.sop_uid, _frames(statement, image)),
    )
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(statement.tracking_uid, str(statement.level)),
        referenced_region=region,
        geometric_purpose=concept(PURPOSE_BOUNDED),
        **_shared(statement, author),
    )


def _shared(statement: Statement, author: Author) -> dict[str, Any]:
    """The arguments that both of highdicom's templates take alike."""
    algorithm = (
        AlgorithmIdentification(author.name, author.version) if isinstance(author, Algorithm) else None
    )
    return {
        "finding_type": concept(statement.diagnosis.code),
        "finding_sites": [FindingSite(concept(statement.level.code))],
        "algorithm_id": algorithm,
        "qualitative_evaluations": _evaluations(statement) or None,
    }


def _evaluations(statement: Statement) -> list[Any]:
    """Features that were seen, confidence and basis; a feature that is not listed was not ticked."""
    said = [(feature.code, PRESENT) for feature in sorted(statement.features)]
    if statement.confidence is not None:
        said.append((CONFIDENCE, CONFIDENCE_CODES[statement.confidence]))
    if statement.basis is not None:
        said.append((BASIS, BASIS_CODES[statement.basis]))
    return [QualitativeEvaluation(concept(name), concept(value)) for name, value in said]


def _outline(statement: Statement) -> Any:
    """Shape (5, 2): (column, row) of top left, top right, bottom right, bottom left, top left."""
    corners = statement.region.box.corners()
    return np.vstack([corners, corners[:1]])


def _frames(statement: Statement, image: SourceImage) -> list[int] | None:
    return [statement.region.frame] if image.frames > 1 else None


def _comment(text: str) -> Any:
    return TextContentItem(concept(COMMENT), text, RelationshipTypeValues.CONTAINS)
