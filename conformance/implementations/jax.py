# /// script
# requires-python = ">=3.11"
# dependencies = ["jax[cpu]>=0.5"]
# ///
"""JAX implementations: any plain function of JAX arrays, and the two that ship, `jax` and `jax-jit`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.besides import others
from conformance.implementations.decorating import decorator
from conformance.implementations.elsewhere import elsewhere
from conformance.implementations.jax_arrays import read, wide
from conformance.implementations.jax_ways import TWICE, WAYS, Call
from conformance.implementations.numpy_arrays import DTYPES
from conformance.implementations.preference import preference
from conformance.implementations.protocol import OPTIONS, Answer, Claims, claims, is_given
from conformance.implementations.results import called, read_metrics, versions
from conformance.implementations.ways import Twice, Way, alike
from conformance.inputs.batch import NAMES, Batch
from oracle import Format
from oracle.formats import Floats

Loss = Callable[..., jax.Array]
MetricFunction = Callable[[jax.Array, jax.Array, jax.Array, jax.Array, float, float], Mapping[str, Any]]
Arrays = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
Derivatives = tuple[Floats | None, Floats | None, Floats | None, Floats | None]


class JaxImplementation:
    """A plain function of JAX arrays behind the suite's interface; derivatives come from jax.grad."""

    def __init__(
        self, function: Loss, name: str, claimed: Claims, jit: bool, metrics: MetricFunction | None, library: str
    ) -> None:
        self.name = name
        self.claims = claimed
        self.library = library
        self._plain = function
        self._function = jax.jit(function, static_argnums=(4, 5)) if jit else function
        self._metrics = metrics
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> jax.Array:
        """The plain function itself."""
        return self._plain(*arguments, **keywords)

    @property
    def environment(self) -> dict[str, str]:
        """The library's version, JAX's and jaxlib's, and the device."""
        device = jax.devices()[0]
        found = versions(self.library, jax=jax.__version__, jaxlib=jax.lib.__version__)
        return found | {"device": device.platform, "device name": device.device_kind}

    @property
    def compiles_each_size(self) -> bool:
        """XLA compiles each operation, or all of them at once, for each shape."""
        return True

    def unavailable(self) -> str | None:
        """JAX falls back to the CPU where there is nothing else."""
        return None

    def surroundings(self) -> dict[str, str]:
        """JAX's options that change results: x64, the default dtype's width, matmul precision, NaN checks."""
        names = ("jax_enable_x64", "jax_default_matmul_precision", "jax_debug_nans", "jax_numpy_dtype_promotion")
        return {name: str(getattr(jax.config, name)) for name in names}

    def evaluate(self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False) -> Answer:
        """The function's losses, and the derivatives of their sum; JAX arrays have no strides and cannot be written."""
        return self._answer(batch, fmt, gradient=gradient and self.claims.gradient)

    def weighed(self, batch: Batch, fmt: Format, weights: Floats, *, policy_alone: bool = False) -> Answer:
        """The function's losses, and the derivatives of their weighted sum."""
        return self._answer(batch, fmt, gradient=True, weights=weights, places=2 if policy_alone else 4)

    @property
    def ways(self) -> frozenset[Way]:
        """JAX's transformations, and another thread."""
        return frozenset({*WAYS, Way.ELSEWHERE})

    def by_way(self, way: Way, batch: Batch, fmt: Format, *, gradient: bool, weights: Floats | None = None) -> Answer:
        """The function's losses when it is transformed so, and the derivatives of their weighted sum."""
        if way is Way.ELSEWHERE:
            return elsewhere(lambda: self.evaluate(batch, fmt, gradient=gradient))
        with wide(fmt):
            besides = tuple(self._call(other, fmt) for other in others(way, batch, self.claims))
            losses, parts = called(WAYS[way], replace(self._call(batch, fmt, weights), others=besides))
            values, dtype = read("losses", losses, self._shape(batch), fmt)
            return Answer(values, _read_each(parts, len(batch), fmt) if gradient else None, dtype)

    @property
    def twice_by(self) -> frozenset[Twice]:
        """Both modes, each over each."""
        return frozenset(TWICE)

    def twice(self, how: Twice, place: int, batch: Batch, fmt: Format, weights: Floats) -> Answer:
        """The function's losses, and JAX's derivatives of one of its derivatives."""
        with wide(fmt):
            losses, parts = called(TWICE[how], self._call(batch, fmt, weights), place)
            values, dtype = read("losses", losses, self._shape(batch), fmt)
            return Answer(values, _read_each(parts, len(batch), fmt), dtype)

    def _call(self, batch: Batch, fmt: Format, weights: Floats | None = None) -> Call:
        upstream = np.ones(self._shape(batch)) if weights is None else weights.reshape(self._shape(batch))
        return Call(
            self._function, _arrays(batch, fmt), (batch.beta, batch.label_smoothing), upstream, alike=alike(batch.logps)
        )

    def _shape(self, batch: Batch) -> tuple[int, ...]:
        """The shape of the losses that it promises."""
        return (len(batch),) if self.claims.reduction == "none" else ()

    def _answer(self, batch: Batch, fmt: Format, *, gradient: bool, weights: Floats | None = None, places: int = 4) -> Answer:
        shape = self._shape(batch)
        with wide(fmt):
            arrays = _arrays(batch, fmt)
            losses = called(self._function, *arrays, batch.beta, batch.label_smoothing)
            values, dtype = read("losses", losses, shape, fmt)
            factors = 1.0 if weights is None else jnp.asarray(weights.reshape(shape), dtype=losses.dtype)
            derivatives = self._differentiate(arrays, batch, fmt, factors, places) if gradient else None
        return Answer(values, derivatives, dtype)

    def metrics(self, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned, as floats."""
        if self._metrics is None:
            raise Misbehaviour("wrong type", "it has no metrics")
        with wide(fmt):
            return read_metrics(called(self._metrics, *_arrays(batch, fmt), batch.beta, batch.label_smoothing))

    def _differentiate(self, arrays: Arrays, batch: Batch, fmt: Format, factors: jax.Array | float, places: int) -> Derivatives:
        """jax.grad in the first logps; None for one that the function cuts from the graph (lax.stop_gradient)."""
        reached: set[int] = set()
        watches = [_watch(place, reached) for place in range(len(NAMES))]

        def total(*logps: jax.Array) -> jax.Array:
            watched = (watch(logp) for watch, logp in zip(watches, logps, strict=True))
            losses = self._function(*watched, batch.beta, batch.label_smoothing)
            return jnp.sum(factors * losses)

        parts = [*called(jax.grad(total, argnums=tuple(range(places))), *arrays), None, None][: len(NAMES)]
        flowing = tuple(part if place in reached else None for place, part in enumerate(parts))
        return _read_each(flowing, len(batch), fmt)


def _watch(place: int, reached: set[int]) -> Callable[[jax.Array], jax.Array]:
    """The identity, which notes when a derivative comes back through it that is not zero by construction.

    A stopped gradient and a vanished one are both zeros to jax.grad; only the first is a symbolic zero.
    """

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def identity(x: jax.Array) -> jax.Array:
        return x

    def forward(x: Any) -> tuple[jax.Array, None]:
        return x.value, None

    def backward(_: None, cotangent: Any) -> tuple[jax.Array]:
        if isinstance(cotangent, SymbolicZero):
            return (jnp.zeros(cotangent.shape, cotangent.dtype),)
        reached.add(place)
        return (cotangent,)

    identity.defvjp(forward, backward, symbolic_zeros=True)
    watched: Callable[[jax.Array], jax.Array] = identity
    return watched


def _arrays(batch: Batch, fmt: Format) -> Arrays:
    """The four logps as JAX arrays of the format's dtype, from their bit patterns."""
    pc, pr, rc, rr = (jnp.asarray(fmt.encode(values).view(DTYPES[fmt.name])) for values in batch.logps)
    return pc, pr, rc, rr


def _read_each(parts: tuple[jax.Array | None, ...], pairs: int, fmt: Format) -> Derivatives:
    pc, pr, rc, rr = (
        None if part is None else read(f"d loss / d {name}", part, (pairs,), fmt)[0]
        for name, part in zip(NAMES, parts, strict=True)
    )
    return pc, pr, rc, rr


@decorator
def jax_implementation(
    function: Loss,
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    reduction: str = "none",
    options: Collection[str] = OPTIONS,
    loss: str | Collection[str] | None = None,
    subnormals: str | None = None,
    jit: bool = False,
    gradient: bool = True,
    metrics: MetricFunction | None = None,
    library: str = "jax",
    notes: Mapping[str, str] | None = None,
    second_derivatives: bool = False,
    accumulation: str | Format | None = None,
) -> JaxImplementation:
    """A plain function of JAX arrays becomes an implementation, as a call or as a decorator.

    function(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, label_smoothing)
    takes four arrays of shape (n,) in the judged dtype, and beta and label_smoothing as Python floats, and returns
    losses of shape (n,), or one number with reduction="mean". Derivatives come from jax.grad; a reference behind
    lax.stop_gradient is taken as detached; with gradient=False none are claimed, asked for or judged. 64-bit types are
    enabled for binary64 alone, around each call.
    metrics(same arguments) returns numbers by name, as protocol.METRICS, protocol.REWARDS or both have it.

    dtypes: the formats it is for (all four by default). options: which of beta and label_smoothing it honours.
    subnormals: "flush" if it is known to replace subnormal results by zero, as XLA does on the CPU. jit: judge jax.jit
    of it, with beta and label_smoothing static. library: the installed distribution that is judged, whose version the
    record states. notes: by clause, what is known of conduct that violates it. second_derivatives: claim that JAX
    differentiates it twice. Raises BadClaim.

    loss: the name of one of `dpo-conformance list --losses`, of which it is then an implementation, or of several, of which the
    keyword `loss` then tells the function one; in a mapping the function is told what stands at the name, its own for it.
    It is called by keyword, with what that loss takes: log-probabilities,
    lengths as int64, and the loss's parameters as Python floats.
    """
    claimed = claims(
        dtypes=dtypes,
        reduction=reduction,
        options=options if loss is None else OPTIONS,
        subnormals=subnormals,
        gradient=gradient,
        metrics=is_given("metrics", metrics),
        notes=notes,
        second_derivatives=second_derivatives,
        accumulation=accumulation,
    )
    label = name or str(getattr(function, "__name__", "function"))
    if loss is not None:
        if second_derivatives:
            raise BadClaim(f"second_derivatives = True: judged of DPO alone, not of loss = {loss!r}")
        from conformance.implementations.preference_jax import JaxFramework  # noqa: PLC0415 - where it is asked for

        made = preference(function, label, claimed, options, loss, JaxFramework(jit, library))
        return cast("JaxImplementation", made)  # of another kind, with the members that the suite asks
    return JaxImplementation(function, label, claimed, jit, metrics, library)


# -- the two that ship -------------------------------------------------------------------------------------------------


def _loss(pc: jax.Array, pr: jax.Array, rc: jax.Array, rr: jax.Array, beta: float, label_smoothing: float) -> jax.Array:
    z = beta * ((pc - rc) - (pr - rr))
    losses = -jax.nn.log_sigmoid(z)
    if label_smoothing == 0:
        return losses
    return (1 - label_smoothing) * losses - label_smoothing * jax.nn.log_sigmoid(-z)


def _metrics(pc: jax.Array, pr: jax.Array, rc: jax.Array, rr: jax.Array, beta: float, label_smoothing: float) -> dict[str, Any]:
    """Accumulated by NumPy in float64, whatever the dtype."""
    chosen, rejected = pc - rc, pr - rr
    margin = chosen - rejected
    return {
        "accuracy": np.mean(np.asarray(beta * margin > 0), dtype=np.float64),
        "margin": np.mean(np.asarray(margin), dtype=np.float64),
        "chosen_logratio": np.mean(np.asarray(chosen), dtype=np.float64),
        "rejected_logratio": np.mean(np.asarray(rejected), dtype=np.float64),
    }


NOTES = {
    "KERNEL-4": "the derivative is exp(x - logaddexp(x, 0)), whose exponent carries the rounding error of the loss itself: "
    "up to half an ulp of z, which is 32 ulp of a derivative near 1 "
    "(the same expression as in https://github.com/jax-ml/jax/issues/40387)"
}
EAGER = jax_implementation(_loss, name="jax", subnormals="flush", metrics=_metrics, notes=NOTES)
JITTED = jax_implementation(_loss, name="jax-jit", subnormals="flush", jit=True, metrics=_metrics, notes=NOTES)
