"""JAX functions of token logits; derivatives come from jax.grad."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.implementations.decorating import decorator
from conformance.implementations.sequence.numpy import NumpySequence
from conformance.implementations.sequence.protocol import SequenceAnswer, sequence_claims
from conformance.inputs.sequences import Rows
from oracle import Format
from oracle.formats import Floats


class JaxSequence(NumpySequence):
    """A function of JAX arrays behind the suite's interface; binary64 needs jax's 64-bit mode, which is set for the call."""

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and JAX's."""
        return super().environment | {"jax": jax.__version__}

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """As of NumPy's; strides are not JAX's."""
        with jax.enable_x64(True):
            return super().evaluate(rows, fmt, gradient=gradient, strided=False, incoming=incoming)


@decorator
def jax_sequence(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    jit: bool = False,
    dtypes: Collection[str | Format] | None = None,
    returns: str = "sequence",
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    options: Collection[str] = (),
    infinities: bool = True,
    subnormals: str | None = None,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> JaxSequence:
    """A function of token logits in JAX becomes an implementation: function(logits, labels, mask), as of torch_sequence.

    jit: judge jax.jit of it. The other keywords are those of torch_sequence. Raises BadClaim.
    """
    called = jax.jit(function, static_argnames=("chunk_size", "temperature")) if jit and options else function
    called = jax.jit(called) if jit and not options else called
    claimed = sequence_claims(
        dtypes=dtypes, returns=returns, average=average, shift=shift, ignore_index=ignore_index, accumulates=accumulates,
        options=options, infinities=infinities, gradient=True, incoming=True, subnormals=subnormals, notes=notes,
    )  # fmt: skip

    def summed(logits: Any, *others: Any, incoming: Any = 1.0, **keywords: Any) -> Any:
        wide = jnp.float64 if logits.dtype == jnp.float64 else jnp.float32
        return jnp.sum(called(logits, *others, **keywords).astype(wide) * jnp.asarray(incoming, wide))

    def derivatives(logits: Any, *others: Any, **keywords: Any) -> Any:
        return jax.grad(summed)(logits, *others, **keywords)

    label = name or str(getattr(function, "__name__", "function"))
    return JaxSequence(called, label, claimed, derivatives, (jnp.asarray, np.asarray), library)
