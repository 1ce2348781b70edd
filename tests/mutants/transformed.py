"""Wrong under a transformation of JAX: a cotangent misread, a branch for tracers, a batching rule, state between passes.

JAX is imported when a mutant is built, and not before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from conformance.implementations.protocol import Implementation
from conformance.implementations.ways import Way

from .kinds import ALL, Mutant
from .witnesses import pairs

Array = Any
Logit = Callable[[Array, float], Array]


def _jax(
    name: str, wrong: str, make: Callable[[], Callable[..., Array]], way: Way, formats: tuple[str, ...] = ("binary32",)
) -> Mutant:
    """A mutant of JAX arrays, of one format where nothing depends on it; `make` imports JAX and gives a fresh function."""

    def build() -> Implementation:
        from conformance.implementations.jax import jax_implementation  # noqa: PLC0415

        return jax_implementation(make(), name=name, dtypes=formats, subnormals="flush")

    return Mutant(name, "transformed", wrong, build, pairs(0.5, 0.25), ways=(way,))


def _right(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    return _of_logit(beta * ((pc - rc) - (pr - rr)), eps)


def _of_logit(z: Array, eps: float) -> Array:
    import jax  # noqa: PLC0415

    losses = -jax.nn.log_sigmoid(z)
    return losses if eps == 0 else (1 - eps) * losses - eps * jax.nn.log_sigmoid(-z)


def _slope(z: Array, eps: float) -> Array:
    import jax  # noqa: PLC0415

    return eps - jax.nn.sigmoid(-z)


def _of_margin(make: Callable[[], Logit]) -> Callable[[], Callable[..., Array]]:
    """A loss from a function of logit and label_smoothing."""

    def made() -> Callable[..., Array]:
        of_logit = make()
        return lambda pc, pr, rc, rr, beta, eps: of_logit(beta * ((pc - rc) - (pr - rr)), eps)

    return made


def _cotangent(combine: Callable[[Array, Array], Array]) -> Callable[[], Callable[..., Array]]:
    """The right loss; a rule of its own combines the cotangent and the slope."""

    def make() -> Logit:
        import jax  # noqa: PLC0415

        @functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
        def loss(z: Array, eps: float) -> Array:
            return _of_logit(z, eps)

        loss.defvjp(lambda z, eps: (loss(z, eps), z), lambda eps, z, came: (combine(came, _slope(z, eps)),))
        return loss

    return _of_margin(make)


def _last_residual() -> Logit:
    """What the backward pass needs lies on the module: the last forward pass's."""
    import jax  # noqa: PLC0415

    last: list[Array] = []

    @functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
    def loss(z: Array, eps: float) -> Array:
        return _of_logit(z, eps)

    def forward(z: Array, eps: float) -> tuple[Array, Array]:
        last[:] = [z]
        return loss(z, eps), z

    def backward(eps: float, z: Array, came: Array) -> tuple[Array]:
        kept = last[0] if last and not isinstance(last[0], jax.core.Tracer) and last[0].shape == z.shape else z
        return (came * _slope(kept.astype(z.dtype), eps),)

    loss.defvjp(forward, backward)
    return loss


def _under(test: Callable[[Array], bool], other: Callable[..., Array]) -> Callable[[], Callable[..., Array]]:
    """Another loss where the inputs are tracers of some kind."""

    def make() -> Callable[..., Array]:
        return lambda pc, *rest: (other if test(pc) else _right)(pc, *rest)

    return make


def _traced(x: Array) -> bool:
    import jax  # noqa: PLC0415

    return isinstance(x, jax.core.Tracer)


def _staged(x: Array) -> bool:
    """Under jit, by the name of its tracer."""
    return any("DynamicJaxprTracer" in type(y).__name__ for y in (x, getattr(x, "primal", None)))


def _batched(x: Array) -> bool:
    return any("BatchTracer" in type(y).__name__ for y in (x, getattr(x, "primal", None)))


def _value_unsmoothed(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    """The value without label smoothing, the derivatives with it."""
    import jax  # noqa: PLC0415

    right = _right(pc, pr, rc, rr, beta, eps)
    return right + jax.lax.stop_gradient(_right(pc, pr, rc, rr, beta, 0.0) - right)


def _cut_reference(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    return _right(pc, pr, 0 * rc, 0 * rr, beta, eps)


def _batching_rule(change: Callable[[Array], Array]) -> Callable[[], Callable[..., Array]]:
    """The right loss, whose rule for vmap changes its rows."""

    def make() -> Logit:
        import jax  # noqa: PLC0415
        from jax.custom_batching import custom_vmap  # noqa: PLC0415

        def of(eps: float) -> Callable[[Array], Array]:
            @custom_vmap
            def identity(z: Array) -> Array:
                return z

            @identity.def_vmap
            def rule(size: int, batched: Any, z: Array) -> tuple[Array, bool]:
                return change(z), True

            @jax.custom_jvp
            def loss(z: Array) -> Array:
                return _of_logit(identity(z), eps)

            @loss.defjvp
            def tangent(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
                (z,), (along,) = primals, tangents
                z = identity(z)
                return _of_logit(z, eps), _slope(z, eps) * along

            return loss

        return lambda z, eps: of(eps)(z)

    return _of_margin(make)


MUTANTS: tuple[Mutant, ...] = (
    _jax("jax-cotangent-left-out", "The cotangent is not applied.", _cotangent(lambda came, slope: slope), Way.GIVEN, ALL),
    _jax(
        "jax-cotangent-clamped",
        "The cotangent is clamped to [-1, 1].",
        _cotangent(lambda came, slope: came.clip(-1, 1) * slope),
        Way.GIVEN,
    ),
    _jax(
        "jax-cotangent-in-bfloat16",
        "The cotangent is cast to bfloat16 and back.",
        _cotangent(lambda came, slope: came.astype("bfloat16").astype(slope.dtype) * slope),
        Way.GIVEN,
    ),
    _jax(
        "jax-cotangent-of-first",
        "Every pair gets the first one's cotangent.",
        _cotangent(lambda came, slope: came[:1] * slope),
        Way.GIVEN,
    ),
    _jax(
        "jax-state-of-last-forward",
        "The residual is kept on the module: the last call's.",
        _of_margin(_last_residual),
        Way.FIRST_OF_TWO,
    ),
    _jax(
        "jax-unsmoothed-under-trace",
        "A loss that is traced is reported unsmoothed.",
        _under(_traced, _value_unsmoothed),
        Way.FUNCTIONAL,
    ),
    _jax(
        "jax-unsmoothed-under-jit",
        "A loss under jit is reported unsmoothed.",
        _under(_staged, _value_unsmoothed),
        Way.COMPILED,
    ),
    _jax("jax-no-reference-under-jit", "The reference is ignored under jit.", _under(_staged, _cut_reference), Way.COMPILED),
    _jax("jax-no-reference-under-vmap", "The reference is ignored under vmap.", _under(_batched, _cut_reference), Way.VMAP),
    _jax(
        "jax-wrong-batching-rule",
        "The rule for vmap exchanges the rows.",
        _batching_rule(lambda z: z[::-1]),
        Way.VMAP,
    ),
    _jax(
        "jax-batching-rule-of-first",
        "The rule for vmap gives every row the first one.",
        _batching_rule(lambda z: 0 * z + z[:1]),
        Way.VMAP,
    ),
)
