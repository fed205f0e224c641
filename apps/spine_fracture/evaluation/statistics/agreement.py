"""How far readers agree beyond chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    cluster_bootstrap,
    patient_confusions,
    patient_indices,
    sums_by_patient,
)
from spine_fracture.evaluation.statistics.shares import ratio


def cohen_kappa(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    patients: Sequence[Hashable],
    categories: int,
    resampling: Resampling | None = None,
) -> Estimate:
    """Agreement of two readers (Cohen 1960, Educ Psychol Meas 20:37).

    ``first`` and ``second`` (n,) are categories 0.. of the same n cases; interval by patient.
    """
    if len(np.asarray(first)) != len(np.asarray(second)):
        raise InputError("Both readers must have read the same cases.")
    apart = 1.0 - np.eye(categories)

    def kappa(tables: FloatArray) -> FloatArray:
        expected = np.einsum("di,ij,dj->d", tables.sum(axis=2), apart, tables.sum(axis=1))
        return 1 - ratio((tables * apart).sum(axis=(1, 2)) * tables.sum(axis=(1, 2)), expected)

    return cluster_bootstrap(patient_confusions(first, second, patients, categories), kappa, resampling)


def fleiss_kappa(
    answers: npt.ArrayLike,
    patients: Sequence[Hashable],
    categories: int,
    resampling: Resampling | None = None,
) -> Estimate:
    """Agreement of several readers who all read every case (Fleiss 1971, Psychol Bull 76:378).

    ``answers`` (n, readers) are categories 0..; interval by patient.
    """
    given = np.asarray(answers, dtype=np.int64)
    if given.ndim != 2 or given.shape[1] < 2:
        raise InputError(f"Fleiss' kappa needs answers (cases, 2 or more readers), got {given.shape}.")
    readers = given.shape[1]
    counts = (given[:, :, None] == np.arange(categories)).sum(axis=1).astype(np.float64)
    agreeing = ((counts**2).sum(axis=1) - readers) / (readers * (readers - 1))
    columns = np.concatenate([agreeing[:, None], np.ones((len(given), 1)), counts], axis=1)

    def kappa(sums: FloatArray) -> FloatArray:
        cases = sums[:, 1]
        by_chance = ((sums[:, 2:] / (cases[:, None] * readers)) ** 2).sum(axis=1)
        return ratio(sums[:, 0] / cases - by_chance, 1 - by_chance)

    return cluster_bootstrap(sums_by_patient(columns, patient_indices(patients)), kappa, resampling)
