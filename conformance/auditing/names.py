"""What trainers call the quantities of a line, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import NamedTuple

from conformance.errors import BadRequest

LOSS, MARGIN, CHOSEN, REJECTED, ACCURACY = "loss", "margin", "chosen reward", "rejected reward", "accuracy"
LOGPS_CHOSEN, LOGPS_REJECTED = "chosen logps", "rejected logps"
ODDS, ODDS_RATIO, KL = "log odds", "log odds ratio", "kl"
STEP, EPOCH, NORM = "step", "epoch", "gradient norm"
ADDED = "added term"

ALIASES: Mapping[str, tuple[str, ...]] = {
    LOSS: ("loss", "loss_step", "dpo_loss", "preference_loss", "policy_loss"),
    MARGIN: ("rewards/margins", "reward_margin", "reward_margins", "rewards_margins", "rewards/margin"),
    CHOSEN: ("rewards/chosen", "chosen_reward", "chosen_rewards", "rewards_chosen", "reward_chosen"),
    REJECTED: (
        "rewards/rejected", "rejected_reward", "rejected_rewards", "rewards_rejected", "reward_rejected", "reject_reward",
    ),
    ACCURACY: (
        "rewards/accuracies", "rewards/accuracy", "accuracy", "accuracies", "acc", "reward_accuracy", "reward_accuracies",
        "rewards_accuracies", "preference_accuracy",
    ),
    LOGPS_CHOSEN: ("logps/chosen", "chosen_logps", "policy_chosen_logps", "logps_chosen", "chosen_logp", "log_probs/chosen"),
    LOGPS_REJECTED: (
        "logps/rejected", "rejected_logps", "policy_rejected_logps", "logps_rejected", "rejected_logp", "reject_logps",
        "log_probs/rejected",
    ),
    ADDED: ("nll_loss", "sft_loss", "policy_nll_loss"),
    ODDS: ("log_odds_chosen",),
    ODDS_RATIO: ("log_odds_ratio",),
    KL: ("kl",),
    STEP: ("step", "global_step", "current_steps", "_step", "iteration", "steps", "iter"),
    EPOCH: ("epoch",),
    NORM: ("grad_norm", "gradient_norm"),
}  # fmt: skip
"""Our word for a quantity, and the names that logs give it, without the words for training and evaluation.

What is no mean of the line's pairs, or may be another quantity, is left out: margin alone, with or without beta;
loss_mean and acc_mean are running averages that begin at 0 (OpenRLHF), and rewards_chosen_mean is without beta (NeMo RL).
"""

_WORDS = {alias: word for word, aliases in ALIASES.items() for alias in aliases}
_SPLIT = re.compile(r"^(?:[\w ]*/)?(train|training|eval|evaluation|val|valid|validation|test)[/_. ](.+)$")
_BEHIND = re.compile(r"^(\w+?)[_/](train|eval|val|valid|test)(/\w+|)$")
"""The phase behind the group, as the DPO authors write it: rewards_train/chosen, loss/train."""
_TWICE = re.compile(r"/train_loss$")
_SPACES = re.compile(r"\s*/\s*|\s+")


TOLD = {word.replace(" ", "-"): word for word in ALIASES}
"""Our words as the command line takes them."""
_told: ContextVar[Mapping[str, str]] = ContextVar("told", default={})  # noqa: B039 - never changed


class Named(NamedTuple):
    """What a trainer's name means: of which phase ("train", "eval", or "" where it does not say), and which quantity."""

    phase: str
    word: str


def word(name: str) -> Named | None:
    """What a name of a quantity means: as was told by `called`, or as trainers use it; None for what is not looked at."""
    told = _told.get()
    if told and (quantity := told.get(name.strip().lower())) is not None:
        return Named("", quantity)
    return _usual(name)


@lru_cache(maxsize=4096)
def _usual(name: str) -> Named | None:
    """What trainers mean by a name; train/train_loss is transformers' mean over a whole run, as trackers have it."""
    lowered = _SPACES.sub(lambda found: "/" if "/" in found[0] else "_", name.strip().lower())
    lowered = _BEHIND.sub(r"\2/\1\3", lowered)
    if lowered in _WORDS:
        return Named("", _WORDS[lowered])
    split = None if _TWICE.search(lowered) else _SPLIT.match(lowered)
    if split is None or split[2] not in _WORDS:
        return None
    return Named("train" if split[1].startswith("train") else "eval", _WORDS[split[2]])


@contextmanager
def called(columns: Mapping[str, str]) -> Iterator[None]:
    """Within it, names that are known to nobody mean what is told: a name of a log to one of our words. Raises BadRequest."""
    unknown = sorted(set(columns.values()) - set(TOLD))
    if unknown:
        raise BadRequest(f"column = {unknown[0]}: one of {', '.join(TOLD)}")
    token = _told.set({name.strip().lower(): TOLD[quantity] for name, quantity in columns.items()})
    try:
        yield
    finally:
        _told.reset(token)
