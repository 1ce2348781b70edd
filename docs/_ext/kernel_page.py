"""What a log-sigmoid kernel must return, on one page, at generated/kernel.html: every number from `oracle.bounds`."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from written import table

from oracle import FORMATS, Format, Real, bounds
from oracle.bounds.kernel import parts

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOGITS = (0.0, 1.0, -1.0, 17.0, -17.0, 88.5, -88.5, 104.0, -104.0)
"""Numbers of every format: around 0; where σ(z) rounds to 1 in binary32; where e^−z overflows there; where f underflows."""
DTYPES = {"binary16": "fp16", "bfloat16": "bf16", "binary32": "fp32", "binary64": "fp64"}


def page() -> str:
    """The page, in MyST Markdown."""
    return "\n".join(
        [
            "# What a kernel must return",
            "",
            "For who writes the log-sigmoid itself, in CUDA, Triton, C++ or by hand. Every number on this page is made from",
            "`oracle.bounds` when the site is built; [the bounds](../bounds.md) derive them.",
            "",
            "The kernel is f(z) = log(1 + e^−z), and its derivative is −σ(−z). It is judged at logits z that are numbers of",
            "the format, with β = 1: every one of the 16-bit formats, drawn and chosen ones of the wide ones, and every",
            "float32 by `dpo-conformance sweep`. An error is in ulps of the unrounded exact value, 0.5 being correct rounding.",
            "",
            "## The bounds",
            "",
            "With u = 2^−p, f the exact value and s = σ(−z), the MUST is, relative to f and to s, at most about",
            "",
            *table(("format", "u", "of the value", "of the derivative", "SHOULD, ulp", "f rounds to 0 from z ="), _limits()),
            "",
            "and sharper where z is large. 2u|z| (1 − s) of s and 2u|z| s/f of f come to it, for an exponential by exp2 of a",
            "product, and where z < 0 at most u|z| of s, for a derivative by the exponential of a difference (KERNEL-1,",
            "KERNEL-2). The SHOULD holds besides (KERNEL-3, KERNEL-4); an ulp is at most 2u of the value. Where the exact",
            "value is subnormal, 0 is accepted too; a kernel that is otherwise off there declares",
            '`subnormals="flush"`.',
            "",
            "## What the parts may err",
            "",
            "The bounds are those of max(−z, 0) + log1p(exp(−|z|)) and its kin, each operation in the format, with parts that",
            "err by this much, in ulps:",
            "",
            *table(("format", "exp, exp2", "log1p", "division"), _parts()),
            "",
            "(0.5: computed in binary32 and rounded.) CUDA states 2 ulp for `expf` and 1 for `log1pf`. `__expf`, which",
            "`--use_fast_math` puts in its place, states 2 + ⌊1.173 · |x|⌋, which is 104 at z = 87.",
            "[What CUDA may change](../cuda.md) has the worst that these permit.",
            "",
            "What does not keep to it in any format: log(σ(z)), which is 0 and ∞ far too early",
            "([exact thresholds](../gap.md#the-thresholds-to-cite)); log(1 + exp(−z)), which is 0 where 1 + e^−z rounds to 1,",
            "and ∞ where e^−z overflows; a softplus with a threshold; a clamp.",
            "",
            "## At these logits",
            "",
            "Bits are hexadecimal. Any number from the least to the greatest conforms to the MUST; that no loss is negative is",
            "asked besides (DEF-3). The derivative in the chosen log-probability is −s, in the rejected one s.",
            *(line for fmt in FORMATS for line in _values(fmt)),
            "",
            "## At the ends",
            "",
            *table(
                ("z", "f", "derivative in z", "clause"),
                [
                    ("+∞", "0", "0", "SPECIAL-2, SPECIAL-5"),
                    ("−∞", "∞, never NaN", "−1", "SPECIAL-1, SPECIAL-5"),
                    ("NaN", "NaN", "NaN", "SPECIAL-3"),
                    ("every finite z", "finite: |z| + 1 is representable or rounds to it", "in [−1, 0]", "KERNEL-1, KERNEL-2"),
                ],
            ),
            "",
            "## For a pair, not a logit",
            "",
            "How far the whole loss may be off depends on the pair: what cancels in the margin is lost.",
            "`dpo-conformance oracle -10 -12 -11 -11 --dtype bf16` prints what correct code may return there, for the loss and",
            "for each derivative; `dpo-conformance ulp GOT EXACT bf16` prints the error of one number.",
            "",
        ]
    )


def _limits() -> list[tuple[str, ...]]:
    rows = []
    for fmt in FORMATS:
        part, u = parts(fmt), fmt.unit_roundoff
        value, slope = (f"{whole:g}u = {whole * u:.3g}" for whole in (part.loss, part.slope))
        rows.append((fmt.name, f"2^−{fmt.precision}", value, slope, f"{bounds.KERNEL_SHOULD:g}", repr(_vanishes(fmt))))
    return rows


def _parts() -> list[tuple[str, ...]]:
    return [(fmt.name, *(f"{roundoffs / 2:g}" for roundoffs in astuple(parts(fmt)))) for fmt in FORMATS]


def _vanishes(fmt: Format) -> float:
    """The first logit whose loss rounds to 0: e^-z is half the least positive number, found among the format's numbers."""
    low, high = 0, int(fmt.ordinals(fmt.round_array(2.0 * (fmt.precision - fmt.emin))))
    while high - low > 1:
        middle = (low + high) // 2
        zero = Real.softplus(-float(fmt.from_ordinals(middle))).round(fmt) == 0
        low, high = (low, middle) if zero else (middle, high)
    return float(fmt.from_ordinals(high))


def _values(fmt: Format) -> list[str]:
    rows = []
    for z in LOGITS:
        for name, function, accepted in (("f", Real.softplus, bounds.kernel_losses), ("s", Real.sigmoid, bounds.kernel_slopes)):
            exact, acceptance = function(-z), accepted(np.array([z]), fmt)
            low, high = (max(float(end[0]), 0.0) for end in bounds.accepted_numbers(acceptance))
            cells = (_shown(x, fmt) for x in (exact.round(fmt), low, high))
            rows.append((f"{z:g}" if name == "f" else "", name, exact.digits(12), *cells))
    head = ("z", "", "exact", "correctly rounded", "least", "greatest")
    return ["", f"### {fmt.name} ({DTYPES[fmt.name]})", "", *table(head, rows)]


def _shown(x: float, fmt: Format) -> str:
    return f"{x!r} `{int(fmt.encode(np.array([x]))[0]):0{fmt.width // 4}x}`"


def setup(app: Sphinx) -> dict[str, Any]:
    """Writes the page before Sphinx looks for its sources."""

    def write(_: object) -> None:
        folder = Path(app.srcdir) / "generated"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernel.md").write_text(page(), encoding="utf-8")

    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
