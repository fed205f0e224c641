"""Malignant or benign from what a reader ticked: logistic regression on 15 features (Yeh et al. 2022)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis, Feature, contradiction
from spine_fracture.bundle import Manifest, read_bundle
from spine_fracture.errors import InputError, ModelFileError

NAME = "feature_regression"
TASK = "features"
CLASSES = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
FloatArray = npt.NDArray[np.float64]


def ticked(features: Iterable[Collection[Feature]]) -> FloatArray:
    """1 where a feature was seen: (n, 15), columns as in :class:`~spine_fracture.anatomy.Feature`."""
    return np.array([[feature in seen for feature in Feature] for seen in features], np.float64).reshape(
        -1, len(Feature)
    )


@dataclass(frozen=True, eq=False)
class FeatureRegression:
    """``weights`` (15,) are log odds ratios of malignancy, ``bias`` the log odds with nothing ticked."""

    manifest: Manifest
    weights: FloatArray
    bias: float

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` for another model's."""
        manifest, state = read_bundle(folder)
        if manifest.family != NAME or {name: tuple(t.shape) for name, t in state.items()} != {
            "weights": (len(Feature),),
            "bias": (1,),
        }:
            raise ModelFileError(
                f"Model {manifest.name} is a {manifest.family} of another form, not a {NAME}: train one."
            )
        return cls(manifest, state["weights"].double().numpy(), float(state["bias"][0]))

    def malignancy(self, features: Iterable[Collection[Feature]]) -> FloatArray:
        """The probability (n,) that each vertebra is malignant, given that it is either.

        Raises :class:`InputError` for features that no vertebra shows together.
        """
        asked = [frozenset(seen) for seen in features]
        for seen in asked:
            if why := contradiction(seen):
                raise InputError(f"These features cannot be seen together: {why}. Correct the read.")
        return np.asarray(1 / (1 + np.exp(-(ticked(asked) @ self.weights + self.bias))))
