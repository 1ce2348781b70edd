"""KL: whose completion stands beside a prompt in the KL term of KTO."""

from __future__ import annotations

from typing import cast

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.counted import Counted
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.sequence.pairing import Pairing, Tokens
from conformance.records.record import Level

chapter = Chapter("KL", "pairing")
SIZES = (2, 3, 4, 5, 6, 7, 8, 9, 16, 33)
"""Even and odd numbers of examples: an order that is turned round leaves the middle one of an odd batch where it was."""
PAPER = "KTO's reference point is a mean log-ratio of pairs that do not belong together (Ethayarajh et al. 2024, section 4.1). "


def examples(n: int) -> tuple[list[Tokens], list[Tokens]]:
    """Prompts and completions of unequal lengths, no token twice."""
    return [tuple(range(1000 * i, 1000 * i + 2 + i % 3)) for i in range(n)], [
        tuple(range(1000 * i + 500, 1000 * i + 501 + i % 4)) for i in range(n)
    ]


def answered(trial: Trial, n: int) -> tuple[list[Tokens], list[Tokens]]:
    """What came back of n examples, and their own completions. Raises Misbehaviour."""
    prompts, completions = examples(n)
    return cast("Pairing", trial.implementation).evaluate(prompts, completions), completions


@chapter.clause(
    1,
    Level.MUST,
    "it answers",
    statement="Called with the prompts and the completions of a batch, the implementation shall return for each prompt, in "
    "order, one completion of the batch.",
    derivation="A completion that is none of the batch's, or is cut, is no sample of the data.",
    remedy="Return n lists of token ids, whole: for each prompt the completion that goes beside it.",
    kills=("kl-too-few",),
)
def answers(trial: Trial) -> Outcome:
    """Four examples."""
    found, completions = answered(trial, 4)
    if len(found) != 4 or not set(found) <= set(completions):
        raise Misbehaviour("wrong type", f"{len(found)} completions for 4 prompts, or one that is none of the batch's")
    return Outcome(4, 0)


@chapter.clause(
    2,
    Level.MUST,
    "none is its own",
    statement="No prompt shall be given its own completion, in a batch of any size from 2 on, even or odd.",
    derivation=f"{PAPER}One that does belong together is a likely pair, and raises the mean: in a batch of three by a third of "
    "its own log-ratio.",
    guards=("https://github.com/huggingface/trl/issues/1911",),
    remedy="Turn the completions by one place, completions[1:] + completions[:1]: reversed, an odd batch's middle one stays "
    "where it was, and a shuffle leaves some anywhere.",
    kills=("kl-reversed", "kl-shuffled", "kl-swapped-neighbours"),
)
def apart(trial: Trial) -> Outcome:
    """Batches of 2 to 33 examples, each asked three times."""
    counted = Counted()
    for n in SIZES:
        for _ in range(3):
            found, completions = answered(trial, n)
            own = [i for i, (got, right) in enumerate(zip(found, completions, strict=False)) if got == right]
            told = f"of {n} examples prompt {own[0] if own else 0} is given its own completion"
            counted.right(not own and len(found) == n, told if own else f"{len(found)} completions for {n} prompts")
    return counted.outcome()


@chapter.clause(
    3,
    Level.SHOULD,
    "a batch of one",
    statement="A batch of one example should be refused.",
    derivation=f"{PAPER}Of one example there is no other completion, and its own makes the reference point its own log-ratio.",
    remedy="Raise, and name the size of the batch.",
    kills=("kl-takes-one",),
)
def single(trial: Trial) -> Outcome:
    """One example."""
    try:
        found, _ = answered(trial, 1)
    except Misbehaviour as error:
        return Outcome(1, int(error.kind != "raised"), note=str(error))
    return Outcome(1, 1, note=f"got {len(found)} completion for 1 prompt")
