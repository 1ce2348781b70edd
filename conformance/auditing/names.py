"""What trainers call the quantities of a line, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

LOSS, MARGIN, CHOSEN, REJECTED, ACCURACY = "loss", "margin", "chosen reward", "rejected reward", "accuracy"
LOGPS_CHOSEN, LOGPS_REJECTED = "chosen logps", "rejected logps"
ODDS, ODDS_RATIO, KL = "log odds", "log odds ratio", "kl"
STEP, NORM = "step", "gradient norm"

ALIASES: Mapping[str, tuple[str, ...]] = {
    LOSS: ("loss", "train_loss_step", "dpo_loss", "preference_loss", "policy_loss"),
    MARGIN: ("rewards/margins", "reward_margin", "reward_margins", "rewards_margins", "margins", "rewards/margin", "margin"),
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
    ODDS: ("log_odds_chosen",),
    ODDS_RATIO: ("log_odds_ratio",),
    KL: ("kl",),
    STEP: ("step", "global_step", "current_steps", "_step", "iteration", "steps", "iter"),
    NORM: ("grad_norm", "gradient_norm"),
}  # fmt: skip
"""Our word for a quantity, and the names that logs give it, without the words for training and evaluation.

What is no mean of the line's pairs is left out: loss_mean and acc_mean are running averages that begin at 0 (OpenRLHF), and
rewards_chosen_mean is without beta (NeMo RL).
"""

_WORDS = {alias: word for word, aliases in ALIASES.items() for alias in aliases}
_SPLIT = re.compile(r"^(?:[\w ]*/)?(train|training|eval|evaluation|val|valid|validation|test)[/_. ](.+)$")
_WHOLE_RUN = frozenset({"train_loss", "train_runtime", "total_flos", "train_samples_per_second", "train_steps_per_second"})


@lru_cache(maxsize=4096)
def word(name: str) -> tuple[str, str] | None:
    """(phase, our word) for a trainer's name of a quantity, phase "train" or "eval"; None for what is not looked at.

    train_loss is the mean over a whole run and no line's.
    """
    lowered = name.strip().lower().replace(" ", "_")
    if lowered in _WHOLE_RUN:
        return None
    if lowered in _WORDS:
        return "train", _WORDS[lowered]
    split = _SPLIT.match(lowered)
    if split is None:
        return None
    rest = split[2]
    if rest not in _WORDS:
        return None
    return ("train" if split[1].startswith("train") else "eval"), _WORDS[rest]
