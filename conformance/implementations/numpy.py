# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""NumPy implementations: any plain function of arrays, and the two that ship, `numpy` and `numpy-naive`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from conformance.errors import Misbehaviour
from conformance.implementations.besides import another, others
from conformance.implementations.decorating import decorator
from conformance.implementations.elsewhere import elsewhere
from conformance.implementations.numpy_arrays import DTYPES, read
from conformance.implementations.numpy_layouts import laid_out
from conformance.implementations.preference import preference
from conformance.implementations.protocol import METRICS, OPTIONS, REWARDS, Answer, Claims, claims, is_given
from conformance.implementations.results import called, check_unchanged, read_metrics, versions
from conformance.implementations.ways import LAYOUTS, UNWEIGHED, Way, asked
from conformance.inputs.batch import NAMES, Batch
from oracle import Format
from oracle.formats import Floats

Array = NDArray[Any]
Arrays = tuple[Array, Array, Array, Array]
Loss = Callable[[Array, Array, Array, Array, float, float], Array]
Partials = Callable[[Array, Array, Array, Array, float, float], tuple[Array, Array, Array, Array]]
MetricFunction = Callable[[Array, Array, Array, Array, float, float], Mapping[str, Any]]


class NumpyImplementation:
    """A plain NumPy function behind the suite's interface."""

    def __init__(
        self,
        function: Loss,
        name: str,
        claimed: Claims,
        gradient: Partials | None,
        metrics: MetricFunction | None,
        library: str | None = None,
    ) -> None:
        self.name = name
        self.claims = claimed
        self.library = library
        self._function = function
        self._gradient = gradient
        self._metrics = metrics
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> Array:
        """The plain function itself."""
        return self._function(*arguments, **keywords)

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and NumPy's."""
        return versions(self.library, numpy=np.__version__)

    def unavailable(self) -> str | None:
        """NumPy runs everywhere."""
        return None

    def surroundings(self) -> dict[str, str]:
        """NumPy's error handling and print options, and the state of its global generator."""
        state = np.random.get_state(legacy=False)  # noqa: NPY002 - the global generator is what is watched
        return {"error handling": str(np.geterr()), "print options": str(np.get_printoptions()), "random": str(state)}

    def evaluate(self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False) -> Answer:
        """The function's losses, and its gradient function's derivatives; warnings of the arithmetic are silenced."""
        originals = _arrays(batch, fmt)
        pc, pr, rc, rr = (np.repeat(array, 2)[::2] if strided else array.copy() for array in originals)
        arrays = pc, pr, rc, rr
        answer = self._read(*self._called(arrays, batch, gradient=gradient), batch, fmt)
        wrote = tuple(
            name
            for name, array, original in zip(NAMES, arrays, originals, strict=True)
            if not np.array_equal(array.view(fmt.bits_dtype), original.view(fmt.bits_dtype))
        )
        return replace(answer, wrote=wrote)

    @property
    def ways(self) -> frozenset[Way]:
        """The layouts, and what becomes of answers and of arrays; there is no backward pass."""
        return frozenset(UNWEIGHED)

    def by_way(self, way: Way, batch: Batch, fmt: Format, *, gradient: bool, weights: Floats | None = None) -> Answer:
        """The function's losses when it is called so, and its gradient function's derivatives; these take no weights."""
        if way is Way.ELSEWHERE:
            return elsewhere(lambda: self.evaluate(batch, fmt, gradient=gradient))
        arrays, gradient = _arrays(batch, fmt), gradient and bool(asked(way))
        if way in {Way.REFILLED, Way.REFILLED_LOSSES}:
            own, arrays = arrays, _arrays(another(batch, self.claims), fmt)
            self._called(arrays, batch, gradient=gradient)  # with the options that it will have: only the numbers change
            for array, numbers in zip(arrays, own, strict=True):
                array[...] = numbers
        elif way in LAYOUTS:
            arrays = laid_out(arrays, way)
        raw = self._called(arrays, batch, gradient=gradient)
        if way is Way.LATER and gradient and self._gradient is not None:
            self._asked(self._function, _arrays(another(batch, self.claims), fmt), another(batch, self.claims))
            raw = raw[0], self._asked(self._gradient, arrays, batch)
        if way in {Way.HELD, Way.HELD_LOSSES}:
            for other in others(way, batch, self.claims):
                self._called(_arrays(other, fmt), other, gradient=gradient)
        return self._read(*raw, batch, fmt)

    def _called(self, arrays: Arrays, batch: Batch, *, gradient: bool) -> tuple[object, object]:
        """What the function returned, and what the gradient function did, if it was asked."""
        losses = self._asked(self._function, arrays, batch)
        return losses, self._asked(self._gradient, arrays, batch) if gradient and self._gradient is not None else None

    @staticmethod
    def _asked(function: Callable[..., object], arrays: Arrays, batch: Batch) -> object:
        with np.errstate(all="ignore"):
            return called(function, *arrays, batch.beta, batch.label_smoothing)

    def _read(self, losses: object, derivatives: object, batch: Batch, fmt: Format) -> Answer:
        shape = (len(batch),) if self.claims.reduction == "none" else ()
        values, dtype = read("losses", losses, shape, fmt)
        return Answer(values, _read_gradient(derivatives, len(batch), fmt), dtype)

    def metrics(self, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned, as floats."""
        return self._measured(_arrays(batch, fmt), batch)

    def metrics_by_way(self, way: Way, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned for arrays that lie so."""
        return self._measured(laid_out(_arrays(batch, fmt), way), batch)

    def _measured(self, arrays: Arrays, batch: Batch) -> Mapping[str, float]:
        if self._metrics is None:
            raise Misbehaviour("wrong type", "it has no metrics")
        before = [array.tobytes() for array in arrays]
        with np.errstate(all="ignore"):
            found = read_metrics(called(self._metrics, *arrays, batch.beta, batch.label_smoothing))
        check_unchanged([array.tobytes() == kept for array, kept in zip(arrays, before, strict=True)])
        return found


def _arrays(batch: Batch, fmt: Format) -> Arrays:
    """The four logps as arrays of the format's dtype, from their bit patterns."""
    dtype = DTYPES[fmt.name]
    pc, pr, rc, rr = (fmt.encode(values).view(dtype) for values in batch.logps)
    return pc, pr, rc, rr


def _read_gradient(
    derivatives: object, pairs: int, fmt: Format
) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None] | None:
    if derivatives is None:
        return None
    if not isinstance(derivatives, tuple | list) or len(derivatives) != len(NAMES):
        raise Misbehaviour("wrong type", "gradient: four arrays were promised, in the order of the arguments")
    pc, pr, rc, rr = (
        None if part is None else read(f"d loss / d {name}", part, (pairs,), fmt)[0]
        for name, part in zip(NAMES, derivatives, strict=True)
    )
    return pc, pr, rc, rr


@decorator
def numpy_implementation(
    function: Loss,
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    reduction: str = "none",
    options: Collection[str] = OPTIONS,
    loss: str | Collection[str] | None = None,
    subnormals: str | None = None,
    gradient: Partials | None = None,
    metrics: MetricFunction | None = None,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
    accumulation: str | Format | None = None,
) -> NumpyImplementation:
    """A plain function of NumPy arrays becomes an implementation, as a call or as a decorator.

    function(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, label_smoothing)
    takes four arrays of shape (n,) in the judged dtype (bfloat16 as ml_dtypes.bfloat16) and returns losses of shape
    (n,), or one number with reduction="mean". gradient(same arguments) returns the four partial derivatives of the
    summed losses (of the mean with reduction="mean"), each of shape (n,) or None; without it, gradients are not
    claimed.
    metrics(same arguments) returns numbers by name, as protocol.METRICS, protocol.REWARDS or both have it.

    dtypes: the formats it is for (all four by default). options: which of beta and label_smoothing it honours.
    subnormals: "flush" if it is known to replace subnormal results by zero. library: the installed distribution that is
    judged, whose version the record states. notes: by clause, what is
    known of conduct that violates it. Raises BadClaim.

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
        gradient=is_given("gradient", gradient),
        metrics=is_given("metrics", metrics),
        notes=notes,
        accumulation=accumulation,
    )
    label = name or str(getattr(function, "__name__", "function"))
    if loss is not None:
        from conformance.implementations.preference_numpy import NumpyFramework  # noqa: PLC0415 - where it is asked for

        made = preference(function, label, claimed, options, loss, NumpyFramework(gradient, library))
        return cast("NumpyImplementation", made)  # of another kind, with the members that the suite asks
    return NumpyImplementation(function, label, claimed, gradient, metrics, library)


# -- the two that ship -------------------------------------------------------------------------------------------------


def _logit(pc: Array, pr: Array, rc: Array, rr: Array, beta: float) -> Array:
    z: Array = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    return z


def _softplus(x: Array) -> Array:
    """max(x, 0) + log1p(exp(-|x|)), in x's own dtype: never overflows, never cancels."""
    result: Array = np.maximum(x, x.dtype.type(0)) + np.log1p(np.exp(-np.abs(x)))
    return result


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) for x >= 0 and exp(x) / (1 + exp(x)) for x < 0: the exponential never overflows."""
    one = x.dtype.type(1)
    y = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, one, y) / (one + y)
    return result


def _stable_loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, label_smoothing: float) -> Array:
    z = _logit(pc, pr, rc, rr, beta)
    if label_smoothing == 0:
        return _softplus(-z)
    eps = z.dtype.type(label_smoothing)
    mixed: Array = (z.dtype.type(1) - eps) * _softplus(-z) + eps * _softplus(z)
    return mixed


def _stable_gradient(
    pc: Array, pr: Array, rc: Array, rr: Array, beta: float, label_smoothing: float
) -> tuple[Array, Array, Array, Array]:
    z = _logit(pc, pr, rc, rr, beta)
    eps = z.dtype.type(label_smoothing)
    slope = (z.dtype.type(1) - eps) * _sigmoid(-z)
    if label_smoothing != 0:
        slope = slope - eps * _sigmoid(z)
    scaled = z.dtype.type(beta) * slope
    return -scaled, scaled, scaled, -scaled


def _metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, label_smoothing: float) -> dict[str, np.floating[Any]]:
    """Accumulated in float64, whatever the dtype."""
    chosen, rejected = pc - rc, pr - rr
    margin = chosen - rejected
    wins = margin * margin.dtype.type(beta) > 0
    wide = np.float64
    accuracy, means = np.mean(wins, dtype=wide), [np.mean(x, dtype=wide) for x in (margin, chosen, rejected)]
    values = [accuracy, *means, accuracy, *(wide(beta) * x for x in means)]
    return dict(zip((*METRICS, *REWARDS), values, strict=True))


def _naive_loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, label_smoothing: float) -> Array:
    """-log(sigmoid(z)), as tutorials write it: wrong in both tails."""
    z = _logit(pc, pr, rc, rr, beta)
    one, eps = z.dtype.type(1), z.dtype.type(label_smoothing)
    chosen = -np.log(one / (one + np.exp(-z)))
    if label_smoothing == 0:
        return chosen  # type: ignore[no-any-return]
    mixed: Array = (one - eps) * chosen - eps * np.log(one / (one + np.exp(z)))
    return mixed


STABLE = numpy_implementation(_stable_loss, name="numpy", gradient=_stable_gradient, metrics=_metrics, library="numpy")
NAIVE = numpy_implementation(_naive_loss, name="numpy-naive")
