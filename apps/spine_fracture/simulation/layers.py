"""Which signal changes make up a finding: one small function a feature, each returning layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from spine_fracture.anatomy import Diagnosis, Feature
from spine_fracture.simulation.canvas import BodyFrame, LesionCanvas
from spine_fracture.simulation.findings import Finding, Pattern, Variant
from spine_fracture.simulation.marrow import Change, Layer
from spine_fracture.simulation.textures import smooth_noise
from spine_fracture.simulation.tissues import Tissue

FloatField = npt.NDArray[np.float32]
_TUMOUR = {
    Pattern.LYTIC: Change.LYTIC,
    Pattern.SCLEROTIC: Change.SCLEROTIC,
    Pattern.MIXED: Change.MIXED,
    Pattern.EXPANSILE: Change.EXPANSILE,
    Pattern.MICRONODULAR: Change.MICRONODULAR,
}


@dataclass(frozen=True, eq=False)
class Region:
    """The block of a canvas round one body: ``box`` slices, soft ``body`` in [0, 1], and the body's
    coordinates ``u`` down, ``v`` back, ``w`` sideways broadcast to the block's shape.
    """

    box: tuple[slice, slice, slice]
    frame: BodyFrame
    body: FloatField
    others: npt.NDArray[np.bool_]
    u: FloatField
    v: FloatField
    w: FloatField
    grain: tuple[float, float, float]
    tissue: npt.NDArray[np.uint8] | None

    @classmethod
    def around(cls, canvas: LesionCanvas, frame: BodyFrame) -> Region:
        slices, rows, columns = canvas.labels.shape
        half = (1.0 * frame.height + 4, 1.9 * frame.depth + 4)
        r0, r1 = (int(np.clip(frame.centre[0] + s * (half[0] + 8), 0, rows)) for s in (-1, 1))
        c0, c1 = (int(np.clip(frame.centre[1] + s * half[1], 0, columns)) for s in (-1, 1))
        z0, z1 = (
            int(np.clip(frame.middle + s * (1.6 * frame.half_width + 1) + 0.5, 0, slices)) for s in (-1, 1)
        )
        z1 = max(z1, z0 + 1)
        box = (slice(z0, z1), slice(r0, r1), slice(c0, c1))
        u, v, w = frame.coordinates((slices, rows, columns), box[1])
        shape = (z1 - z0, r1 - r0, c1 - c0)
        labels = canvas.labels[box]
        inside = labels == 1 + frame.level.order
        body = gaussian_filter(inside.astype(np.float32), (0, 0.7, 0.7))
        per_mm = 1.0 if canvas.mm is None else 1 / canvas.mm[0]
        return cls(
            box,
            frame,
            body,
            (labels > 0) & ~inside,
            np.broadcast_to(u[None, :, c0:c1], shape),
            np.broadcast_to(v[None, :, c0:c1], shape),
            np.broadcast_to(w[z0:z1, None, None], shape),
            (max(per_mm, 0.2), frame.px_per_mm, frame.px_per_mm),
            None if canvas.tissue is None else canvas.tissue[box],
        )

    def noise(self, mm: float, rng: np.random.Generator) -> FloatField:
        """Smooth noise with a grain of ``mm``."""
        return smooth_noise(self.body.shape, [max(1.0, mm * g) for g in self.grain], rng)


def layers_of(finding: Finding, region: Region, rng: np.random.Generator) -> tuple[Layer, ...]:
    """The layers of a finding, in the order they are applied."""
    if finding.diagnosis is Diagnosis.BENIGN_FRACTURE:
        return _benign(finding, region, rng)
    if finding.diagnosis is Diagnosis.MALIGNANT:
        return _malignant(finding, region, rng)
    if finding.diagnosis is Diagnosis.HEMANGIOMA:
        return _hemangioma(finding, region, rng)
    if finding.diagnosis is Diagnosis.OTHER:
        return _infection(finding, region, rng)
    return _variant(finding, region, rng)


def _benign(finding: Finding, region: Region, rng: np.random.Generator) -> tuple[Layer, ...]:
    features, layers = finding.features, []
    side = -1.0 if rng.random() < 0.75 else 1.0  # the endplate that gave way, mostly the upper one
    if Feature.DIFFUSE_CHANGE in features:
        layers.append(_diffuse(region, Change.OEDEMA, finding.activity * 0.9, rng))
    if Feature.BAND_OEDEMA in features:
        layers.append(_band(region, side, rng.uniform(0.35, 0.6), Change.OEDEMA, finding.activity, rng))
    layers += _common(finding, region, side, rng)
    return tuple(layers)


def _common(finding: Finding, region: Region, side: float, rng: np.random.Generator) -> list[Layer]:
    """What both benign and malignant fractures may show."""
    features, layers = finding.features, []
    if Feature.DARK_LINE in features:
        layers.append(_line(region, side, rng))
    if Feature.DARK_PATCH in features:
        layers.append(_focus(region, rng.uniform(0.18, 0.32), Change.PATCH, 1.0, rng))
    if Feature.CLEFT in features:
        layers.append(_cleft(region, side, rng))
    if Feature.SOFT_TISSUE_MASS in features:
        change = Change.OEDEMA if finding.pattern is None else _TUMOUR[finding.pattern]
        layers += _mass(region, change, rng)
    if Feature.POSTERIOR_ELEMENTS in features and finding.pattern is not None:
        layers += _posterior(region, _TUMOUR[finding.pattern], rng)
    return layers


def _malignant(finding: Finding, region: Region, rng: np.random.Generator) -> tuple[Layer, ...]:
    pattern = finding.pattern or Pattern.LYTIC
    change, features, layers = _TUMOUR[pattern], finding.features, []
    if Feature.DIFFUSE_CHANGE in features:
        layers.append(
            _diffuse(region, change, finding.activity, rng, nodular=pattern is Pattern.MICRONODULAR)
        )
    if Feature.NODULAR_LESION in features:
        layers.append(_focus(region, finding.extent * 0.6, change, finding.activity, rng))
    if not features & {Feature.DIFFUSE_CHANGE, Feature.NODULAR_LESION}:
        layers.append(_partial(region, finding.extent, change, finding.activity, rng))
    if Feature.BAND_OEDEMA in features:
        layers.append(_band(region, -1.0, 0.5, Change.OEDEMA, finding.activity, rng))
    return (*layers, *_common(finding, region, -1.0, rng))


def _hemangioma(finding: Finding, region: Region, rng: np.random.Generator) -> tuple[Layer, ...]:
    """Bright on T1 and T2 with coarse vertical trabeculae (Ross et al. 1987)."""
    shape = region.body if finding.extent >= 0.8 else _blob(region, finding.extent * 0.75, rng, sharp=0.3)
    spacing = rng.uniform(2.4, 4.5) * region.frame.px_per_mm * 2 / region.frame.depth
    phase = rng.uniform(0, 6.28) + 1.6 * region.noise(5, rng)
    bars = np.clip(np.sin(2 * np.pi * region.v / spacing + phase), 0, 1) * np.clip(
        0.6 + 0.5 * region.noise(4, rng), 0, 1
    )
    depth = rng.uniform(0.1, 0.45) * np.clip((finding.extent - 0.2) / 0.3, 0.2, 1)
    ratio = {s: 1 + (r - 1) * finding.activity for s, r in Change.HEMANGIOMA.draw(rng).items()}
    grain = 0.08 * region.noise(2, rng) - depth * bars
    return (Layer(shape.astype(np.float32), ratio, grain=grain.astype(np.float32)),)


def _infection(finding: Finding, region: Region, rng: np.random.Generator) -> tuple[Layer, ...]:
    """One of the two bodies beside an infected disc; the disc itself brightens on T2."""
    side = 1.0 if finding.extent > 0.5 else -1.0
    layers = [_band(region, side, rng.uniform(0.5, 0.8), Change.INFECTION, finding.activity, rng)]
    edge = np.clip(1 - np.abs(region.u * side - 1.2) / 0.28, 0, 1) * np.clip(
        4 * (0.95 - np.abs(region.v)), 0, 1
    )
    edge = edge * np.clip(4 * (1 - np.abs(region.w)), 0, 1) * ~region.others
    layers.append(
        Layer(
            edge.astype(np.float32), Change.FLUID.draw(rng), replaces=True, grain=0.1 * region.noise(2, rng)
        )
    )
    if Feature.SOFT_TISSUE_MASS in finding.features:
        layers += _mass(region, Change.INFECTION, rng)
    return tuple(layers)


def _variant(finding: Finding, region: Region, rng: np.random.Generator) -> tuple[Layer, ...]:
    """Harmless changes of a normal level."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    if finding.variant is Variant.SCHMORL_NODE:
        return (_node(region, side, rng),)
    if finding.variant is Variant.FATTY_ENDPLATE:
        return (_band(region, side, rng.uniform(0.12, 0.3), Change.FAT, finding.activity, rng),)
    if finding.variant is Variant.OEDEMATOUS_ENDPLATE:
        return (_band(region, side, rng.uniform(0.1, 0.25), Change.MODIC_OEDEMA, finding.activity, rng),)
    if finding.variant is Variant.FAT_ISLAND:
        return (_focus(region, 0.3 * finding.extent + 0.1, Change.FAT, finding.activity * 0.7, rng),)
    return ()


def _node(region: Region, side: float, rng: np.random.Generator) -> Layer:
    """Disc material pressed through an endplate (Schmorl)."""
    wide, high, at = rng.uniform(0.14, 0.3), rng.uniform(0.15, 0.35), rng.uniform(-0.4, 0.3)
    sideways = region.w if region.body.shape[0] > 1 else np.zeros_like(region.w)
    radius = np.sqrt(((region.v - at) / wide) ** 2 + ((region.u - side) / high) ** 2 + (sideways / 0.4) ** 2)
    share = region.body * np.clip((1.05 - radius) / 0.25, 0, 1)
    return Layer(share.astype(np.float32), Change.NODE.draw(rng), grain=0.08 * region.noise(2.5, rng))


def _diffuse(
    region: Region, change: Change, activity: float, rng: np.random.Generator, *, nodular: bool = False
) -> Layer:
    """Over three quarters of the body; ``nodular``: salt and pepper grain of myeloma."""
    gaps = np.clip(1.05 - 0.35 * np.maximum(region.noise(7, rng) - 0.8, 0), 0.45, 1)
    grain = (0.16 if nodular else 0.07) * region.noise(1.6 if nodular else 3.0, rng)
    share = region.body * gaps * activity
    return Layer(share.astype(np.float32), change.draw(rng), grain=grain.astype(np.float32))


def _band(
    region: Region, side: float, depth: float, change: Change, activity: float, rng: np.random.Generator
) -> Layer:
    """A band along the endplate at ``u = side``, ``depth`` of the height deep, with a soft wavy edge."""
    distance = (1 - region.u * side) / 2 + 0.06 * region.noise(8, rng)
    share = region.body * np.clip((depth - distance) / 0.14, 0, 1) * activity
    return Layer(share.astype(np.float32), change.draw(rng), grain=0.06 * region.noise(2.5, rng))


def _line(region: Region, side: float, rng: np.random.Generator) -> Layer:
    """A fracture line or band of impacted bone, roughly parallel to the endplate."""
    at = side * rng.uniform(0.25, 0.6) + rng.uniform(-0.2, 0.2) * region.v + 0.07 * region.noise(7, rng)
    width = rng.uniform(0.9, 2.0) * region.frame.px_per_mm / (region.frame.height / 2)
    share = (
        region.body * np.exp(-(((region.u - at) / width) ** 2)) * np.clip(5 * (0.92 - np.abs(region.v)), 0, 1)
    )
    return Layer(share.astype(np.float32), Change.LINE.draw(rng))


def _cleft(region: Region, side: float, rng: np.random.Generator) -> Layer:
    """A fluid cleft, now and then with gas (vacuum), under the broken endplate."""
    centre = (side * rng.uniform(0.3, 0.55), rng.uniform(-0.5, 0.1))
    wide, high = rng.uniform(0.35, 0.6), rng.uniform(0.12, 0.22)
    radius = np.hypot((region.v - centre[1]) / wide, (region.u - centre[0]) / high) + 0.12 * region.noise(
        4, rng
    )
    change = Change.GAS if rng.random() < 0.3 else Change.FLUID
    return Layer((region.body * np.clip((1.05 - radius) / 0.25, 0, 1)).astype(np.float32), change.draw(rng))


def _blob(region: Region, radius: float, rng: np.random.Generator, *, sharp: float) -> FloatField:
    """An irregular round focus of ``radius`` (share of the body), inside the body."""
    cu, cv, cw = rng.uniform(-0.45, 0.45, 3)
    cw = cw if region.body.shape[0] > 1 else 0.0
    ratio = region.frame.height / region.frame.depth
    distance = np.sqrt(((region.u - cu) * ratio) ** 2 + (region.v - cv) ** 2 + (region.w - cw) ** 2)
    distance = distance + 0.09 * region.noise(6, rng)
    return np.asarray(region.body * np.clip((radius * 1.4 - distance) / sharp + 0.5, 0, 1), dtype=np.float32)


def _focus(region: Region, radius: float, change: Change, activity: float, rng: np.random.Generator) -> Layer:
    share = _blob(region, max(radius, 0.2), rng, sharp=0.14) * np.float32(activity)
    return Layer(share, change.draw(rng), grain=0.07 * region.noise(2.5, rng))


def _partial(
    region: Region, extent: float, change: Change, activity: float, rng: np.random.Generator
) -> Layer:
    """Ill-defined replacement of part of the body, mostly behind, where metastases begin."""
    edge = region.v + 0.5 * region.noise(9, rng) + rng.uniform(-0.4, 0.4) * region.u
    share = region.body * np.clip((edge - (0.75 - 1.6 * extent)) / 0.35, 0, 1) * activity
    return Layer(share.astype(np.float32), change.draw(rng), grain=0.07 * region.noise(2.5, rng))


def _mass(region: Region, change: Change, rng: np.random.Generator) -> list[Layer]:
    """Soft tissue beside the body: behind it in the epidural space, or in front of it."""
    size = rng.uniform(4, 8) * region.frame.px_per_mm / (region.frame.depth / 2)
    behind = rng.random() < 0.65
    away = (region.v if behind else -region.v) - 1
    thickness = size * np.clip(1 - (region.u / rng.uniform(1.0, 1.4)) ** 2, 0, 1)
    thickness = thickness * np.clip(1.3 - np.abs(region.w), 0, 1) * (1 + 0.15 * region.noise(5, rng))
    share = np.clip((thickness - away) / 0.1, 0, 1) * np.clip((away + 0.18) / 0.12, 0, 1)
    share = share * (1 - region.body) * ~region.others * (thickness > 0.02)
    grain = 0.1 * region.noise(2.5, rng)
    return [Layer(share.astype(np.float32), change.draw(rng), replaces=True, grain=grain.astype(np.float32))]


def _posterior(region: Region, change: Change, rng: np.random.Generator) -> list[Layer]:
    """Pedicle and arch of one side; only where the tissue behind the body is known (phantom)."""
    if region.tissue is None:
        return []
    bone = region.tissue == Tissue.POSTERIOR_MARROW
    side = 1.0 if rng.random() < 0.5 else -1.0
    near = (region.v > 0.8) & (region.w * side > 0.1) & (np.abs(region.u) < 1.3)
    share = gaussian_filter((bone & near).astype(np.float32), (0.5, 0.6, 0.6))
    return [Layer(share, change.draw(rng), grain=0.08 * region.noise(2.5, rng))]
