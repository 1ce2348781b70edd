"""AUTOGRAD: what a training step may do between the loss and its derivatives."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.clauses.called import SMOOTHINGS, WEIGHING, alike_pairs, exact_pairs, incoming, judge_ways
from conformance.clauses.ends import judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.trial import Trial
from conformance.implementations.ways import ONLY, WITHOUT, Way
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import near_reference, one_sided, short_responses
from conformance.records.record import Level

chapter = Chapter("AUTOGRAD")
_JUDGED = " Judged of an implementation whose wrapper can make such calls: of PyTorch and of JAX."


@chapter.clause(
    1,
    Level.MUST,
    "an incoming derivative of any size",
    kills=(
        "upstream-in-binary16",
        "upstream-clamped-to-one",
        "upstream-below-one-left-out",
        "upstream-of-zero-left-out",
        "upstream-of-first-in-a-block",
        "gradients-in-one-memory",
    ),
    statement="The derivatives of a sum of losses, each with a weight of its own, shall be the derivatives of each loss times "
    "its weight: for weights of 0, of either sign, below 1 and above, for the loss scales 2^16, 2^20, 2^-24 and 2^-30 (2^15 "
    "and 2^-4 in binary16), and for weights that a narrower format does not hold; whether they are handed to the backward pass "
    "or multiply the losses, in PyTorch in two backward passes whose derivatives accumulate; where the weight is 0 the "
    "derivative shall be 0.",
    derivation="The chain rule. " + WEIGHING + " With |z| at most 2, no product with these weights leaves the normal numbers."
    " 0 times a finite slope is 0. The same derivative added twice is its double, exactly, unless two arguments' derivatives "
    "lie in one memory, to which each is then added." + _JUDGED,
    guards=("https://github.com/pytorch/pytorch/issues/194719", "https://github.com/axolotl-ai-cloud/axolotl/pull/3892"),
    needs=("gradient",),
    remedy="Multiply by the incoming derivative as it comes, pair by pair and in no narrower format: no clamp, no cast, no "
    "case for 1 or for 0; return a tensor of its own for each argument.",
)
def any_size(trial: Trial) -> Outcome:
    """Derivatives of weighted sums, given and by backward()."""
    return judge_ways(trial, (Way.GIVEN, Way.BACKWARD), weights=incoming(trial.fmt))


@chapter.clause(
    2,
    Level.MUST,
    "an incoming derivative as it lies in memory",
    kills=(
        "upstream-read-flat",
        "upstream-offset-ignored",
    ),
    statement="The derivatives of a weighted sum shall lie in their acceptance intervals where the incoming derivative is a "
    "column of a matrix, one number expanded to all with a stride of 0, and where a hook on the losses has changed it.",
    derivation="A sum hands back one number expanded; a slice, a transposition and a mask hand back views. "
    + WEIGHING
    + _JUDGED,
    guards=("https://github.com/Dao-AILab/flash-attention/issues/355", "https://github.com/pytorch/pytorch/issues/105801"),
    needs=("gradient",),
    remedy="Honour the strides and the offset of grad_output, or call grad_output.contiguous() before a kernel reads its "
    "memory.",
)
def any_layout(trial: Trial) -> Outcome:
    """Derivatives for strided, expanded and hooked incoming derivatives."""
    return judge_ways(trial, (Way.GIVEN_STRIDED, Way.GIVEN_EXPANDED, Way.HOOKED), weights=(2.0, 8.0, -2.0, 1.0, 4.0))


@chapter.clause(
    3,
    Level.MUST,
    "other calls in between",
    kills=(
        "state-of-last-forward",
        "state-first-in-first-out",
        "hook-left-on-inputs",
        "upstream-written-to",
    ),
    statement="The losses and derivatives shall lie in their acceptance intervals where another batch is answered between the "
    "call and its backward pass, of the sum of both losses in PyTorch, where another's backward pass is still due, and where "
    "the same tensors were passed before with other options.",
    derivation="Gradient accumulation, a second loss on the same model and an evaluation in mid-step make such calls. What a "
    "backward pass needs belongs to its own call. What comes back to a sum comes back to each of its terms as one tensor, "
    "which is not the backward pass's to write to. " + WEIGHING + _JUDGED,
    guards=("https://github.com/NVIDIA/TransformerEngine/issues/2746",),
    needs=("gradient",),
    remedy="Keep what the backward pass needs in its own context (ctx.save_for_backward), never on the module, in a global or "
    "in a queue; leave no hook on the caller's tensors, and write nothing in place onto grad_output.",
)
def between(trial: Trial) -> Outcome:
    """Answers among other calls."""
    return judge_ways(trial, (Way.FIRST_OF_TWO, Way.SECOND_OF_TWO, Way.SAME_TENSORS))


@chapter.clause(
    4,
    Level.MUST,
    "a second backward pass",
    kills=(
        "saved-slope-overwritten",
        "second-backward-of-nothing",
    ),
    statement="A second backward pass through a retained graph shall give the derivatives within their acceptance intervals, "
    "or be refused by an exception.",
    derivation="The derivative does not depend on how often it is asked for; a pass that works in place on what it saved "
    "applies the incoming derivative twice. " + WEIGHING + _JUDGED,
    needs=("gradient",),
    remedy="Write nothing in place onto saved tensors: grad_output * saved, not saved.mul_(grad_output).",
)
def second_backward(trial: Trial) -> Outcome:
    """Derivatives of the second pass."""
    return judge_ways(trial, (Way.AGAIN,), may_refuse=(Way.AGAIN,))


@chapter.clause(
    5,
    Level.MUST,
    "derivatives that will be differentiated",
    kills=("create-graph-of-nothing", "slope-cancels-under-create-graph"),
    statement="The derivatives under create_graph shall lie in their acceptance intervals, or be refused by an exception.",
    derivation="create_graph adds a graph to the derivatives and changes none of them; SECOND judges theirs. "
    + WEIGHING
    + _JUDGED,
    needs=("gradient",),
    remedy="Let the backward pass compute the same whether or not grad mode is on; mark one that cannot be differentiated by "
    "once_differentiable.",
)
def create_graph(trial: Trial) -> Outcome:
    """Derivatives under create_graph."""
    return judge_ways(trial, (Way.CREATE_GRAPH,), may_refuse=(Way.CREATE_GRAPH,))


_CHANGED = (Way.INPUTS_CHANGED, Way.LOSSES_CHANGED)


@chapter.clause(
    6,
    Level.MUST,
    "changed before the backward pass",
    kills=(
        "inputs-kept-by-reference",
        "inputs-kept-without-version",
        "losses-kept-by-reference",
    ),
    statement="Where the inputs hold other numbers by the time of the backward pass, or the losses were weighted in place, the "
    "derivatives shall be those of the numbers that were passed, within their acceptance intervals, or be refused by an "
    "exception.",
    derivation="Autograd counts the versions of what was saved by save_for_backward and refuses where one has changed; what is "
    "kept past it, by reference, is read anew, and the derivative is silently that of other numbers. " + WEIGHING + _JUDGED,
    needs=("gradient",),
    remedy="Save tensors by ctx.save_for_backward, not as attributes and not by .data, or keep copies.",
)
def changed(trial: Trial) -> Outcome:
    """Derivatives after changes in place."""
    return judge_ways(trial, _CHANGED, may_refuse=_CHANGED)


@chapter.clause(
    7,
    Level.MUST,
    "inputs that a model returned",
    kills=(
        "detached-unless-leaf",
        "gradient-halved-unless-leaf",
        "naive-unless-leaf",
    ),
    statement="The losses and derivatives shall lie in their acceptance intervals where the log-probabilities are no leaves of "
    "the graph, but halves of one tensor that was computed.",
    derivation="Every model's outputs are such: chosen and rejected come from one forward pass, cut in two. "
    + WEIGHING
    + _JUDGED,
    needs=("gradient",),
    remedy="Ask an input only whether it requires a derivative, not whether it is a leaf; detach nothing of the policy.",
)
def from_model(trial: Trial) -> Outcome:
    """Derivatives through a model's outputs."""
    return judge_ways(trial, (Way.FROM_MODEL,))


@chapter.clause(
    8,
    Level.MUST,
    "an input without a derivative",
    kills=(
        "gradient-needs-all-four",
        "gradients-closed-up",
        "gradient-needs-a-second",
        "naive-beside-a-frozen-reference",
    ),
    statement="Where no derivative is asked for in one of the four log-probabilities, or one is asked for in one of them "
    "alone, what is asked for shall lie in its acceptance interval, whichever the one is.",
    derivation="A part of a model may be frozen, a reference cached. The derivatives are independent of which are asked for. "
    + WEIGHING
    + _JUDGED,
    needs=("gradient",),
    remedy="Return a derivative for each argument that asks for one (ctx.needs_input_grad), in its own place, None for the "
    "rest.",
)
def without_one(trial: Trial) -> Outcome:
    """Derivatives in three of the four, and in one."""
    return judge_ways(trial, (*WITHOUT, *ONLY))


@chapter.clause(
    9,
    Level.MUST,
    "no graph",
    kills=(
        "no-grad-in-float16",
        "inference-unsmoothed",
    ),
    statement="The losses shall lie in their acceptance intervals under no_grad, though the inputs require derivatives, and in "
    "inference mode.",
    derivation="An evaluation reports the loss that training minimises. The interval is that of LOSS-1 and GRAD-5: pairs near "
    "the reference, short responses, and margins of either sign up to 20,000 nats." + _JUDGED,
    remedy="One path for the loss, whatever the grad mode is; skip what only the backward pass needs, and nothing else.",
)
def no_graph(trial: Trial) -> Outcome:
    """Losses where nothing records."""
    return judge_ways(trial, (Way.NO_GRAD, Way.INFERENCE), gradient=False, batches=_ordinary(trial))


def _ordinary(trial: Trial) -> Iterator[Batch]:
    """Exact pairs, and drawn ones of three regimes."""
    rng = trial.rng("AUTOGRAD-9")
    for smoothing in trial.offered("label_smoothing", SMOOTHINGS):
        yield exact_pairs(trial, smoothing)
        for draw in (near_reference, short_responses, one_sided):
            batch = draw(trial.fmt, max(1, trial.sizes.pairs // 4), rng)
            yield judged_pairs(trial, trial.optioned(batch, beta=0.1, label_smoothing=smoothing))


_TRANSFORMATIONS = (Way.FUNCTIONAL, Way.COMPILED, Way.VMAP, Way.FORWARD, Way.CHECKPOINTED)


@chapter.clause(
    10,
    Level.MUST,
    "transformed",
    kills=(
        "jax-unsmoothed-under-trace",
        "jax-wrong-batching-rule",
    ),
    statement="The losses and derivatives of the transformed function, value and gradient by one function, jit of it, vmap of "
    "it, forward mode and checkpointing, shall lie in their acceptance intervals, or be refused by an exception.",
    derivation="A transformation changes how a function is computed and not what. A rule of its own for one of them "
    "(custom_vjp, custom_jvp, custom_vmap, a branch for tracers) is code of its own. " + WEIGHING + _JUDGED,
    needs=("gradient",),
    remedy="Give a rule of your own for the transformation, right in value and derivative, or none: the framework's own then "
    "holds.",
)
def transformed(trial: Trial) -> Outcome:
    """Losses and derivatives of the transformed function."""
    return judge_ways(trial, _TRANSFORMATIONS, may_refuse=_TRANSFORMATIONS)


@chapter.clause(
    11,
    Level.MUST,
    "one tensor in two roles",
    kills=("gradient-of-first-role", "detached-without-policy"),
    statement="Where one tensor is passed as two of the four log-probabilities, its derivative shall be the sum of theirs: "
    "twice either of them, within its acceptance interval, or 0, to within the width of that interval; and where the reference "
    "is the policy's own tensor, detached, the losses and the policy's derivatives shall lie in their acceptance intervals.",
    derivation="The chain rule. Such are the first step of a training that begins at its reference, and a reference that is "
    "the policy with its adapter switched off. " + WEIGHING + _JUDGED,
    needs=("gradient",),
    remedy="Return a derivative for each argument by its place, not by the tensor's identity or address; a reference that lies "
    "where the policy does is a reference all the same.",
)
def two_roles(trial: Trial) -> Outcome:
    """Derivatives of tensors that are two arguments, and beside a reference that is the policy, detached."""
    return judge_ways(trial, (Way.ONE_TENSOR, Way.DETACHED), batches=alike_pairs(trial))


@chapter.clause(
    12,
    Level.MUST,
    "under autocast",
    kills=("autocast-in-bfloat16", "autocast-gradient-in-bfloat16", "naive-under-autocast"),
    statement="The losses and derivatives shall lie in the acceptance intervals of their inputs' format within a region of "
    "autocast to bfloat16, or be refused by an exception.",
    derivation="Autocast chooses a dtype for matrix products and convolutions, of which a loss has none; it is no leave to "
    "round log-probabilities of whole responses to 8 bits. A trainer of mixed precision calls its loss there. "
    + WEIGHING
    + " Judged of an implementation in PyTorch.",
    needs=("gradient",),
    remedy="Compute the margin by subtractions and not by a matrix product, or decorate the function with "
    "torch.amp.custom_fwd(cast_inputs=torch.float32); never ask torch.is_autocast_enabled().",
)
def autocast(trial: Trial) -> Outcome:
    """Losses and derivatives under autocast."""
    return judge_ways(trial, (Way.AUTOCAST,), may_refuse=(Way.AUTOCAST,))
