"""How a detector is trained: one YAML, checked."""

from __future__ import annotations

from spine_fracture.configuration import Config


class Geometry(Config):
    """How far a picture may be turned, sized and moved; drawn anew each time it is seen.

    ``turn`` and ``shear`` are spreads in degrees (normal, cut at three spreads). ``scale`` is the
    range of magnification (log-uniform), ``small`` the chance of the range ``small_scale`` instead
    (whole-spine fields of view), ``shift`` the greatest move as a share of the side, ``slip`` the
    greatest move of T1 against T2 in pixels.
    """

    turn: float = 6.0
    shear: float = 2.0
    scale: tuple[float, float] = (0.8, 1.25)
    small: float = 0.2
    small_scale: tuple[float, float] = (0.4, 0.8)
    shift: float = 0.12
    slip: float = 1.0


class Signal(Config):
    """How far grey levels may change; each channel by itself.

    ``gamma`` spread of log gamma; ``gain`` spread of the log gain; ``bias`` greatest relative
    shading across the picture; ``noise`` greatest standard deviation; ``blur`` greatest width in pixels.
    ``only_t1`` and ``only_t2`` are the chances that the other channel is left out.
    """

    gamma: float = 0.25
    gain: float = 0.15
    bias: float = 0.3
    noise: float = 0.04
    blur: float = 0.8
    only_t1: float = 0.25
    only_t2: float = 0.25


class FieldOfView(Config):
    """Chances that a picture is cut: above its highest known vertebra, further down, or from below."""

    at_top: float = 0.3
    lower: float = 0.15
    from_below: float = 0.1


class Schedule(Config):
    """AdamW, linear warm-up and cosine to ``final`` of ``learning_rate``; running mean of weights.

    ``steps`` batches of ``batch``; ``averaging`` is the decay of the mean that is kept. The last
    ``calm`` share of the steps is trained without field-of-view cuts and with half the geometry.
    """

    steps: int = 3000
    batch: int = 16
    learning_rate: float = 2e-3
    final: float = 0.02
    warm_up: int = 100
    weight_decay: float = 5e-4
    averaging: float = 0.998
    checkpoint_minutes: float = 3.0
    calm: float = 0.15


class Sources(Config):
    """What is shown, and how often.

    ``phantoms`` of ``recipe`` with ``slices`` each teach, ``held_out`` others are only scored.
    ``lesions`` pictures with simulated findings are made of each real training pair. The shares
    say what a batch is drawn from; real pairs as they are make up the rest. ``workers`` processes
    make the phantoms.
    """

    recipe: str = "phantoms/training"
    phantoms: int = 0
    slices: int = 5
    held_out: int = 0
    lesions: int = 0
    phantom_share: float = 0.35
    lesion_share: float = 0.2
    workers: int = 2


class DetectorConfig(Config):
    """The whole of ``configs/detectors/*.yaml``.

    ``size`` is the side of the square canvas that teaches. Pictures are read somewhat larger, with the
    area of a square of side ``reading_size``: random magnification makes bodies look larger in training
    than they are (Touvron et al. 2019). ``notes`` are printed on the model card.
    """

    name: str = "yolo11n"
    layout: str = "yolo11n"
    size: int = 384
    reading_size: int = 416
    seed: int = 1
    geometry: Geometry = Geometry()
    signal: Signal = Signal()
    field_of_view: FieldOfView = FieldOfView()
    schedule: Schedule = Schedule()
    sources: Sources = Sources()
    notes: str = ""
