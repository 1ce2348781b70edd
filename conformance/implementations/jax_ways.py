"""How JAX is used around a loss: its transformations of the function, one function a way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from conformance.implementations.ways import ONLY, WITHOUT, Twice, Way

Parts = tuple[jax.Array | None, ...]
Result = tuple[jax.Array, Parts]
ALL = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call that a way makes: the function, four arrays, the options, the weights. others: what is called besides.

    alike: for each of the four, the place of the first that holds the same numbers.
    """

    function: Callable[..., jax.Array]
    logps: tuple[jax.Array, ...]
    options: tuple[float, float]
    weights: Any
    others: tuple[Call, ...] = ()
    alike: tuple[int, ...] = ALL

    def losses(self, *logps: jax.Array) -> jax.Array:
        """What the function returns for them."""
        return self.function(*logps, *self.options)

    def total(self, *logps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The weighted sum, and the losses."""
        losses = self.losses(*logps)
        return jnp.sum(losses * self.upstream(losses)), losses

    def upstream(self, losses: jax.Array) -> jax.Array:
        """The weights in the losses' dtype."""
        return jnp.asarray(self.weights, dtype=losses.dtype)


def _given(call: Call) -> Result:
    losses, pull = jax.vjp(call.losses, *call.logps)
    return losses, tuple(pull(call.upstream(losses)))


def _first_of_two(call: Call) -> Result:
    losses, pull = jax.vjp(call.losses, *call.logps)
    jax.vjp(call.others[0].losses, *call.others[0].logps)
    return losses, tuple(pull(call.upstream(losses)))


def _second_of_two(call: Call) -> Result:
    due = jax.vjp(call.others[0].losses, *call.others[0].logps)
    result = _given(call)
    del due
    return result


def _again(call: Call) -> Result:
    losses, pull = jax.vjp(call.losses, *call.logps)
    pull(2 * call.upstream(losses))
    return losses, tuple(pull(call.upstream(losses)))


def _without(place: int, call: Call) -> Result:
    places = tuple(i for i in ALL if i != place)
    found, losses = jax.grad(call.total, argnums=places, has_aux=True)(*call.logps)
    parts = dict(zip(places, found, strict=True))
    return losses, tuple(parts.get(i) for i in ALL)


def _only(place: int, call: Call) -> Result:
    (found,), losses = jax.grad(call.total, argnums=(place,), has_aux=True)(*call.logps)
    return losses, tuple(found if i == place else None for i in ALL)


def _one_tensor(call: Call) -> Result:
    losses, pull = jax.vjp(lambda *own: call.losses(*(own[place] for place in call.alike)), *call.logps)
    parts = pull(call.upstream(losses))
    return losses, tuple(part if place == call.alike[place] else None for place, part in enumerate(parts))


def _detached(call: Call) -> Result:
    def losses_of(*own: jax.Array) -> jax.Array:
        return call.losses(*own[:2], *(jax.lax.stop_gradient(own[place]) for place in call.alike[2:]))

    losses, pull = jax.vjp(losses_of, *call.logps)
    return losses, (*pull(call.upstream(losses))[:2], None, None)


def _held(call: Call) -> Result:
    result = _given(call)
    for other in call.others:
        _given(other)
    return result


def _held_losses(call: Call) -> Result:
    losses = call.losses(*call.logps)
    for other in call.others:
        other.losses(*other.logps)
    return losses, (None,) * 4


def _functional(call: Call) -> Result:
    (_, losses), parts = jax.value_and_grad(call.total, argnums=ALL, has_aux=True)(*call.logps)
    return losses, parts


def _compiled(call: Call) -> Result:
    (_, losses), parts = jax.jit(jax.value_and_grad(call.total, argnums=ALL, has_aux=True))(*call.logps)
    return losses, parts


def _vmap(call: Call) -> Result:
    stacked = tuple(jnp.stack(both) for both in zip(call.others[0].logps, call.logps, strict=True))
    (_, losses), parts = jax.vmap(jax.value_and_grad(call.total, argnums=ALL, has_aux=True))(*stacked)
    return losses[1], tuple(part[1] for part in parts)


def _forward(call: Call) -> Result:
    parts = []
    for place in ALL:

        def along(tangent: jax.Array, place: int = place) -> tuple[jax.Array, jax.Array]:
            tangents = tuple(tangent if i == place else jnp.zeros_like(x) for i, x in enumerate(call.logps))
            result: tuple[jax.Array, jax.Array] = jax.jvp(call.losses, call.logps, tangents)
            return result

        losses, derivative = along(jnp.ones_like(call.logps[place]))
        if not derivative.ndim:  # of a mean: one product gives the sum over the pairs, so one for each of them
            each = [along(row)[1] for row in jnp.eye(len(call.logps[place]), dtype=call.logps[place].dtype)]
            derivative = jnp.stack(each)
        parts.append(derivative * call.upstream(losses))
    return losses, tuple(parts)


def _checkpointed(call: Call) -> Result:
    losses, pull = jax.vjp(jax.checkpoint(call.losses), *call.logps)
    return losses, tuple(pull(call.upstream(losses)))


def _total(call: Call) -> Callable[..., jax.Array]:
    return lambda *logps: call.total(*logps)[0]


def _reverse_twice(call: Call, place: int) -> Parts:
    first = jax.grad(_total(call), argnums=place)
    return tuple(jax.grad(lambda *logps: jnp.sum(first(*logps)), argnums=ALL)(*call.logps))


def _forward_over_reverse(call: Call, place: int) -> Parts:
    return tuple(jax.jvp(jax.grad(_total(call), argnums=ALL), call.logps, _tangents(call, place))[1])


def _reverse_over_forward(call: Call, place: int) -> Parts:
    def along(*logps: jax.Array) -> jax.Array:
        tangent: jax.Array = jax.jvp(_total(call), logps, _tangents(call, place))[1]
        return tangent

    return tuple(jax.grad(along, argnums=ALL)(*call.logps))


def _forward_twice(call: Call, place: int) -> Parts:
    def along(*logps: jax.Array) -> jax.Array:
        losses, tangent = jax.jvp(call.losses, logps, _tangents(call, place))
        return tangent * call.upstream(losses)

    return tuple(jax.jvp(along, call.logps, _tangents(call, other))[1] for other in ALL)


def _in_weights(call: Call) -> Result:
    losses = call.losses(*call.logps)
    weights = call.upstream(losses)

    def first(weights: jax.Array) -> Parts:
        slopes = jax.grad(lambda *logps: jnp.sum(call.losses(*logps) * weights), argnums=ALL)(*call.logps)
        return tuple(jnp.sum(part) if weights.ndim else part for part in slopes)

    return losses, tuple(weights * part for part in jax.jacrev(first)(weights))


def _tangents(call: Call, place: int) -> tuple[jax.Array, ...]:
    """1 in one of the four, and 0 in the others."""
    return tuple(jnp.full_like(x, i == place) for i, x in enumerate(call.logps))


def _with_losses(twice: Callable[[Call, int], Parts]) -> Callable[[Call, int], Result]:
    return lambda call, place: (call.losses(*call.logps), twice(call, place))


TWICE: Mapping[Twice, Callable[[Call, int], Result]] = {
    Twice.REVERSE: _with_losses(_reverse_twice),
    Twice.FORWARD_OVER_REVERSE: _with_losses(_forward_over_reverse),
    Twice.REVERSE_OVER_FORWARD: _with_losses(_reverse_over_forward),
    Twice.FORWARD: _with_losses(_forward_twice),
}
"""How the losses are differentiated twice. Forward mode twice sums over the pairs of a mean, which is asked pair by pair."""
WAYS: Mapping[Way, Callable[[Call], Result]] = {
    Way.HELD: _held,
    Way.HELD_LOSSES: _held_losses,
    Way.GIVEN: _given,
    Way.FIRST_OF_TWO: _first_of_two,
    Way.SECOND_OF_TWO: _second_of_two,
    Way.AGAIN: _again,
    Way.IN_WEIGHTS: _in_weights,
    **{way: lambda call, place=place: _without(place, call) for place, way in enumerate(WITHOUT)},  # type: ignore[misc]
    **{way: lambda call, place=place: _only(place, call) for place, way in enumerate(ONLY)},  # type: ignore[misc]
    Way.ONE_TENSOR: _one_tensor,
    Way.DETACHED: _detached,
    Way.FUNCTIONAL: _functional,
    Way.COMPILED: _compiled,
    Way.VMAP: _vmap,
    Way.FORWARD: _forward,
    Way.CHECKPOINTED: _checkpointed,
}
"""What each way does. JAX's arrays have no strides, cannot be changed, and carry no graph."""
