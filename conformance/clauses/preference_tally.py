"""What the chapter of named losses judges by: the implementation asked, and its numbers against the loss's own intervals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np

from conformance.clauses.model import Outcome
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.preference import LossAnswer, PreferenceLoss
from conformance.inputs.losses import LossBatch
from conformance.records.record import Worst
from oracle import losses
from oracle.bounds import Acceptance, Mask
from oracle.bounds.expression import Running, running
from oracle.expressions.exact import Value
from oracle.expressions.nodes import ZERO, Node, mean
from oracle.expressions.rebuilding import first_spelling
from oracle.formats import Floats
from oracle.losses import Parameter
from oracle.losses._evaluate import slope
from oracle.real import Real
from oracle.ulp import ulp_error

_MOST = 256
_ANALYSES: OrderedDict[bytes, Running] = OrderedDict()


class Judge:
    """The numbers of one clause, and the worst of them."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self._implementation = cast(PreferenceLoss, trial.implementation)
        self.loss = losses.get_loss(self._implementation.claims.loss)
        self._points = self._violations = 0
        self._worst: tuple[float, str, LossBatch, float] | None = None
        self._notes: list[str] = []

    # -- batches ---------------------------------------------------------------------------------------------------

    def telling(self, batch: LossBatch) -> LossBatch:
        """The pairs at parameters that show, each where it is claimed."""
        claimed = self._implementation.claims.options
        return batch.of(self.loss).at(**{name: x for name, x in self.loss.telling.items() if name in claimed})

    def plain(self, batch: LossBatch) -> LossBatch:
        """The pairs at the defaults."""
        return batch.of(self.loss)

    def admits(self, parameter: Parameter, x: float) -> bool:
        """Whether the parameter may have that value."""
        return Fraction(x) in parameter.domain

    # -- asking ----------------------------------------------------------------------------------------------------

    @property
    def whole(self) -> bool:
        """Whether what is judged is the mean: it is all that is returned, or all that the loss defines."""
        return self.loss.has_batch_state or self.trial.single

    @property
    def weighs(self) -> bool:
        """Whether derivatives of weighted sums can be asked for."""
        return self._implementation.framework.weighs

    def asked(self, batch: LossBatch, *, gradient: bool) -> LossAnswer:
        """What the implementation answers. Raises Misbehaviour."""
        return self._implementation.evaluate(batch, self.trial.fmt, gradient=gradient)

    def values(self, batch: LossBatch, *, as_written: bool = False) -> None:
        """The losses of the batch, or their mean; as_written: within the interval of the first spelling alone."""
        self._values_of(batch, self.asked(batch, gradient=False).losses, as_written=as_written)

    def _values_of(self, batch: LossBatch, got: Floats, *, as_written: bool = False) -> None:
        analysis = self._analysis(batch)
        definition = first_spelling(self.loss.definition) if as_written else self.loss.definition
        node = mean(definition) if self.whole else definition
        acceptance, fits = analysis.acceptance(node), analysis.representable(node)
        if self.whole:
            average = np.full(1, _average(got))
            self._judged("mean loss", batch, average, acceptance[np.array([0])], np.array([bool(fits.all())]))
        else:
            self._judged("loss", batch, got, acceptance, fits)

    def derivatives(self, batch: LossBatch) -> None:
        """The derivatives of the sum over the batch, or of the mean where that is returned, and the losses beside them."""
        answer = self.asked(batch, gradient=True)
        if answer.gradient is None:
            raise Misbehaviour("no gradient", "it claims gradients, and gave none where one was wanted")
        self._values_of(batch, answer.losses)
        analysis, n = self._analysis(batch), len(batch)
        shared = self._shared(answer, n)
        for name, got in answer.gradient.items():
            node = slope(self.loss, name)
            if got is None:
                if name.startswith("policy_") and node is not ZERO:
                    raise Misbehaviour("no gradient", f"no derivative in {name}")
                continue
            scaled = node if shared == 1 else node / shared
            self._judged(f"d loss / d {name}", batch, got, analysis.acceptance(scaled), analysis.representable(scaled))

    def _shared(self, answer: LossAnswer, n: int) -> int:
        """What the derivatives of the sum are divided by: n where a mean was returned."""
        return n if self.trial.single or (self.loss.has_batch_state and answer.losses.shape == ()) else 1

    def sizes(self, batch: LossBatch, sizes: Sequence[int]) -> None:
        """The losses of as many of the first pairs, at each size, or at few where a size costs a compilation; of a mean,
        the mean over them.
        """
        sizes = sizes[1::5] if self._implementation.framework.compiles_each_size else sizes
        if self.whole:
            for n in sizes:
                self.values(batch.take(slice(0, n)))
            return
        analysis = self._analysis(batch)
        acceptance, fits = analysis.acceptance(self.loss.definition), analysis.representable(self.loss.definition)
        for n in sizes:
            first = batch.take(slice(0, n))
            got = self.asked(first, gradient=False).losses
            self._judged("loss", first, got, acceptance[np.arange(n)], fits[:n])

    def weighed(self, batch: LossBatch) -> None:
        """The derivatives of a sum of weighted losses, each divided by its weight; of a mean, of a multiple of it."""
        n = len(batch)
        weights = np.full(n, 4.0) if self.whole else np.resize([1.0, 2.0, -4.0, 8.0, -1.0, -2.0], n)
        answer = self._implementation.evaluate(batch, self.trial.fmt, gradient=True, weights=weights)
        analysis, shared = self._analysis(batch), self._shared(answer, n)
        for name, got in (answer.gradient or {}).items():
            if got is not None and not self._detached(name, got):
                node = slope(self.loss, name) / shared
                self._judged(
                    f"d loss / d {name}", batch, got / weights, analysis.acceptance(node), analysis.representable(node)
                )

    def limits(self, batch: LossBatch) -> None:
        """Losses with an infinite log-probability, or at a pole, at their limits, NaN where there is none; where all of them
        are finite, the derivatives too, but for those that have none.
        """
        answer = self.asked(batch, gradient=self.trial.implementation.claims.gradient)
        exact, shared = self._limits_of(batch, self.loss.definition), len(batch) if self.trial.single else 1
        target, got = np.array([exact.mean()]) if self.trial.single else exact, np.atleast_1d(answer.losses)
        rho = self._apart(got, target)
        self._add("loss", batch, got, np.where(np.isnan(target) & ~np.isnan(got), np.inf, rho))
        for name, part in (answer.gradient or {}).items() if np.isfinite(exact).all() else ():
            if part is not None and not self._detached(name, part):
                node = slope(self.loss, name)
                lost = self._analysis(batch).errors(node).most
                room = np.where(np.isfinite(lost), lost, 0.0) / shared  # of terms that cancel
                self._add(f"d loss / d {name}", batch, part, self._apart(part, self._limits_of(batch, node) / shared, room))

    def at_poles(self, batch: LossBatch) -> None:
        """`limits`, where the definition is singular at every pair."""
        if not self._analysis(batch).representable(self.loss.definition).any():
            self.limits(batch)

    def finite(self, batch: LossBatch) -> None:
        """Losses and derivatives that are neither infinite nor NaN where the exact number is well within the format."""
        wanted = self._implementation.claims.gradient and not self.whole
        answer = self.asked(batch, gradient=wanted)
        parts = {"loss": answer.losses, **{f"d loss / d {name}": part for name, part in (answer.gradient or {}).items()}}
        arrays = self._analysis(batch).arrays
        for quantity, got in parts.items():
            name = quantity.removeprefix("d loss / d ")
            exact = arrays.ball(self.loss.definition if name == quantity else slope(self.loss, name))
            if got is None or got.size != len(batch):
                continue
            with np.errstate(invalid="ignore"):
                within = np.isfinite(exact.head) & (exact.exponent < self.trial.fmt.emax - 1)
            self._add(quantity, batch, got, np.where(within & ~np.isfinite(got), np.inf, 0.0))

    def at_excluded(self, batch: LossBatch, parameter: Parameter, x: float) -> list[str]:
        """What it returns at a value that the parameter may not have, where that is a number other than the limit."""
        got = np.atleast_1d(self.asked(batch.at(**{parameter.name: x}), gradient=False).losses)
        near, nearer = (self._beside(batch, parameter, Fraction(x), Fraction(1, 2**bits)) for bits in (40, 60))
        settled = np.abs(near - nearer) <= 1e-6 * np.maximum(1, np.abs(nearer))
        with np.errstate(invalid="ignore"):
            right = ~np.isfinite(got) | (settled & (np.abs(got - nearer) <= 0.01 * np.maximum(1, np.abs(nearer))))
        if right.all():
            return []
        i = int(np.argmin(right))
        limit = f"the limit is {nearer[i]:.6g}" if settled[i] else "there is no limit"
        return [f"at {parameter.name} = {x:g}, {parameter.domain.text}, it returned {got[i]:.6g}; {limit}"]

    def _beside(self, batch: LossBatch, parameter: Parameter, x: Fraction, step: Fraction) -> Floats:
        """The losses, or their mean, at a parameter by a step within its domain."""
        inside = x + step if x + step in parameter.domain else x - step
        arguments: dict[str, Any] = {**batch.rows, **batch.parameters, parameter.name: inside}
        exact = losses.value(self.loss, **arguments)
        numbers = np.array([float(value) for value in np.ravel(np.asarray(exact, dtype=object))])
        return np.full(1, np.mean(numbers)) if self.whole else numbers

    def _limits_of(self, batch: LossBatch, node: Node) -> Floats:
        """The exact values of a node, limits where they are singular."""
        return np.array([float(x) for x in self._analysis(batch).arrays.exact(node, np.arange(len(batch)))])

    def _apart(self, got: Floats, target: Floats, room: Floats | float = 0.0) -> Floats:
        """0 where a number is the target, within 32 unit roundoffs and that room, or there is none; else infinite."""
        near = 32 * self.trial.fmt.unit_roundoff * np.abs(target) + self.trial.fmt.smallest_normal + room
        with np.errstate(invalid="ignore"):
            right = (got == target) | np.isnan(target) | (np.abs(got - target) <= near)
        return np.where(right, 0.0, np.inf)

    @staticmethod
    def _detached(name: str, part: Floats) -> bool:
        """Whether no derivative flows into the reference."""
        return name.startswith("ref_") and not part.any()

    def not_a_number(self, batch: LossBatch, place: int) -> None:
        """NaN at that pair, or in the mean, and nowhere else where the loss is of one pair."""
        got = np.atleast_1d(self.asked(batch, gradient=False).losses)
        if self.whole:
            right = np.isnan(_average(got)) & np.ones(1, dtype=bool)
            self._add("mean loss", batch, got[:1], np.where(right, 0.0, np.inf))
            return
        right = np.isnan(got) == (np.arange(got.size) == place)
        self._add("loss", batch, got, np.where(right, 0.0, np.inf))

    def _analysis(self, batch: LossBatch) -> Running:
        fmt, flush = self.trial.fmt, self.trial.flush
        key = batch.key + fmt.name.encode() + bytes([flush])
        if key not in _ANALYSES:
            parameters = {name: Fraction(x) for name, x in batch.parameters.items()}
            _ANALYSES[key] = running(batch.rows, parameters, fmt, flush=flush)
            while len(_ANALYSES) > _MOST:
                _ANALYSES.popitem(last=False)
        _ANALYSES.move_to_end(key)
        return _ANALYSES[key]

    # -- adding up -------------------------------------------------------------------------------------------------

    def _judged(self, quantity: str, batch: LossBatch, got: Floats, acceptance: Acceptance, fits: Mask) -> None:
        rho = np.where(fits, acceptance.rho(got), 0.0)
        self._points -= int(np.count_nonzero(~fits))
        self._add(quantity, batch, got, rho)

    def _add(self, quantity: str, batch: LossBatch, got: Floats, rho: Floats) -> None:
        rho = np.where(np.isnan(rho), np.inf, rho)
        self._points += rho.size
        self._violations += int(np.count_nonzero(rho > 1))
        if not rho.size:
            return
        i = int(np.argmax(rho))
        if self._worst is None or rho[i] > self._worst[0]:
            alone = batch if self.loss.has_batch_state or rho.size != len(batch) else batch.take([i])
            self._worst = float(rho[i]), quantity, alone, float(got[i])

    def outcome(self) -> Outcome:
        """The finding's content."""
        return Outcome(self._points, self._violations, self._exactly())

    def _exactly(self) -> Worst | None:
        if self._worst is None:
            return None
        rho, quantity, batch, got = self._worst
        exact = self._value(quantity, batch)
        finite = exact.special is None
        parameters = {name: float(x).hex() for name, x in batch.parameters.items()} or {"beta": "nan"}
        return Worst(
            quantity=quantity,
            inputs={name: tuple(float(x).hex() for x in row) for name, row in batch.rows.items()},
            beta=parameters.get("beta", "nan"),
            label_smoothing=parameters.get("label_smoothing", "nan"),
            got=got.hex(),
            exact=exact.digits(20),
            rounded=exact.round(self.trial.fmt).hex(),
            ulp=_ulps(got, exact, self.trial) if finite else (0.0 if got == exact.special else np.inf),
            rho=rho,
            parameters=parameters,
        )

    def _value(self, quantity: str, batch: LossBatch) -> Value:
        arguments: dict[str, Any] = {**batch.rows, **batch.parameters}
        if quantity == "mean loss":
            return losses.mean(self.loss, **arguments)
        if quantity == "loss":
            return cast(Value, np.ravel(np.asarray(losses.value(self.loss, **arguments), dtype=object))[0])
        name = quantity.removeprefix("d loss / d ")
        return cast(Value, np.ravel(np.asarray(losses.gradient(self.loss, **arguments)[name], dtype=object))[0])


def _average(got: Floats) -> float:
    with np.errstate(all="ignore"):
        return float(np.mean(got)) if got.size else float("nan")


def _ulps(got: float, exact: Value, trial: Trial) -> float:
    return ulp_error(got, exact if isinstance(exact, Real) else Real.rational(Fraction(float(exact))), trial.fmt)
