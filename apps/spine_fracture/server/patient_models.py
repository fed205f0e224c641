"""The models that answer for a patient without levels on MRI: from radiographs, or from ticked features."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from spine_fracture.classification import feature_regression
from spine_fracture.classification.feature_regression import FeatureRegression
from spine_fracture.cohort.project import Project
from spine_fracture.dicom.radiograph import read_radiograph
from spine_fracture.errors import InputError
from spine_fracture.files import without_names
from spine_fracture.radiography import TASK as RADIOGRAPHS
from spine_fracture.radiography import Radiograph, View
from spine_fracture.server.answers import FeatureAnswer, RadiographAnswer
from spine_fracture.server.inference import Inference, InferOptions, ModelName, ResultFile
from spine_fracture.server.served import Served
from spine_fracture.server.studies import RadiographFiles

if TYPE_CHECKING:
    from spine_fracture.classification.radiograph import RadiographModel


class PatientModels:
    """Each answers once a model was promoted for its task. Safe to use from several threads."""

    def __init__(self, project: Project) -> None:
        self._radiographs = Served(project, RADIOGRAPHS, _load)
        self._features = Served(project, feature_regression.TASK, FeatureRegression.load)

    def serves(self, model: ModelName) -> bool:
        """Whether ``model`` could answer now."""
        match model:
            case ModelName.RADIOGRAPHS:
                return self._radiographs.is_there()
            case ModelName.FEATURES:
                return self._features.is_there()
            case _:
                return True

    def read_radiographs(self, files: RadiographFiles, image: str) -> Inference:
        """Malignant or benign, from the AP and the lateral radiograph of a study, or from one of them.

        Of several radiographs of one view that of the series ``image`` is read. Raises :class:`InputError`
        when none is left, or the model needs a view that is missing.
        """
        model = self._radiographs()
        views, notes = _views(files, image)
        opinion = model.read(views.get(View.AP), views.get(View.LATERAL))
        answer = RadiographAnswer.of(files.study, image, model.version, opinion, views, notes)
        return _inference("radiographs", answer)

    def read_features(self, study: str, image: str, options: InferOptions) -> Inference:
        """Malignant or benign from ``options.features`` alone; pictures are not looked at."""
        if options.features is None:
            raise InputError(
                "Name the imaging features that were seen, as features: a list of words, empty for none."
            )
        model = self._features()
        (malignant,) = model.malignancy([options.features]).tolist()
        version = model.manifest.version
        return _inference("features", FeatureAnswer.of(study, image, version, options.features, malignant))


def _load(folder: Path) -> RadiographModel:
    from spine_fracture.classification.radiograph import RadiographModel  # torchvision takes a while

    return RadiographModel.load(folder)


def _views(files: RadiographFiles, image: str) -> tuple[dict[View, Radiograph], tuple[str, ...]]:
    """One radiograph a view, and what was left out."""
    found: dict[View, list[tuple[str, Radiograph]]] = defaultdict(list)
    notes = []
    paths = [path for _, path in files.files]
    for series, path in files.files:
        try:
            radiograph = read_radiograph(path)
        except InputError as error:
            notes.append(f"A radiograph was left out. {without_names(str(error), paths)}")
        else:
            found[radiograph.view].append((series, radiograph))
    chosen = {}
    for view, several in found.items():
        wanted = several if len(several) == 1 else [one for one in several if one[0] == image]
        if len(wanted) == 1:
            chosen[view] = wanted[0][1]
        else:
            notes.append(
                f"There are {len(several)} {view} radiographs, and it is not known which to read: ask with "
                "the UID of the series of the one."
            )
    if not chosen:
        raise InputError(" ".join(notes))
    return chosen, tuple(notes)


def _inference(name: str, answer: RadiographAnswer | FeatureAnswer) -> Inference:
    content = answer.model_dump_json(indent=1).encode()
    return Inference(answer, ResultFile(f"{name}.json", "application/json", content))
