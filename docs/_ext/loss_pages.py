"""A page for each loss, at losses/NAME.html, and their comparison with a figure: from the losses themselves, at build time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from written import table, write_pages

from conformance.reports.losses import COVERED, page, text
from oracle import losses
from oracle.bounds import centre
from oracle.expressions.arrays import Arrays
from oracle.losses import LENGTHS, LOSSES, Loss
from oracle.losses._evaluate import slope

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REFERENCE, REJECTED, LENGTH = -10.0, -15.0, 10.0
SPAN = np.linspace(-60.0, 60.0, 241)
"""Chosen log-ratios of the figure, in nats."""
HUGE = 1e4
"""A value above which a panel shows no more than `SHOWN` of it."""
SHOWN = 12.0


def curves(loss: Loss) -> tuple[Any, Any]:
    """Value and slope in the chosen log-probability while the chosen log-ratio runs over SPAN and the rest stays; a policy
    without a reference stays below 0.
    """
    n = SPAN.size
    rows = {name: np.full(n, LENGTH if name in LENGTHS else REFERENCE) for name in loss.inputs}
    if "policy_rejected_logps" in rows:
        rows["policy_rejected_logps"] = np.full(n, REJECTED)
    free = "ref_chosen_logps" not in loss.inputs
    rows["policy_chosen_logps"] = np.where(SPAN < -REFERENCE, REFERENCE + SPAN, np.nan) if free else REFERENCE + SPAN
    arrays = Arrays(rows, {parameter.name: parameter.read(parameter.default) for parameter in loss.parameters})
    return centre(arrays.ball(loss.definition)), centre(arrays.ball(slope(loss, "policy_chosen_logps")))


def drawn() -> list[Loss]:
    """The losses of one pair that take the chosen response."""
    return [x for x in LOSSES.values() if not x.has_batch_state and "policy_chosen_logps" in x.inputs]


def figure(path: Path) -> None:
    """Value, and slope, of each loss over the chosen log-ratio, in small panels."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where the site is built

    shown = drawn()
    columns = 5
    picture = Figure(figsize=(11, 1.9 * -(-len(shown) // columns)), layout="constrained")
    for place, loss in enumerate(shown):
        axes = picture.add_subplot(-(-len(shown) // columns), columns, place + 1)
        value, derivative = curves(loss)
        axes.plot(SPAN, value, color="#0072B2", linewidth=1.2)
        if np.nanmax(value) > HUGE:
            axes.set_ylim(0, SHOWN)
        axes.set_title(loss.name, fontsize=8)
        axes.tick_params(labelsize=6)
        other = axes.twinx()
        other.plot(SPAN, derivative, color="#D55E00", linewidth=1, linestyle="--")
        if np.nanmax(value) > HUGE:
            other.set_ylim(-2, 0)
        other.tick_params(labelsize=6)
    picture.savefig(path, dpi=110)


def index() -> str:
    """All losses beside each other."""
    rows = []
    for loss in LOSSES.values():
        exact = losses.mean(loss, **_common(), **{name: str(x) for name, x in loss.defaults.items()}).digits(12)
        bound = "none given" if loss.facts.lower_bound is None else f"`{text(loss.facts.lower_bound)}`"
        at = "" if loss.facts.at_reference is None else f"`{text(loss.facts.at_reference)}`"
        covered = {"": "bounded effort", "extended": "by the extension"}.get(loss.covered, "covered")
        rows.append((f"[{loss.name}]({loss.name}.md)", f"`{text(loss.definition)}`", exact, bound, at, covered))
    head = ("loss", "definition", "on the six pairs", "at least", "policy = reference", "exactness")
    lines = [
        "# The losses, beside each other",
        "",
        f"{len(LOSSES)} losses, each defined once; a name is ours where the field's name is ambiguous, and each page says",
        "which library calls it what. The third column is the exact mean over the six pairs of [any loss](../any-loss.md), at",
        "the defaults. Exactness says what [termination](../termination.md) proves of it.",
        "",
        *table(head, rows),
        "",
        "![Value (solid, left scale) and slope in the chosen log-probability (dashed, right scale) of each loss of one pair, "
        "over the chosen log-ratio from -60 to 60 nats, with a reference of -10; without one, over the chosen log-probability "
        "plus 10. The rejected log-ratio is -5, the lengths are 10, the parameters the defaults]"
        "(../generated/losses.png)",
        "",
        "```{toctree}",
        ":hidden:",
        "",
        *LOSSES,
        "```",
    ]
    return "\n".join(lines) + "\n"


def _common() -> dict[str, Any]:
    from conformance.inputs.losses import common  # noqa: PLC0415

    return dict(common().rows)


def pages() -> dict[str, str]:
    """All of them, by name."""
    assert set(COVERED) >= {loss.covered for loss in LOSSES.values()}
    return {"index": index()} | {loss.name: page(loss) for loss in LOSSES.values()}


def setup(app: Sphinx) -> dict[str, Any]:
    """Writes the pages and the figure before Sphinx looks for its sources."""
    docs = Path(app.srcdir)

    def written(_: Sphinx) -> None:
        write_pages(docs / "losses", pages())
        (docs / "generated").mkdir(exist_ok=True)
        figure(docs / "generated" / "losses.png")

    app.connect("builder-inited", written)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
