"""What a log-sigmoid kernel must return, on one page, at generated/kernel.html: every number from `oracle.bounds`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from written import table

import oracle
from oracle import FORMATS, Format, Real, bounds

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
            *table(("format", "MUST, ulp", "that is, relative", "SHOULD, ulp", "f(z) rounds to 0 from z ="), _limits()),
            "",
            "The MUST holds for the value (KERNEL-1) and for the derivative (KERNEL-2), the SHOULD for both again (KERNEL-3,",
            "KERNEL-4). Relative: 2Ku at the most, just below a power of two. Where an exact value is subnormal, an ulp is the",
            'least positive number; a kernel that flushes those to 0 says so by `subnormals="flush"`, and is not judged there.',
            "",
            "## What an exp and a log1p may err",
            "",
            "max(−z, 0) + log1p(exp(−|z|)), each operation in the format, with an exp and a log1p of k ulp each, is within",
            "3k + 1/2 ulp, to first order ([derived](../bounds.md#the-kernels-own-bounds)). So k = (MUST − 1/2) / 3 suffices:",
            "",
            *table(("format", "k, ulp, at the most"), [(f.name, f"{(bounds.kernel_must(f) - 0.5) / 3:.2f}") for f in FORMATS]),
            "",
            "CUDA states 2 ulp for `expf` and 1 for `log1pf`. `__expf`, which `--use_fast_math` puts in its place, states",
            "2 + ⌊1.173 · |x|⌋, which is 104 at z = 87. [What CUDA may change](../cuda.md) has the worst that these permit.",
            "",
            "What does not keep to it in any format: log(σ(z)), which is 0 and ∞ far too early",
            "([exact thresholds](../gap.md#the-thresholds-to-cite)); log(1 + exp(−z)), which is 0 where 1 + e^−z rounds to 1,",
            "and ∞ where e^−z overflows; a softplus with a threshold; a clamp.",
            "",
            "## At these logits",
            "",
            "Bits are hexadecimal. Any number from the least to the greatest conforms to the MUST; that no loss is negative is",
            "asked besides (DEF-3).",
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
        must = bounds.kernel_must(fmt)
        first = _vanishes(fmt)
        relative = f"{2 * must * fmt.unit_roundoff:.3g}"
        rows.append((fmt.name, f"{must:g}", relative, f"{bounds.KERNEL_SHOULD:g}", f"{first!r}"))
    return rows


def _vanishes(fmt: Format) -> float:
    """The first logit whose loss rounds to 0: e^-z is half the least positive number, found among the format's numbers."""
    low, high = 0, int(fmt.ordinals(fmt.round_array(2.0 * (fmt.precision - fmt.emin))))
    while high - low > 1:
        middle = (low + high) // 2
        zero = Real.softplus(-float(fmt.from_ordinals(middle))).round(fmt) == 0
        low, high = (low, middle) if zero else (middle, high)
    return float(fmt.from_ordinals(high))


def _values(fmt: Format) -> list[str]:
    must, rows = bounds.kernel_must(fmt), []
    for z in LOGITS:
        logps = (0.0, -z, 0.0, 0.0) if z >= 0 else (z, 0.0, 0.0, 0.0)
        value, slope = oracle.loss(*logps, beta=1.0), oracle.gradient(*logps, beta=1.0).policy_chosen
        for name, exact in (("f", value), ("f′", slope)):
            assert isinstance(exact, Real)
            low, high = bounds.within_ulps(exact, must, fmt)
            low = max(low, 0.0) if name == "f" else low
            rows.append(
                (
                    f"{z:g}" if name == "f" else "",
                    name,
                    exact.digits(12),
                    *(_shown(x, fmt) for x in (exact.round(fmt), low, high)),
                )
            )
    head = ("z", "", "exact", "correctly rounded", "least", "greatest")
    return ["", f"### {fmt.name} ({DTYPES[fmt.name]})", "", *table(head, rows)]


def _shown(x: float, fmt: Format) -> str:
    import numpy as np  # noqa: PLC0415 - one number at a time

    return f"{x!r} `{int(fmt.encode(np.array([x]))[0]):0{fmt.width // 4}x}`"


def setup(app: Sphinx) -> dict[str, Any]:
    """Writes the page before Sphinx looks for its sources."""

    def write(_: object) -> None:
        folder = Path(app.srcdir) / "generated"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernel.md").write_text(page(), encoding="utf-8")

    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
