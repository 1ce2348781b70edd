"""The ways in which a loss is called by those who train with it, by name: what a wrapper can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike


class Way(StrEnum):
    """One way to call a loss and to take its derivatives; each gives one answer to one batch.

    "Another batch" is `another` of it. A weight is the incoming derivative of one loss.
    """

    OFFSET = "at an offset in memory"
    """The inputs begin within longer arrays."""
    UNLIKE_STRIDES = "each input with a stride of its own"
    """Strides of 1, 2, 3 and 1 elements, at four offsets."""
    COLUMNS = "columns of one matrix"
    """The inputs are the columns of a matrix of n rows, and share its memory."""
    EXPANDED = "constant inputs expanded"
    """An input whose numbers are all the same is one number with a stride of 0."""
    REVERSED = "stored backwards"
    """The inputs have a negative stride."""

    SHARED = "alike inputs in the same memory"
    """Inputs that hold the same numbers are one array."""

    HELD = "held while others are answered"
    """The answer is kept, other batches of the same size and of others are answered, and then it is read."""
    HELD_LOSSES = "losses held while others are answered"
    """The same without derivatives."""
    REFILLED = "the same arrays filled anew"
    """The arrays held another batch, which was answered."""
    REFILLED_LOSSES = "the same arrays filled anew, losses alone"
    """The same without derivatives."""
    LATER = "derivatives after other losses"
    """Another batch's losses are asked for between the losses and the derivatives, which are a function of their own."""
    ELSEWHERE = "from another thread"
    """Losses and derivatives, in a thread that has made no other call."""

    GIVEN = "the incoming derivatives given"
    """The weights are the cotangent of a vector-Jacobian product."""
    BACKWARD = "backward() of the weighted sum"
    """The derivatives are read where a training step finds them, in .grad, of PyTorch where two such steps accumulated."""
    GIVEN_STRIDED = "the incoming derivatives strided"
    """What comes back to the losses is a column of a matrix."""
    GIVEN_EXPANDED = "one incoming derivative for all"
    """The first weight for all, one number expanded, as comes back from a sum."""
    HOOKED = "the incoming derivatives by a hook"
    """A hook on the losses multiplies by the weights; hooks on the inputs see the derivatives."""

    FIRST_OF_TWO = "another call before its backward pass"
    """Another batch is answered between the call and its backward pass, which in PyTorch goes through the sum of both."""
    SECOND_OF_TWO = "another call whose backward pass is due"
    """Another batch was answered before, and its backward pass has not been run."""
    SAME_TENSORS = "the second call with the same tensors"
    """The same tensors were passed before, with other options."""
    AGAIN = "a second backward pass"
    """The graph is retained, and a pass with twice the weights came first."""
    CREATE_GRAPH = "create_graph"
    """The derivatives are to be differentiated in their turn."""
    IN_WEIGHTS = "differentiated in the weights"
    """Each derivative's own derivative in its weight, times the weight."""
    INPUTS_CHANGED = "inputs changed before the backward pass"
    """The inputs hold another batch by then."""
    LOSSES_CHANGED = "losses weighted in place"
    """The losses themselves are multiplied by the weights, in place."""
    FROM_MODEL = "inputs that a model returned"
    """The inputs are no leaves: halves of a tensor that was computed from one."""
    WITHOUT_POLICY_CHOSEN = "none in policy_chosen_logps"
    """No derivative is asked for in that argument; so in the next three."""
    WITHOUT_POLICY_REJECTED = "none in policy_rejected_logps"
    WITHOUT_REF_CHOSEN = "none in ref_chosen_logps"
    WITHOUT_REF_REJECTED = "none in ref_rejected_logps"
    ONLY_POLICY_CHOSEN = "in policy_chosen_logps alone"
    """A derivative is asked for in that argument and in no other; so in the next three."""
    ONLY_POLICY_REJECTED = "in policy_rejected_logps alone"
    ONLY_REF_CHOSEN = "in ref_chosen_logps alone"
    ONLY_REF_REJECTED = "in ref_rejected_logps alone"
    ONE_TENSOR = "alike inputs as one tensor"
    """Inputs that hold the same numbers are one argument, passed so often: its derivative is the sum of theirs."""
    DETACHED = "the reference detached from the policy"
    """A reference whose numbers are the policy's is the policy's own tensor, detached."""
    AUTOCAST = "under autocast to bfloat16"
    """As within the training step of mixed precision; the inputs keep their dtype."""
    NO_GRAD = "under no_grad"
    """Losses alone, of tensors that require derivatives."""
    INFERENCE = "in inference mode"
    """Losses alone, of tensors made in that mode."""

    FUNCTIONAL = "value and gradient by one function"
    """jax.value_and_grad: the losses, too, come from the differentiated call."""
    COMPILED = "jit of the gradient"
    """jax.jit of jax.value_and_grad."""
    VMAP = "vmap of the gradient"
    """Two batches stacked, of which this is the second."""
    FORWARD = "forward mode"
    """Each derivative by a Jacobian-vector product in its argument."""
    CHECKPOINTED = "checkpointed"
    """Nothing is kept for the backward pass, which calls the function again."""


class Twice(StrEnum):
    """One way to differentiate a loss twice; each gives the derivatives of one first derivative in all four."""

    REVERSE = "reverse mode twice"
    """The gradient of a sum of derivatives: create_graph, grad of grad."""
    FORWARD_OVER_REVERSE = "forward mode over reverse mode"
    """A Jacobian-vector product of the gradient, as a Hessian is made."""
    REVERSE_OVER_FORWARD = "reverse mode over forward mode"
    """The gradient of a Jacobian-vector product of the losses."""
    FORWARD = "forward mode twice"
    """A Jacobian-vector product of a Jacobian-vector product."""


LAYOUTS: Final = (Way.OFFSET, Way.UNLIKE_STRIDES, Way.COLUMNS, Way.EXPANDED, Way.REVERSED, Way.SHARED)
WITHOUT: Final = (
    Way.WITHOUT_POLICY_CHOSEN,
    Way.WITHOUT_POLICY_REJECTED,
    Way.WITHOUT_REF_CHOSEN,
    Way.WITHOUT_REF_REJECTED,
)
"""In the order of the signature."""
ONLY: Final = (
    Way.ONLY_POLICY_CHOSEN,
    Way.ONLY_POLICY_REJECTED,
    Way.ONLY_REF_CHOSEN,
    Way.ONLY_REF_REJECTED,
)
UNWEIGHED: Final = (
    *LAYOUTS,
    Way.HELD,
    Way.HELD_LOSSES,
    Way.REFILLED,
    Way.REFILLED_LOSSES,
    Way.LATER,
    Way.ELSEWHERE,
)
"""The ways in which derivatives are not weighted: an implementation without a framework knows them too."""
_ASKED: Final = {
    **{way: tuple(i for i in range(4) if i != place) for place, way in enumerate(WITHOUT)},
    **{way: (place,) for place, way in enumerate(ONLY)},
    Way.DETACHED: (0, 1),
    **dict.fromkeys((Way.HELD_LOSSES, Way.REFILLED_LOSSES, Way.NO_GRAD, Way.INFERENCE), ()),
}
STRIDES, OFFSETS = (1, 2, 3, 1), (0, 1, 2, 5)
"""Of UNLIKE_STRIDES, in elements, in the order of the signature."""


def asked(way: Way) -> tuple[int, ...]:
    """The places of the arguments in which it asks for a derivative."""
    return _ASKED.get(way, (0, 1, 2, 3))


def alike(logps: Sequence[ArrayLike]) -> tuple[int, ...]:
    """For each of the arguments, the place of the first that holds the same numbers."""
    found = [np.asarray(x) for x in logps]
    return tuple(next(j for j in range(4) if np.array_equal(found[i], found[j], equal_nan=True)) for i in range(4))
