"""Two figures: the error of both forms of the loss over the logit, and the loss over the margin for several betas."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import oracle
from conformance.errors import BadRequest, ConformanceError
from conformance.files import write_whole
from conformance.gap.measurement import Curve, FormatGap, Gap
from oracle import Format

BETAS = (0.01, 0.1, 0.5, 1.0)
"""The betas of the sensitivity figure."""
MARGINS = (-5, 5)
POINTS = 201

# Okabe and Ito's palette: told apart by readers with any of the common colour blindnesses
_VERMILLION, _ORANGE, _BLUE, _GREEN, _BLACK = "#D55E00", "#E69F00", "#0072B2", "#009E73", "#000000"
_STYLES = {
    "numpy-naive": (_VERMILLION, "-"),
    "torch-naive": (_ORANGE, "--"),
    "numpy": (_BLUE, "-"),
    "torch": (_GREEN, "--"),
}
_OTHERS = (("#CC79A7", "-."), ("#56B4E9", "-."), (_BLACK, "-."), ("#F0E442", "-."))
_MARKED = {"loss-zero": "loss 0", "loss-infinite": "loss inf"}
_FORMS = {
    "numpy-naive": "numpy-naive, log of sigmoid",
    "torch-naive": "torch-naive, log of sigmoid",
    "numpy": "numpy, log-sigmoid",
    "torch": "torch, log-sigmoid",
}


class MissingMatplotlib(ConformanceError):
    """A figure was asked for and matplotlib is not installed."""


def new_figure(**keywords: Any) -> Any:
    """A figure that no window and no global state knows. Raises MissingMatplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = "a figure needs matplotlib: pip install 'dpo-conformance[plot]'"
        raise MissingMatplotlib(message) from error
    return Figure(layout="constrained", **keywords)


def check(path: Path) -> None:
    """Raises MissingMatplotlib, and BadRequest for a suffix that matplotlib cannot write."""
    known = sorted(new_figure().canvas.get_supported_filetypes())
    if path.suffix.removeprefix(".") not in known:
        raise BadRequest(f"{path}: a figure is one of {', '.join(known)}")


def save(figure: Any, path: str | Path) -> None:
    """Write the figure, whole or not at all, in the form that the suffix names, or as PNG. Raises OSError."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=150, format=Path(path).suffix.removeprefix(".") or "png")
    write_whole(Path(path), drawn.getvalue())


# -- the gap -----------------------------------------------------------------------------------------------------------


def plot_gap(data: Gap, path: str | Path) -> None:
    """Worst error of the loss in ulps over |z|, a row a format, z < 0 on the left; thresholds are marked.

    The suffix is the form of the file (png, svg, pdf). Raises MissingMatplotlib, and OSError.
    """
    figure = new_figure(figsize=(11, 3.0 * len(data.formats) + 1.2))
    grid = figure.subplots(len(data.formats), 2, sharey="row", squeeze=False)
    for (left, right), gap in zip(grid, data.formats, strict=True):
        _draw_side(left, gap, -1)
        _draw_side(right, gap, 1)
    grid[0][0].set_title("z < 0: the rejected response is preferred", fontsize=11)
    grid[0][1].set_title("z > 0: the chosen response is preferred", fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("logit z, logarithmic")
    figure.supxlabel("errors below 0.25 ulp are drawn at 0.25, infinite losses at 2^(p + 4) ulps", fontsize=9)
    lines, names = grid[0][1].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=min(len(names), 4), frameon=False)
    save(figure, path)


def _draw_side(axes: Any, gap: FormatGap, side: int) -> None:
    top = 2.0 ** (gap.format.precision + 4)
    _dress(axes, gap.format, side, top)
    curves = [curve for curve in gap.curves if curve.logits and curve.logits[0] * side > 0]
    for index, curve in enumerate(curves):
        colour, dashes = _STYLES.get(curve.implementation, _OTHERS[index % len(_OTHERS)])
        label = _FORMS.get(curve.implementation, curve.implementation)
        sizes = [abs(z) for z in curve.logits]
        axes.plot(sizes, _held(curve, top), color=colour, linestyle=dashes, linewidth=1.7, label=label)
    _mark(axes, gap, side)


def _dress(axes: Any, fmt: Format, side: int, top: float) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(0.2, top * 16)
    axes.set_xlim(0.07, 2.0 * (fmt.precision - fmt.emin))
    axes.xaxis.set_major_formatter(lambda x, _: f"{side * x:g}".replace("-", "\N{MINUS SIGN}"))
    axes.grid(which="major", color="#dddddd", linewidth=0.6)
    axes.axhline(1.0, color=_BLACK, linewidth=0.9, linestyle=":")
    if side < 0:
        axes.invert_xaxis()
        axes.set_ylabel(f"{fmt.name}, p = {fmt.precision}\nworst error, ulps")
    place, align = (0.995, "right") if side > 0 else (0.005, "left")
    axes.annotate("1 ulp", (place, 1.2), xycoords=("axes fraction", "data"), ha=align, fontsize=8)


def _held(curve: Curve, top: float) -> list[float]:
    """Errors for a logarithmic axis: exact ones lifted to its foot, infinite losses held at its top."""
    return [min(max(error, 0.25), top) for error in curve.errors]


def _mark(axes: Any, gap: FormatGap, side: int) -> None:
    """A line at every measured threshold of the loss, and whose it is."""
    notes = []
    for threshold in gap.thresholds:
        name = _MARKED.get(threshold.question.key)
        if name is None or threshold.question.side != side:
            continue
        for logit in sorted({m.logit for m in threshold.measured if m.logit is not None}, key=abs):
            axes.axvline(abs(logit), color=_BLACK, linewidth=0.9, linestyle=(0, (1, 3)))
            names = ", ".join(m.implementation for m in threshold.measured if m.logit == logit)
            notes.append(f"{name} from {logit:.6g}: {names}".replace(" -", " \N{MINUS SIGN}"))
    place, align = (0.02, "left") if side > 0 else (0.98, "right")
    axes.text(place, 0.96, "\n".join(notes), transform=axes.transAxes, ha=align, va="top", fontsize=9)


# -- beta --------------------------------------------------------------------------------------------------------------


def plot_beta(path: str | Path) -> None:
    """The exact loss softplus(-beta * margin) over margins from -5 to 5 nats; every beta gives log 2 at margin 0.

    Each point is the oracle's value, rounded once to binary64. Raises MissingMatplotlib, and OSError.
    """
    figure = new_figure(figsize=(7.2, 4.8))
    axes = figure.subplots()
    low, high = MARGINS
    margins = [low + Fraction(high - low, POINTS - 1) * i for i in range(POINTS)]
    for beta, (colour, dashes) in zip(BETAS, _STYLES.values(), strict=True):
        losses = [float(oracle.Real.softplus(-Fraction(str(beta)) * margin)) for margin in margins]
        axes.plot([float(m) for m in margins], losses, color=colour, linestyle=dashes, linewidth=2, label=f"β = {beta:g}")
    axes.plot([0], [math.log(2)], "o", color=_BLACK, markersize=5)
    axes.annotate("ln 2 ≈ 0.6931", (0, math.log(2)), xytext=(10, 10), textcoords="offset points")
    axes.set_xlim(low, high)
    axes.set_ylim(0, None)
    axes.set_xlabel("margin (nats)")
    axes.set_ylabel("loss (nats)")
    axes.set_title("DPO loss over the margin, exact values", fontsize=11)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)
    save(figure, path)
