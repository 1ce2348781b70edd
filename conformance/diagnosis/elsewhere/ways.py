"""Ways to call at which alone the answers are wrong: what they are there, by the hypotheses of plain calls and a few more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.accepted import accepted_gradients
from conformance.clauses.ends import reference_detached
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import Trial
from conformance.diagnosis.explaining import best
from conformance.diagnosis.points import Points, points
from conformance.diagnosis.probe import LOGITS, PAIRS, UNLIKE, Call, Probe, ask, wrong_derivatives, wrong_losses
from conformance.diagnosis.shapes import VAGUE
from conformance.diagnosis.states import MIXTURES
from conformance.diagnosis.variants import RIGHT, predicted
from conformance.errors import Misbehaviour
from conformance.implementations.besides import another
from conformance.implementations.protocol import Answer, Versatile
from conformance.implementations.ways import ONLY, UNWEIGHED, WITHOUT, Way, asked
from conformance.inputs.batch import NAMES, Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle import bounds
from oracle.bounds import Mask
from oracle.formats import Floats

ASKED: Mapping[Way, tuple[str, str]] = {
    Way.HELD_LOSSES: ("once other batches have been answered, where no derivative is asked for", "CALL-8"),
    Way.HELD: ("once other batches have been answered", "CALL-8"),
    Way.OFFSET: ("for inputs that begin within longer arrays", "LAYOUT-2"),
    Way.UNLIKE_STRIDES: ("for inputs with strides and offsets of their own", "LAYOUT-2"),
    Way.COLUMNS: ("for inputs that are the columns of a matrix", "LAYOUT-2"),
    Way.EXPANDED: ("for a constant input that is expanded, with a stride of 0", "LAYOUT-2"),
    Way.REVERSED: ("for inputs that are stored backwards, with a negative stride", "LAYOUT-2"),
    Way.AGAIN: ("in a second backward pass", "AUTOGRAD-4"),
    Way.CREATE_GRAPH: ("where the derivatives are to be differentiated (create_graph)", "AUTOGRAD-5"),
    Way.FROM_MODEL: ("for inputs that a model returned, which are no leaves", "AUTOGRAD-7"),
    Way.NO_GRAD: ("under no_grad", "AUTOGRAD-9"),
    Way.INFERENCE: ("in inference mode", "AUTOGRAD-9"),
    Way.AUTOCAST: ("under autocast to bfloat16", "AUTOGRAD-12"),
    Way.SAME_TENSORS: ("where the same tensors were passed before, with other options", "AUTOGRAD-3"),
    Way.FIRST_OF_TWO: ("where another batch is answered before the backward pass", "AUTOGRAD-3"),
    Way.SECOND_OF_TWO: ("where another batch's backward pass is still due", "AUTOGRAD-3"),
    Way.REFILLED_LOSSES: ("where the same arrays held other numbers before, and no derivative is asked for", "CALL-9"),
    Way.REFILLED: ("where the same arrays held other numbers before", "CALL-9"),
    Way.INPUTS_CHANGED: ("where the inputs change before the backward pass", "AUTOGRAD-6"),
    Way.LOSSES_CHANGED: ("where the losses are weighted in place", "AUTOGRAD-6"),
    Way.GIVEN_STRIDED: ("where the incoming derivative is a column of a matrix", "AUTOGRAD-2"),
    Way.GIVEN_EXPANDED: ("where the incoming derivative is one number, expanded", "AUTOGRAD-2"),
    Way.HOOKED: ("where a hook changes the incoming derivative", "AUTOGRAD-2"),
    Way.GIVEN: ("where each loss has a weight of its own", "AUTOGRAD-1"),
    Way.BACKWARD: ("where the derivatives of two backward() add up in .grad", "AUTOGRAD-1"),
    **{way: (f"where no derivative is asked for in {name}", "AUTOGRAD-8") for way, name in zip(WITHOUT, NAMES, strict=True)},
    **{way: (f"where a derivative is asked for in {name} alone", "AUTOGRAD-8") for way, name in zip(ONLY, NAMES, strict=True)},
    Way.SHARED: ("for inputs that share their memory", "LAYOUT-4"),
    Way.DETACHED: ("where the reference is the policy's own tensor, detached", "AUTOGRAD-11"),
    Way.ONE_TENSOR: ("where one tensor is passed as two arguments", "AUTOGRAD-11"),
    Way.FUNCTIONAL: ("in the answer of value_and_grad", "AUTOGRAD-10"),
    Way.COMPILED: ("under jit", "AUTOGRAD-10"),
    Way.VMAP: ("under vmap", "AUTOGRAD-10"),
    Way.FORWARD: ("in forward mode", "AUTOGRAD-10"),
    Way.CHECKPOINTED: ("under checkpointing", "AUTOGRAD-10"),
    Way.IN_WEIGHTS: ("where they are differentiated in the incoming derivative", "SECOND-5"),
}
"""Where that is, in words, and the clause that asks so; what tells the most of a cause first."""
_ALSO = {"LAYOUT-2": "LAYOUT-1"}
"""What asks for losses where the other asks for derivatives."""
_ALIKE = (Way.SHARED, Way.ONE_TENSOR, Way.DETACHED)
_KEPT = {
    Way.HELD: "overwritten: they lie in memory that later calls write to",
    Way.HELD_LOSSES: "overwritten: they lie in memory that later calls write to",
    Way.REFILLED: "not those of what the arrays hold: remembered by where the arrays lie, or by their identity",
    Way.REFILLED_LOSSES: "not those of what the arrays hold: remembered by where the arrays lie, or by their identity",
    Way.IN_WEIGHTS: "wrong: the incoming derivative is a constant to autograd",
}
"""What a wrong number tells there, whichever it is."""
_MANY = 300


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What is returned in the first way that is wrong, and in which others; None where none is, or none is asked."""
    judged = trial.implementation
    if not isinstance(judged, Versatile):
        return None
    named = {finding.clause for finding in violated}
    found = {}
    for way, (_, clause) in ASKED.items():
        if way in judged.ways and named & {clause, _ALSO.get(clause, clause)}:
            told = _of_way(trial, judged, way)
            if told is not None:
                found[way] = told
    if not found:
        return None
    first, told = next(iter(found.items()))
    place = _asking(tuple(found)) if first in {*WITHOUT, *ONLY} else ASKED[first][0]
    return replace(told, where=", ".join(part for part in (place, told.where) if part), key=f"{told.key} {ASKED[first][0]}")


def _asking(ways: tuple[Way, ...]) -> str:
    """In which arguments a derivative is asked for, where some are not."""
    without, only = [way for way in ways if way in WITHOUT], [way for way in ways if way in ONLY]
    if len(without) == len(WITHOUT):
        return "unless derivatives are asked for in all four"
    if len(only) == len(ONLY) and not without:
        return "where a derivative is asked for in one argument alone"
    return " and ".join(ASKED[way][0] for way in [*without, *only][:2])


def _of_way(trial: Trial, judged: Versatile, way: Way) -> Cause | None:
    """What is wrong in that way; `where` is what of it is wrong, empty for all."""
    calls = [call for call in _calls(trial, judged, way) if call.answer is not None]
    if not calls:
        return None
    cure = find(ASKED[way][1]).remedy
    if any(call.refused and not _none(trial, call) for call in calls):
        says = _KEPT.get(way, "none: the loss is cut off from what asks for them")
        return _cause("no derivative", "derivatives", says, cure, calls)
    masks = tuple(_of_the_way(trial, call, wrong_losses) for call in calls)
    losses = Probe(trial, tuple(calls), masks, ())
    if any(mask.any() for mask in losses.wrong_losses):
        probe = replace(losses, wrong_derivatives=tuple(np.zeros(len(call.batch), dtype=bool) for call in calls))
        asked_losses = points(probe, "loss")
        found = next(_mixed(way, trial, asked_losses, cure), None) or best(asked_losses)
        return _told(way, asked_losses, found, cure)
    if way is Way.ONE_TENSOR:
        return _roles(trial, calls, cure)
    masks = tuple(_of_the_way(trial, call, wrong_derivatives) for call in calls)
    if not any(mask.any() for mask in masks):
        return None
    probe = replace(losses, wrong_derivatives=masks)
    slopes = points(probe, "derivatives")
    told = next(_mixed(way, trial, slopes, cure), None) or _weighing(way, trial, calls, slopes, cure)
    return _told(way, slopes, told or best(slopes), cure)


def _of_the_way(trial: Trial, call: Call, judge: Callable[[Trial, Call], Mask]) -> Mask:
    """What is wrong of it, but for what is wrong where the same is asked plainly."""
    wrong = judge(trial, call)
    return wrong & ~judge(trial, ask(trial, "", call.batch)) if wrong.any() and not trial.single else wrong


def _none(trial: Trial, call: Call) -> bool:
    """Whether a derivative is missing where the same is asked plainly."""
    plain = ask(trial, "", call.batch).answer
    return plain is None or plain.gradient is None or None in [part if part is None else 0 for part in plain.gradient[:2]]


def _told(way: Way, found_in: Points, found: Cause, cure: str) -> Cause:
    """The cause as one of the way: by its clause's cure, and in its words where the number tells nothing."""
    vague = found.says in VAGUE.values()
    says = _KEPT[way] if way in _KEPT and (vague or way is not Way.REFILLED) else found.says
    part = found_in.part if found.part == "loss and derivatives" else found.part
    where = "" if says == _KEPT.get(way) or found.where == "at some of the numbers asked" else found.where
    return replace(found, kind=Kind.BATCH, part=part, says=says, where=where, cure=cure)


def _calls(trial: Trial, judged: Versatile, way: Way) -> Iterator[Call]:
    """The short pairs under two sets of options, one pair, many, and logits in both tails."""
    short = Batch.of(*PAIRS)
    gradient = trial.implementation.claims.gradient
    detached = gradient and reference_detached(
        trial.answer(trial.optioned(short, beta=0.5, label_smoothing=0.0), gradient=True)
    )
    for beta, eps in dict.fromkeys(((0.5, 0.1), (0.5, 0.0), (2.0, 0.0))):
        batch = trial.optioned(short, beta=beta, label_smoothing=eps)
        for one in _alike(batch) if way in _ALIKE else (_constant(batch),) if way is Way.EXPANDED else (batch,):
            yield _ask(trial, judged, way, one, detached)
    if way in {*_ALIKE, Way.EXPANDED}:
        return
    if not trial.single and not trial.compiles:
        batch = trial.optioned(short, beta=0.5, label_smoothing=0.1)
        yield _ask(trial, judged, way, batch.take([3]), detached)
        yield _ask(trial, judged, way, batch.take(np.resize(np.arange(len(short)), _MANY)), detached)
    if "beta" in trial.implementation.claims.options and way not in {Way.INPUTS_CHANGED, Way.HELD, Way.HELD_LOSSES}:
        z = trial.fmt.round_array(np.array([x for x in LOGITS if x < trial.fmt.largest / 2]))
        for sign in (1, -1):
            yield _ask(trial, judged, way, Batch.at_logits(sign * z), detached, np.ones(len(z)))


def _alike(batch: Batch) -> Iterator[Batch]:
    """Whose reference is the policy, or the policy exchanged, and whose two responses are one in the policy."""
    pc, pr, rc, rr = batch.logps
    for row in ((pc, pr, pc, pr), (pc, pr, pr, pc), (pc, pc, rc, rr)):
        yield Batch(*row, batch.beta, batch.label_smoothing)


def _constant(batch: Batch) -> Batch:
    """Whose reference is the same for all pairs."""
    pc, pr, rc, rr = batch.logps
    return Batch(pc, pr, np.full_like(rc, rc[0]), np.full_like(rr, rr[0]), batch.beta, batch.label_smoothing)


def _ask(trial: Trial, judged: Versatile, way: Way, batch: Batch, detached: bool, weights: Floats | None = None) -> Call:
    """One call in that way, its derivatives over their weights; one that is asked for and missing is NaN."""
    gradient = trial.implementation.claims.gradient and bool(asked(way))
    scale = _weights(way, len(batch)) if weights is None else weights
    try:
        answer = trial.by_way(judged, way, batch, scale, gradient=gradient)
    except Misbehaviour as error:
        return Call(way, batch, way, None, f"{error.kind}: {error}")
    if not gradient:
        return Call(way, batch, way, Answer(answer.losses, None, answer.dtype))
    parts: list[Floats | None] = [None] * 4
    missing = False
    for place in asked(way):
        part = (answer.gradient or (None,) * 4)[place]
        if place > 1 and detached:
            continue
        missing |= part is None and way is not Way.ONE_TENSOR
        parts[place] = None if part is None else part / scale
    pc, pr, rc, rr = parts
    return _Call(way, batch, way, Answer(answer.losses, (pc, pr, rc, rr), answer.dtype), "no derivative" if missing else "")


class _Call(Call):
    """A call whose derivatives are all judged: those of a detached reference are left out of its answer."""

    def derivatives(self) -> Iterator[tuple[int, Floats]]:
        """(place, got) of each derivative that was asked for."""
        for place, got in enumerate((self.answer.gradient if self.answer is not None else None) or ()):
            if got is not None:
                yield place, got


def _weights(way: Way, n: int) -> Floats:
    if way in UNWEIGHED or way is Way.ONE_TENSOR:
        return np.ones(n)
    return np.full(n, UNLIKE[0]) if way is Way.GIVEN_EXPANDED else np.resize(UNLIKE, n)


# -- hypotheses of a way -----------------------------------------------------------------------------------------------------


def _logit_of(now: Batch, then: Batch) -> Batch:
    scale = then.beta / now.beta if now.beta else 1.0
    pc, pr, rc, rr = (scale * x for x in then.logps)
    return Batch(pc, pr, rc, rr, now.beta, now.label_smoothing)


def _factor_of(now: Batch, then: Batch) -> Batch:
    scale = now.beta / then.beta if then.beta else 1.0
    pc, pr, rc, rr = (scale * x for x in now.logps)
    return Batch(pc, pr, rc, rr, then.beta, now.label_smoothing)


_ANOTHERS = (
    *((key, says.replace("an earlier call", "another call"), mixture) for key, says, mixture in MIXTURES),
    ("keeps the logit of another call", "those at the logit of another call", _logit_of),
    ("keeps beta of another call", "those at the beta of another call", lambda now, then: now.at(beta=then.beta)),
    ("keeps the factor beta of another call", "those with the factor beta of another call", _factor_of),
    (
        "keeps label_smoothing of another call",
        "those at the label_smoothing of another call",
        lambda now, then: now.at(label_smoothing=then.label_smoothing),
    ),
)
"""(key, what is returned, the batch whose answer that is), of this call and of the one that is made beside it."""
_HALVES = (
    "first halves",
    "the loss of the first half of each tensor, the chosen responses, for both: where a view begins is ignored",
    lambda now, then: Batch(now.logps[0], now.logps[0], now.logps[2], now.logps[2], now.beta, now.label_smoothing),
)
_BESIDE = {
    Way.HELD,
    Way.HELD_LOSSES,
    Way.REFILLED,
    Way.REFILLED_LOSSES,
    Way.FIRST_OF_TWO,
    Way.SECOND_OF_TWO,
    Way.SAME_TENSORS,
    Way.INPUTS_CHANGED,
}


def _mixed(way: Way, trial: Trial, found_in: Points, cure: str) -> Iterator[Cause]:
    """What belongs to the call that is made beside it, in the ways that make one."""
    if way not in {*_BESIDE, Way.FROM_MODEL}:
        return
    masks = found_in.by_call(found_in.wrong)
    for key, says, mixture in (_HALVES,) if way is Way.FROM_MODEL else _ANOTHERS:
        held = []
        for call, mask in zip(found_in.calls, masks, strict=True):
            if not mask.any():
                continue
            expected = predicted(RIGHT, mixture(call.batch, another(call.batch, trial.implementation.claims)), trial.fmt)
            if found_in.part == "loss":
                held.append(bool(expected.losses.holds(call.losses)[mask].all()))
            elif expected.derivatives is not None:
                held += [bool(expected.derivatives[place].holds(got)[mask].all()) for place, got in call.derivatives()]
        if held and all(held):
            yield _cause(key, found_in.part, says, cure, found_in)


def _cause(key: str, part: str, says: str, cure: str, found_in: Points | Sequence[Call]) -> Cause:
    if not isinstance(found_in, Points):
        return Cause(key, Kind.BATCH, part, says, "", cure, len(found_in), sum(bool(call.refused) for call in found_in))
    return Cause(key, Kind.BATCH, part, says, "", cure, len(found_in.wrong), int(found_in.wrong.sum()))


def _weighing(way: Way, trial: Trial, calls: Sequence[Call], found_in: Points, cure: str) -> Cause | None:
    """What comes of the incoming derivatives of that way: left out, applied twice, those of another pass."""
    if way in UNWEIGHED:
        return None
    changes: list[tuple[str, Callable[[Floats], Floats]]] = []
    if way is Way.AGAIN:
        changes = [
            ("those of the first pass, whatever comes in", lambda w: 2 * w),
            ("those of the first pass and of the second, added up", lambda w: 3 * w),
            ("with the incoming derivatives of both passes applied", lambda w: 2 * w * w),
        ]
    changes += [
        ("without the incoming derivative", np.ones_like),
        ("without the sign of the incoming derivative", np.abs),
        ("with the incoming derivative applied twice", np.square),
        ("with the incoming derivative of the first pair for all", lambda w: np.full_like(w, w[0])),
    ]
    for says, change in changes:
        if all(_changed(trial, way, call, change) for call in calls if wrong_derivatives(trial, call).any()):
            return _cause(says, "derivatives", says, cure, found_in)
    return None


def _changed(trial: Trial, way: Way, call: Call, change: Callable[[Floats], Floats]) -> bool:
    """Whether a call's derivatives are those of its weights, changed so; the tails have the weight 1."""
    scale = np.ones(len(call.batch)) if len(call.batch) not in {1, len(PAIRS[0]), _MANY} else _weights(way, len(call.batch))
    accepted, factor = accepted_gradients(trial, call.batch), change(scale) / scale
    return all(bool((accepted.rho(SIGNS[place] * got / factor) <= 1).all()) for place, got in call.derivatives())


def _roles(trial: Trial, calls: Sequence[Call], cure: str) -> Cause | None:
    """The derivative in a tensor that is two arguments, which is the sum of theirs, and what it is taken for; None where
    the same pairs have wrong derivatives when they are asked plainly, each argument a tensor of its own.
    """
    if any(wrong_derivatives(trial, plain).any() for plain in (ask(trial, "", call.batch) for call in calls) if plain.answer):
        return None
    readings = (
        ("that of the first of its roles alone", lambda first, last: first),
        ("that of the last of its roles alone", lambda first, last: last),
        ("twice the sum of those of its roles", lambda first, last: 2 * (first + last)),
        ("0", lambda first, last: 0 * first),
    )
    seen = []
    for call in calls:
        slope = bounds.centre(accepted_gradients(trial, call.batch).exact)
        for places in _pairs_of_roles(call.batch):
            got = (call.answer.gradient or (None,) * 4)[places[0]] if call.answer is not None else None
            if got is not None:
                seen.append((got, *(SIGNS[place] * slope for place in places)))

    def holds(reading: Callable[[Floats, Floats], Floats], one: tuple[Floats, ...]) -> bool:
        got, first, last = one
        room = 64 * trial.fmt.unit_roundoff * (np.abs(first) + np.abs(last)) + 16 * trial.fmt.smallest_normal
        return bool((np.abs(got - reading(first, last)) <= room).all())

    wrong = [one for one in seen if not holds(lambda first, last: first + last, one)]
    for says, reading in readings if wrong else ():
        if all(holds(reading, one) for one in wrong):
            return Cause(says, Kind.BATCH, "derivatives", says, "", cure, len(seen), len(wrong))
    return (
        Cause("roles", Kind.BATCH, "derivatives", "not the sum of those of its roles", "", cure, len(seen), len(wrong))
        if wrong
        else None
    )


def _pairs_of_roles(batch: Batch) -> Iterator[tuple[int, int]]:
    """The places of two arguments that hold the same numbers."""
    for first in range(4):
        for last in range(first + 1, 4):
            if np.array_equal(batch.logps[first], batch.logps[last]):
                yield first, last
