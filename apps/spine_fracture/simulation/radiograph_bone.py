"""What X-rays meet in a phantom: bone mineral and soft tissue, and what a finding does to the mineral.

Linear attenuation is that of 50 keV photons, about the effective energy of an 80 kV beam: the mass
attenuation coefficients of ICRU-44 tissues (Hubbell & Seltzer, NISTIR 5632: soft tissue 0.226, muscle 0.226,
adipose 0.212, cortical bone 0.424 cm2/g) times their densities (1.06, 1.05, 0.95, 1.92 g/cm3). Bone is
marrow with hydroxyapatite in it: 1 g/cm3 of mineral adds 0.49 /cm, which gives cortical bone back at its
1.2 g/cm3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.simulation.canvas import body_frame
from spine_fracture.simulation.findings import Finding, Pattern
from spine_fracture.simulation.phantom import Phantom
from spine_fracture.simulation.textures import smooth_noise
from spine_fracture.simulation.tissues import Tissue

FloatField = npt.NDArray[np.float32]
SOFT_TISSUE = 0.024  # per mm
LUNG = 0.0075  # per mm, a third as dense
PER_MINERAL = 0.049  # per mm and g/cm3 of mineral
COMPACT = 0.55  # g/cm3: a voxel of the phantom's cortex is half compact bone, half marrow
_WATERY = frozenset({Tissue.NUCLEUS, Tissue.ANNULUS, Tissue.CSF, Tissue.CORD, Tissue.LIGAMENT, Tissue.NERVE,
                     Tissue.NUCLEUS_WORN, Tissue.SKIN, Tissue.VEIN, Tissue.FLOW})  # fmt: skip
#: Linear attenuation without mineral, per mm. Bowel holds some gas.
ATTENUATION: dict[Tissue, float] = {
    Tissue.AIR: 0.0,
    Tissue.FAT: 0.0202,
    Tissue.EPIDURAL_FAT: 0.0202,
    Tissue.MUSCLE: 0.0238,
    Tissue.SOFT: SOFT_TISSUE,
    Tissue.BOWEL: 0.019,
    Tissue.MARROW: 0.0225,
    Tissue.POSTERIOR_MARROW: 0.0225,
    Tissue.CORTEX: 0.0225,
} | dict.fromkeys(_WATERY, SOFT_TISSUE)

#: Share of the mineral that is left where a tumour of this pattern has grown, and g/cm3 that it lays down.
_TUMOUR: dict[Pattern, tuple[tuple[float, float], tuple[float, float]]] = {
    Pattern.LYTIC: ((0.2, 0.9), (0.0, 0.0)),
    Pattern.EXPANSILE: ((0.05, 0.5), (0.0, 0.0)),
    Pattern.MICRONODULAR: ((0.55, 0.95), (0.0, 0.0)),
    Pattern.MIXED: ((0.5, 1.0), (0.0, 0.12)),
    Pattern.SCLEROTIC: ((0.95, 1.1), (0.02, 0.3)),
}


@dataclass(frozen=True, eq=False)
class Bone:
    """Volumes (slices, rows, columns) float32 as the phantom's canvas: ``soft`` attenuation per mm without
    mineral, ``mineral`` g/cm3, and ``spared`` g/cm3 as it were had no finding changed its amount.
    """

    soft: FloatField
    mineral: FloatField
    spared: FloatField


def bone_of(phantom: Phantom, rng: np.random.Generator) -> Bone:
    """The bone of a phantom, its trabeculae as dense as fits the patient's age.

    Volumetric density falls from about 0.19 g/cm3 at 20 years by 0.0016 a year (quantitative CT of L1 to
    L3, Block et al. 1989), alike in patients with fractures and with tumours.
    """
    tissue = phantom.canvas.tissue
    assert tissue is not None, "a phantom knows its tissues"
    trabecular = float(np.clip(0.19 - 0.0016 * (phantom.patient.age - 20) + rng.normal(0, 0.025), 0.05, 0.25))
    soft = _soft(tissue)
    content = np.zeros(len(Tissue), np.float32)
    content[Tissue.MARROW] = trabecular
    content[Tissue.POSTERIOR_MARROW] = 1.3 * trabecular
    content[Tissue.CORTEX] = COMPACT * (0.6 + 0.4 * trabecular / 0.15)
    spared = content[tissue]
    mineral = spared.copy()
    for level, finding in phantom.patient.findings:
        if finding.diagnosis is Diagnosis.NORMAL:
            continue
        if finding.collapsed:
            _impact(mineral, phantom, level, finding, rng)
        if finding.pattern is not None:
            _replace(mineral, phantom, level, finding, finding.pattern, rng)
    return Bone(soft, mineral, spared)


def _soft(tissue: npt.NDArray[np.uint8]) -> FloatField:
    """Attenuation without mineral. Air inside the trunk is lung; a spine that begins below the neck has the
    phantom's windpipe at its top, which is filled.
    """
    soft = np.array([ATTENUATION[kind] for kind in Tissue], np.float32)[tissue]
    hollow = (tissue == Tissue.AIR) & (tissue != Tissue.AIR).any(axis=0)
    soft[hollow] = LUNG
    middle = slice(len(soft) // 2 - 9, len(soft) // 2 + 9)
    soft[middle][hollow[middle]] = SOFT_TISSUE
    return soft


def _impact(
    mineral: FloatField, phantom: Phantom, level: Level, finding: Finding, rng: np.random.Generator
) -> None:
    """Trabeculae pressed into each other under the broken endplate: a dense band, less of it in a tumour."""
    labels = phantom.canvas.labels
    frame = body_frame(labels, level, phantom.canvas.mm)
    rows = np.flatnonzero((labels == 1 + level.order).any(axis=(0, 2)))
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    slices, height, columns = mineral.shape
    u, _, _ = frame.coordinates((slices, height, columns), part)
    strength = rng.uniform(0.1, 0.6) if finding.pattern is not None else rng.uniform(0.5, 1.5)
    if Feature.DARK_LINE in finding.features:
        strength += 0.5
    band = np.exp(-(((u + rng.uniform(0.55, 0.8)) / 0.25) ** 2)).astype(np.float32)
    body = labels[:, part] == 1 + level.order
    mineral[:, part] *= 1 + body * band * np.float32(strength * finding.severity / 0.4)


def _replace(
    mineral: FloatField,
    phantom: Phantom,
    level: Level,
    finding: Finding,
    pattern: Pattern,
    rng: np.random.Generator,
) -> None:
    """A tumour where the finding changed the signal: bone taken away, laid down, or both in patches."""
    where = phantom.altered == 1 + level.order
    if not where.any():
        return
    found = [np.flatnonzero(where.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(max(0, int(at[0]) - 4), int(at[-1]) + 5) for at in found)
    share = gaussian_filter(where[box].astype(np.float32), 1.2) * np.float32(finding.activity)
    (low, high), (least, most) = _TUMOUR[pattern]
    patches = smooth_noise(share.shape, (3, 3, 3), rng)
    grain = 0.5 if pattern in (Pattern.MICRONODULAR, Pattern.MIXED) else 0.2
    left = np.clip(np.float32(rng.uniform(low, high)) * (1 + grain * patches), 0, 1.2)
    laid = np.float32(rng.uniform(least, most)) * np.clip(0.8 + 0.6 * patches, 0, None)
    block = mineral[box]
    mineral[box] = block * (1 + share * (left - 1)) + share * laid * (block > 0)
