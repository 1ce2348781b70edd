"""The price of a number: judged, enclosed, and by other libraries."""

from __future__ import annotations

import mpmath
import numpy as np

from benchmarks.timing import Row, Timed, chosen, installed
from oracle import bfloat16, binary16, binary32, binary64, enclosure, judging

COUNT = 1 << 20
BLOCK, BLOCKS = 1 << 15, "in blocks of 2¹⁵"
"""As a sweep judges: what is returned stays in the cache."""
FEW = 4000
"""Elements for the contenders that take microseconds each."""
BITS = 120
PLAIN = "plain float64 log1p(exp(-z)), no certificate"
WAYS = ((True, "compiled"), (False, "NumPy"))


def judged(rounds: int) -> tuple[str, list[Row]]:
    """A returned loss judged, beside the loss computed in other ways. Compiled: with the extra `fast`."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=COUNT) * 10
    timed = Timed(rounds)
    timed.add(PLAIN, lambda: np.log1p(np.exp(-z)), COUNT)
    exact = enclosure.exact(z)
    for use, way in WAYS:
        for fmt in (bfloat16, binary16, binary32, binary64):
            logits = fmt.round_array(z)
            losses, slopes = fmt.round_array(np.log1p(np.exp(-logits))), fmt.round_array(1 / (1 + np.exp(logits)))
            judge = chosen(use, lambda a=logits, b=losses, f=fmt: judging.losses(a, b, f))
            timed.add(f"this project, {way}: a {fmt.name} loss judged", judge, COUNT)
            if fmt is binary32:
                judge = chosen(use, lambda a=logits, b=slopes, f=fmt: judging.derivatives(a, b, f))
                timed.add(f"this project, {way}: a {fmt.name} derivative judged", judge, COUNT)
        kernel = chosen(use, lambda: enclosure.kernel(exact))
        timed.add(f"this project, {way}: 2⁻⁷¹ enclosures of loss and derivative", kernel, COUNT)
    part = binary32.round_array(z[:BLOCK])
    answer = binary32.round_array(np.log1p(np.exp(-part)))
    timed.add(f"{PLAIN}, {BLOCKS}", lambda: [np.log1p(np.exp(-part)) for _ in range(COUNT // BLOCK)], COUNT)
    for use, way in WAYS:
        judge = chosen(use, lambda: [judging.losses(part, answer, binary32) for _ in range(COUNT // BLOCK)])
        timed.add(f"in blocks, {way}: a binary32 loss judged, {BLOCKS}", judge, COUNT)
    few = z[:FEW].tolist()
    _scalar(timed, few)
    _arrays(timed, z[:FEW])
    found = timed.medians()
    mine, plain = found["this project, compiled: a binary32 loss judged"], found[PLAIN]
    rows = [(name, f"{ns:,.1f}", f"{ns / mine:,.2f}", f"{ns / plain:,.2f}") for name, ns in found.items()]
    return "| what | ns an element | over a binary32 loss judged | over plain float64 |", rows


def _scalar(timed: Timed, z: list[float]) -> None:
    """Libraries of single numbers, at 120 bits."""

    def by_mpmath() -> object:
        with mpmath.workprec(BITS):
            return [mpmath.log1p(mpmath.exp(-x)) for x in z]

    timed.add(f"mpmath, {BITS} bits", by_mpmath, len(z))
    if installed("python-flint"):
        import flint  # noqa: PLC0415

        def by_arb() -> object:
            flint.ctx.prec = BITS
            return [(-flint.arb(x)).exp().log1p() for x in z]

        timed.add(f"Arb (python-flint), {BITS} bits", by_arb, len(z))
    if installed("gmpy2"):
        import gmpy2  # noqa: PLC0415

        def by_mpfr() -> object:
            with gmpy2.context(precision=BITS):
                return [gmpy2.log1p(gmpy2.exp(-gmpy2.mpfr(x))) for x in z]

        timed.add(f"MPFR (gmpy2), {BITS} bits", by_mpfr, len(z))


def _arrays(timed: Timed, z: np.ndarray) -> None:
    """Libraries of wide arrays."""
    if installed("numpy-quaddtype"):
        import numpy_quaddtype  # noqa: PLC0415

        quad = z.astype(numpy_quaddtype.QuadPrecDType())
        timed.add("numpy-quaddtype log1p(exp(-z)), 113 bits, no certificate", lambda: np.log1p(np.exp(-quad)), len(z))
    if installed("xprec"):
        import xprec  # noqa: PLC0415

        pair = z.astype(xprec.ddouble)
        timed.add("xprec log(1 + exp(-z)), 106 bits, no certificate", lambda: np.log(1 + np.exp(-pair)), len(z))


def pairs(rounds: int) -> tuple[str, list[Row]]:
    """Enclosures of the loss and the derivatives of pairs, beta 0.1, label_smoothing 0.1: one number, four signs."""
    rng = np.random.default_rng(2)
    n = COUNT // 4
    logps = [-np.abs(rng.normal(size=n)) * 200 for _ in range(4)]
    timed = Timed(rounds)

    def loss() -> object:
        return enclosure.loss(*logps, 0.1, 0.1)

    def slope() -> object:
        return enclosure.gradient(*logps, 0.1, 0.1)

    for use, way in WAYS:
        timed.add(f"{way}: loss", chosen(use, loss), n)
        timed.add(f"{way}: derivatives", chosen(use, slope), n)
        timed.add(f"{way}: loss and derivatives", chosen(use, lambda: (loss(), slope())), n)
    return "| certified enclosure | ns a pair |", [(name, f"{ns:,.1f}") for name, ns in timed.medians().items()]
