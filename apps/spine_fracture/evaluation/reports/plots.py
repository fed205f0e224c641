"""Curves of a report as pictures in ``data:`` URIs, so that a page needs nothing beside it.

The one module that knows matplotlib. Drawn without pyplot, so that nothing is kept between pictures and
no screen is asked for.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spine_fracture.evaluation.cases.binary import BinaryResult
    from spine_fracture.evaluation.detection.judging import DetectionResult

#: Told apart by the colour-blind too (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b6470")
_QUIET, _GRID = "#5b6470", "#dfe4ea"
_SIZE = (4.5, 4.0)  # inches


@dataclass(frozen=True)
class Plot:
    """``picture`` is a data URI of an SVG; ``alt`` says in words what is drawn."""

    title: str
    picture: str
    alt: str


def roc_plot(results: Sequence[tuple[str, BinaryResult]]) -> Plot:
    """One curve for each named result, its operating point marked. It is straight between two thresholds, as
    ties count half in the AUC.
    """
    figure, axes = _canvas("1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=":")
    for colour, (name, result) in zip(_colours(len(results)), results, strict=True):
        if result.auc is None:
            continue
        axes.plot(
            [point.false_positives for point in result.roc],
            [point.true_positives for point in result.roc],
            color=colour,
            label=f"{name}, AUC {result.auc.value:.3f}",
        )
        if result.specificity and result.sensitivity:
            axes.plot(1 - result.specificity.value, result.sensitivity.value, "o", color=colour, markersize=5)
    _unit_square(axes)
    return _drawn(figure, "ROC", "ROC curves; dots are the operating points")


def reliability_plot(results: Sequence[tuple[str, BinaryResult]]) -> Plot:
    """Observed against predicted share of positives; the size of a dot is that of its bin."""
    figure, axes = _canvas("predicted", "observed")
    axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=":")
    for colour, (name, result) in zip(_colours(len(results)), results, strict=True):
        bins = result.reliability
        predicted, observed = [b.predicted for b in bins], [b.observed for b in bins]
        axes.plot(predicted, observed, color=colour, label=f"{name}, ECE {result.ece:.3f}")
        axes.scatter(
            predicted, observed, s=[8 + 160 * b.cases / result.cases for b in bins], color=colour, alpha=0.6
        )
    _unit_square(axes)
    return _drawn(figure, "Reliability", "Observed against predicted share of positives")


def decision_plot(results: Sequence[tuple[str, BinaryResult]]) -> Plot:
    """Net benefit over threshold probabilities, against treating nobody and, dashed in the curve's colour,
    everybody: what that is worth depends on how many of the cases are positive.
    """
    figure, axes = _canvas("threshold probability", "net benefit a case")
    axes.axhline(0, color=_QUIET, linewidth=1, linestyle=":", label="nobody")
    axes.plot([], [], color=_QUIET, linewidth=1, linestyle="--", label="everybody, of each")
    for colour, (name, result) in zip(_colours(len(results)), results, strict=True):
        at, curve = [b.probability for b in result.decision], result.decision
        axes.plot(at, [b.treat_all for b in curve], color=colour, linewidth=1, linestyle="--")
        axes.plot(at, [b.model for b in curve], color=colour, label=name)
    most = max(b.model for _, result in results for b in result.decision)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.1, max(most * 1.1, 0.05))
    return _drawn(figure, "Decision curve", "Net benefit over threshold probabilities")


def froc_plot(results: Sequence[tuple[str, DetectionResult]]) -> Plot:
    """Sensitivity against false positives a picture, with a band by patient."""
    figure, axes = _canvas("false positives a picture", "sensitivity")
    for colour, (name, result) in zip(_colours(len(results)), results, strict=True):
        prices = [point.false_positives for point in result.froc]
        axes.plot(
            prices, [p.sensitivity.value for p in result.froc], "o-", color=colour, markersize=4, label=name
        )
        axes.fill_between(
            prices,
            [p.sensitivity.low for p in result.froc],
            [p.sensitivity.high for p in result.froc],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    ticks = [point.false_positives for point in results[0][1].froc]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(0, 1.02)
    return _drawn(figure, "FROC", "Sensitivity against false positives a picture")


def _colours(count: int) -> list[str]:
    return [COLOURS[at % len(COLOURS)] for at in range(count)]


def _canvas(across: str, up: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(across, color=_QUIET)
    axes.set_ylabel(up, color=_QUIET)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, labelsize=8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_GRID)
    return figure, axes


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)


def _drawn(figure: Figure, title: str, alt: str) -> Plot:
    from matplotlib import rc_context

    figure.legend(loc="outside lower left", ncols=2, fontsize=8, frameon=False)  # curves may go anywhere
    buffer = io.BytesIO()
    # Without a date and with a fixed salt the same figures give the same bytes; text is drawn as curves.
    with rc_context({"svg.hashsalt": "spine_fracture", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return Plot(title, f"data:image/svg+xml;base64,{encoded}", alt)
