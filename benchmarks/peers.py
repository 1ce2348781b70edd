"""The mutants and the honest implementations under the tests that people write today, beside this suite.

    python -m benchmarks.peers [--write]

Every peer compares losses, the derivatives in the policy's log-probabilities, and the metrics where they are claimed,
with torch's stable float64 loss of the same inputs. It is given the best case: the reference is first rounded into the
format, no dtype is objected to, and options that an implementation does not claim stay at their defaults. Printed: the
mutants that each kills and the honest implementations that it accuses. --write makes docs/peers.md.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

import oracle
from conformance.errors import Misbehaviour
from conformance.implementations import Implementation, load
from conformance.implementations.protocol import DEFAULTS, Answer
from conformance.implementations.torch import TorchImplementation
from conformance.implementations.torch_tensors import DTYPES
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, near_reference
from conformance.records.environment import environment
from oracle import FORMATS, Format, binary64
from oracle.formats import Floats
from tests.mutants.registry import HONEST, MUTANTS
from tests.mutants.witnesses import TAILS, batch_of

ROOT = Path(__file__).parents[1]
OPTIONS = ((0.1, 0.0), (0.5, 0.0), (0.1, 0.1), (0.5, 0.3))
"""beta and label_smoothing of the batches of pairs."""


# -- the inputs --------------------------------------------------------------------------------------------------------


def short(fmt: Format) -> list[Batch]:
    """64 pairs of -5 to -60 nats, the policy a few nats from the reference, under four pairs of options."""
    return [batch_of(64, beta=beta, eps=eps)(fmt)[0] for beta, eps in OPTIONS]


def long(fmt: Format) -> list[Batch]:
    """64 pairs near the reference and 64 far from it, -5 to -20,000 nats, under the same options."""
    rng = np.random.default_rng(0)
    return [
        draw(fmt, 64, rng).at(beta=b, label_smoothing=e) for b, e in OPTIONS for draw in (near_reference, far_from_reference)
    ]


def tails(fmt: Format) -> list[Batch]:
    """Exact logits from 0 to 30,000 of both signs, without smoothing and with 0.1."""
    z = fmt.round_array(np.array([*TAILS, 0.0, *(-z for z in TAILS)]))
    return [Batch.at_logits(z, label_smoothing=eps) for eps in (0.0, 0.1)]


INPUTS: dict[str, Callable[[Format], list[Batch]]] = {"short": short, "long": long, "tails": tails}


# -- what a test sees ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """One quantity of one call: what was returned, the float64 reference, and the dtype that it came in."""

    got: Floats
    reference: Floats
    dtype: torch.dtype


def claimed(implementation: Implementation, batch: Batch) -> Batch:
    """The batch with every option that the implementation does not claim at its default."""
    kept = {name: value for name, value in DEFAULTS.items() if name not in implementation.claims.options}
    return batch.at(**kept)


def seen(implementation: Implementation, batch: Batch, fmt: Format) -> Iterator[Seen]:
    """Each quantity that the implementation claims. Raises Misbehaviour where it does not answer or lacks a derivative."""
    claims = implementation.claims
    got = implementation.evaluate(batch, fmt, gradient=claims.gradient)
    reference = load("torch").evaluate(batch, binary64, gradient=True)
    mean = claims.reduction == "mean"
    losses = np.asarray(reference.losses.mean()) if mean else reference.losses
    yield Seen(got.losses, losses, getattr(torch, got.dtype))
    if claims.gradient:
        for ours, theirs in zip(_policy(got), _policy(reference), strict=True):
            yield Seen(ours, theirs / len(batch) if mean else theirs, DTYPES[fmt.name])
    if claims.metrics:
        truth = oracle.metrics(*batch.logps, beta=batch.beta, label_smoothing=batch.label_smoothing)
        for name, value in implementation.metrics(batch, fmt).items():
            yield Seen(np.asarray(value), np.asarray(float(getattr(truth, name))), DTYPES[fmt.name])


def _policy(answer: Answer) -> list[Floats]:
    parts = [] if answer.gradient is None else [part for part in answer.gradient[:2] if part is not None]
    if len(parts) < 2:
        raise Misbehaviour("wrong type", "a derivative is missing")
    return parts


def everything(implementation: Implementation, batches: Sequence[Batch], fmt: Format) -> list[Seen] | None:
    """All that is seen on the batches; None where the implementation fails, which any test notices."""
    try:
        return [item for batch in batches for item in seen(implementation, claimed(implementation, batch), fmt)]
    except Misbehaviour:
        return None


# -- the peers ---------------------------------------------------------------------------------------------------------


def assert_close(item: Seen) -> bool:
    """torch.testing.assert_close with its defaults for the dtype."""
    try:
        torch.testing.assert_close(torch.tensor(item.got).to(item.dtype), torch.tensor(item.reference).to(item.dtype))
    except AssertionError:
        return False
    return True


def allclose(item: Seen) -> bool:
    """numpy.allclose with its defaults, rtol = 1e-5 and atol = 1e-8."""
    return bool(np.allclose(item.got, _in_dtype(item)))


def assert_allclose(item: Seen) -> bool:
    """numpy.testing.assert_allclose with its defaults, rtol = 1e-7 and atol = 0."""
    try:
        np.testing.assert_allclose(item.got, _in_dtype(item))
    except AssertionError:
        return False
    return True


def _in_dtype(item: Seen) -> Floats:
    reference: Floats = torch.tensor(item.reference).to(item.dtype).to(torch.float64).numpy()
    return reference


PEERS: dict[str, Callable[[Seen], bool]] = {
    "torch.testing.assert_close": assert_close,
    "numpy.allclose": allclose,
    "numpy.testing.assert_allclose": assert_allclose,
}
GRADCHECK = "torch.autograd.gradcheck"
TOLERANCES = {"binary16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "binary32": (1.3e-6, 1e-5), "binary64": (1e-7, 1e-7)}
"""rtol and atol of torch.testing.assert_close, as its documentation gives them."""


def gradcheck(implementation: TorchImplementation, batches: Sequence[Batch]) -> bool:
    """torch.autograd.gradcheck with its defaults, in the policy's log-probabilities."""
    try:
        for given in batches:
            batch = claimed(implementation, given)
            pc, pr, rc, rr = implementation.tensors(batch, binary64, gradient=True)
            fixed = (rc.detach(), rr.detach(), batch.beta, batch.label_smoothing)
            if not torch.autograd.gradcheck(lambda x, y, rest=fixed: implementation(x, y, *rest), (pc, pr)):
                return False
    except Exception:  # it raises where it disagrees, and so does code that cannot be differentiated
        return False
    return True


def needed(items: Sequence[Seen] | None, fmt: Format) -> float:
    """By how much assert_close's tolerances would have to be multiplied to accept all of it."""
    rtol, atol = TOLERANCES[fmt.name]
    most = math.inf if items is None else 0.0
    for item in items or ():
        reference = _in_dtype(item)
        with np.errstate(invalid="ignore"):
            error = np.abs(item.got - reference) / (atol + rtol * np.abs(reference))
        error = np.where(item.got == reference, 0.0, np.where(np.isfinite(error), error, np.inf))
        most = max(most, float(error.max(initial=0.0)))
    return most


# -- the table ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants a test kills and how many honest implementations it accuses, of how many."""

    killed: int
    mutants: int
    accused: int
    honest: int

    def __str__(self) -> str:
        return f"{self.killed}/{self.mutants} · {self.accused}/{self.honest}"


@dataclass(frozen=True, slots=True)
class Scaled:
    """assert_close with tolerances large enough for every honest implementation: by how much, and what it then kills."""

    factor: float
    killed: int
    mutants: int

    def __str__(self) -> str:
        return f"×{self.factor:.3g}: {self.killed}/{self.mutants}"


Table = dict[tuple[str, str], dict[str, object]]
"""(test, inputs): format: score."""
Noticed = list[list[bool]]
"""Whether a test objects to each mutant, and to each honest implementation."""


def measured(fmt: Format, table: Table) -> None:
    """Fill in one format's column."""
    wrong = [mutant.build for mutant in MUTANTS if fmt in mutant.wrong_in]
    right = [entry.build for entry in HONEST if fmt.name in entry.formats and not entry.slow]
    union: dict[str, Noticed] = {}
    for inputs, make in INPUTS.items():
        batches = make(fmt)
        found = [[everything(build(), batches, fmt) for build in group] for group in (wrong, right)]
        for name, accepts in PEERS.items():
            noticed = [[items is None or not all(map(accepts, items)) for items in group] for group in found]
            _enter(table, name, inputs, fmt, noticed, union)
        if fmt is binary64:
            built = [[build() for build in group] for group in (wrong, right)]
            noticed = [[not gradcheck(x, batches) for x in group if isinstance(x, TorchImplementation)] for group in built]
            _enter(table, GRADCHECK, inputs, fmt, noticed, union)
        scales = [[needed(items, fmt) for items in group] for group in found]
        factor = max(scales[1])
        table.setdefault(("scaled", inputs), {})[fmt.name] = Scaled(factor, sum(x > factor for x in scales[0]), len(wrong))
    for name, noticed in union.items():
        table.setdefault((name, "all three"), {})[fmt.name] = _score(noticed)


def _enter(table: Table, name: str, inputs: str, fmt: Format, noticed: Noticed, union: dict[str, Noticed]) -> None:
    table.setdefault((name, inputs), {})[fmt.name] = _score(noticed)
    before = union.get(name, [[False] * len(group) for group in noticed])
    union[name] = [[a or b for a, b in zip(x, y, strict=True)] for x, y in zip(before, noticed, strict=True)]


def _score(noticed: Noticed) -> Score:
    wrong, right = noticed
    return Score(sum(wrong), len(wrong), sum(right), len(right))


def suite(fmt: Format) -> Score:
    """This suite, as tests/mutants/test_power.py holds it to: each of these mutants is rejected, no honest one accused."""
    kills = json.loads((ROOT / "tests" / "mutants" / "kills.json").read_text(encoding="utf-8"))
    wrong = [mutant.name for mutant in MUTANTS if fmt in mutant.wrong_in]
    right = [entry for entry in HONEST if fmt.name in entry.formats and not entry.slow]
    return Score(sum(bool(kills[name][fmt.name]) for name in wrong), len(wrong), 0, len(right))


# -- the page ----------------------------------------------------------------------------------------------------------

SUITE = ("dpo-conformance, profile quick", "its own")
NAMES = [fmt.name for fmt in FORMATS]


def rows(table: Table, *names: str) -> list[str]:
    """The rows of a Markdown table of these tests."""
    chosen = [key for key in table if key[0] in names]
    chosen.sort(key=lambda key: names.index(key[0]))
    return [
        f"| {test} | {inputs} | " + " | ".join(str(table[test, inputs].get(fmt, "—")) for fmt in NAMES) + " |"
        for test, inputs in chosen
    ]


def page(table: Table) -> str:
    """docs/peers.md."""
    facts = environment()
    head = "| test | inputs | " + " | ".join(NAMES) + " |\n|---|---|" + "---|" * len(NAMES)
    main = "\n".join([head, *rows(table, *PEERS, GRADCHECK, SUITE[0])])
    scaled = "\n".join([head, *rows(table, "scaled")]).replace("scaled |", "assert_close, scaled |")
    return PAGE.format(main=main, scaled=scaled, torch=version("torch"), **facts)


PAGE = """# Beside the peers

Generated by `python -m benchmarks.peers --write`; do not edit. {cpu}; Python {python}, NumPy {numpy}, torch {torch}.

The mutants and the honest implementations of `tests/mutants` under the tests that people write today. Each cell: mutants
killed of those that are wrong in the format · honest implementations accused of those that claim it.

{main}

**What the peers are given.** Losses, the derivatives in the policy's log-probabilities and the metrics that are claimed,
against torch's stable loss in float64 of the same inputs. Everything favourable is granted: the reference is rounded into
the dtype of the answer first, no dtype is objected to, an option that is not claimed stays at its default, and code that
raises counts as caught. gradcheck is for float64 and for torch code, so it is held to that.

**The inputs.** *Short*: 64 pairs, references of −5 to −60 nats, the policy a few nats away; β 0.1 and 0.5, label smoothing 0,
0.1 and 0.3. *Long*: 64 pairs near the reference and 64 far from it, −5 to −20,000 nats, the same options. *Tails*: exact
logits from 0 to 30,000 of both signs, label smoothing 0 and 0.1. *All three*: caught by any. A unit test that uses the short
ones alone is a good one as they go. No peer is asked about NaN and infinities, about batches of other sizes, or twice.

**This suite's row** is what `tests/mutants/test_power.py` asserts on every change, under profile quick: each of these mutants
is rejected by a MUST, and no honest implementation violates one.

## Why no fixed tolerance works

How far off correct code may be depends on the four log-probabilities: on their size, on what cancels between them, and on
the tail that the logit is in. A tolerance that fits one pair is wrong for the next. Below, assert_close's two tolerances are
multiplied by the least number at which no honest implementation is accused; then: mutants still killed.

{scaled}

In the 16-bit formats the defaults accuse most correct code, and widened until they accuse none they let a quarter of
the mutants through or more. In binary64 they are far too wide: they accuse nobody, and a loss that has vanished is within their
absolute part of 10⁻⁷ from z = 17 on. Narrowed as far as correct code allows they still miss what these inputs do not show.
The suite derives a bound for each pair ([the bounds](bounds.md)), and chooses inputs on which that bound is narrow.
"""


def main() -> None:
    """Measure, print, and write the page where asked."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    table: Table = {}
    for fmt in track(FORMATS, "measuring", console=Console(stderr=True)):
        measured(fmt, table)
        table.setdefault(SUITE, {})[fmt.name] = suite(fmt)
    text = page(table)
    print(text)
    if "--write" in sys.argv[1:]:
        (ROOT / "docs" / "peers.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
