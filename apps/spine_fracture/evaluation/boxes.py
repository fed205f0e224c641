"""What a detector answered about each picture, kept so that every figure can be worked out again."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Cost, Part, in_folds
from spine_fracture.files import write_atomically


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoxAnswer(_Frozen):
    """A box (x0, y0, x1, y1) in pixels of the picture. ``label`` is a level's name or a class,
    ``score`` in [0, 1] is 1 for a reference.
    """

    label: str
    box: tuple[float, float, float, float]
    score: float = 1.0


class PictureAnswer(_Frozen):
    """One slice: what was predicted, and what is there. ``fold`` is as that of a case."""

    picture: str
    part: Part
    patient: str
    centre: str = ""
    scanner: str = ""
    sequences: str = ""
    predicted: tuple[BoxAnswer, ...]
    reference: tuple[BoxAnswer, ...]
    fold: str = ""


class BoxAnswers(_Frozen):
    """All pictures of one run of one detector. ``task`` is ``levels`` or ``lesions``: what labels mean."""

    system: str
    version: str
    seed: int
    cohort: str
    task: str
    labels: tuple[str, ...]
    pictures: tuple[PictureAnswer, ...]
    cost: Cost | None = None

    def of(self, part: Part) -> tuple[PictureAnswer, ...]:
        return tuple(picture for picture in self.pictures if picture.part is part)

    def by_fold(self) -> dict[str, BoxAnswers]:
        """As that of answers."""
        return {
            fold: self.model_copy(update={"pictures": own}) for fold, own in in_folds(self.pictures).items()
        }


def write_boxes(answers: BoxAnswers, path: Path) -> None:
    """Write as JSON, atomically."""
    write_atomically(path, (answers.model_dump_json(exclude_defaults=True) + "\n").encode())


def read_boxes(path: Path) -> BoxAnswers:
    """Read what :func:`write_boxes` wrote; raises :class:`InputError` for any other file."""
    try:
        return BoxAnswers.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path.name} holds no boxes of a detector: judge the detector again.") from error
