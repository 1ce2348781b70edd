"""The same mutants and honest implementations under the tests that people write today.

    python -m benchmarks.peers

Each peer sees one batch of 64 realistic pairs a format, as a unit test would: losses and, for torch, derivatives, against
a float64 reference computed from the same inputs. Printed: how many mutants each kills, and how many honest
implementations it accuses. What this suite does with the same two sets is `python -m tests.mutants`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from conformance.errors import Misbehaviour
from conformance.implementations import Implementation, load
from conformance.implementations.protocol import Answer
from conformance.implementations.torch import DTYPES, TorchImplementation
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import near_reference
from oracle import FORMATS, Format, binary64
from tests.mutants.registry import HONEST, MUTANTS

Accuses = Callable[[Implementation, Batch, Format], bool]


def batch(fmt: Format) -> Batch:
    """64 pairs near the reference, with the tutorial's beta and a label smoothing."""
    return near_reference(fmt, 64, np.random.default_rng(0)).at(label_smoothing=0.1)


def _parts(answer: Answer) -> list[NDArray[np.float64]]:
    """The losses, and the derivatives in the policy's logps where there are any."""
    gradient = answer.gradient[:2] if answer.gradient is not None else ()
    return [answer.losses, *(part for part in gradient if part is not None)]


def _both(implementation: Implementation, pairs: Batch, fmt: Format) -> tuple[list[NDArray[np.float64]], ...]:
    gradient = implementation.claims.gradient
    got = implementation.evaluate(pairs, fmt, gradient=gradient)
    reference = load("torch").evaluate(pairs, binary64, gradient=gradient)
    expected = _parts(reference)
    if implementation.claims.reduction == "mean":
        expected = [np.asarray(expected[0].mean()), *(part / len(pairs) for part in expected[1:])]
    return _parts(got), expected


def assert_close(implementation: Implementation, pairs: Batch, fmt: Format) -> bool:
    """torch.testing.assert_close with its defaults for the dtype."""
    dtype = DTYPES[fmt.name]
    got_parts, expected_parts = _both(implementation, pairs, fmt)
    for got, expected in zip(got_parts, expected_parts, strict=True):
        try:
            torch.testing.assert_close(torch.tensor(got).to(dtype), torch.tensor(expected).to(dtype))
        except AssertionError:
            return True
    return False


def allclose(implementation: Implementation, pairs: Batch, fmt: Format) -> bool:
    """numpy.testing.assert_allclose with its default, rtol = 1e-7."""
    got_parts, expected_parts = _both(implementation, pairs, fmt)
    for got, expected in zip(got_parts, expected_parts, strict=True):
        try:
            np.testing.assert_allclose(got, fmt.round_array(expected))
        except AssertionError:
            return True
    return False


def gradcheck(implementation: Implementation, pairs: Batch, fmt: Format) -> bool:
    """torch.autograd.gradcheck with its defaults, which is for binary64 alone and sees no value."""
    if fmt is not binary64 or not isinstance(implementation, TorchImplementation):
        return False
    tensors = implementation.tensors(pairs, fmt, gradient=True)
    try:
        return not torch.autograd.gradcheck(
            lambda *logps: implementation(*logps, pairs.beta, pairs.label_smoothing), tensors, raise_exception=False
        )
    except Exception:  # an implementation that cannot be differentiated is caught
        return True


PEERS: dict[str, Accuses] = {
    "torch.testing.assert_close": assert_close,
    "numpy.testing.assert_allclose": allclose,
    "torch.autograd.gradcheck": gradcheck,
}


def accused(peer: Accuses, implementation: Implementation, fmt: Format) -> bool:
    """Whether the peer objects; code that does not answer at all is objected to by everyone."""
    try:
        return peer(implementation, batch(fmt), fmt)
    except Misbehaviour:
        return True
    except ValueError:  # a derivative is missing, or its shape is wrong
        return True


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    table = Table("peer", "format", "mutants killed", "of", "honest accused", "of", title="peers", title_justify="left")
    for name, peer in PEERS.items():
        for fmt in FORMATS:
            doomed = [mutant.build() for mutant in MUTANTS if fmt in mutant.wrong_in]
            fair = [entry.build() for entry in HONEST if fmt.name in entry.formats and not entry.slow]
            killed = sum(accused(peer, implementation, fmt) for implementation in doomed)
            wronged = sum(accused(peer, implementation, fmt) for implementation in fair)
            table.add_row(name, fmt.name, str(killed), str(len(doomed)), str(wronged), str(len(fair)))
    Console().print(table)


if __name__ == "__main__":
    main()
