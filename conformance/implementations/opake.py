# /// script
# requires-python = ">=3.11"
# dependencies = ["opake-transformers==0.16.1", "opake-alignment==0.16.1", "opake-base==0.16.1", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["opake-transformers", "opake-alignment", "opake-base"]
# ///
"""opake: `opake@LOSS`, the losses of the `DPOTrainer.dpo_loss` of opake-transformers, which calls those of opake-alignment, on
what it reads of itself.

The forward pass is left out: its trainer makes log-probabilities in float32. So are the checks of its configuration, which
refuse a label smoothing of 0 for EXO and of 1/2 for `robust`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.dpo_loss_method import bound
from conformance.implementations.torch import torch_implementation

_UNUSED = (
    "opake.alignment.dpo.collator",
    "opake.alignment.dpo.data",
    "opake.alignment.dpo.reference",
    "opake.alignment.metric",
    "opake.api.alignment.logprob",
    "opake.api.transformers.trainer",
    "opake.api.transformers.trl._dpo_config",
    "opake.api.transformers.trl._logits",
)
_module = bare_import("opake.api.transformers.trl._dpo_trainer", unused=_UNUSED)
DPOTrainer, HEADS = _module.DPOTrainer, _module._DPO_HEADS
DIVERGENCES = ("forward_kl", "js_divergence", "alpha_divergence")
BY_HAND = ("cpo", "orpo")
"""Those that the method puts together itself."""


def _mask(given: dict[str, Any], who: str, n: int) -> Tensor:
    """Which tokens are the response's, behind one token of a prompt."""
    sizes = given.get(f"{who}_lengths", torch.ones(n, dtype=torch.long))
    places = torch.arange(1 + (int(sizes.max()) if n else 1))
    return ((places >= 1) & (places <= sizes[:, None])).long()


def _named(loss: str, policy_chosen_logps: Tensor, **given: Any) -> Tensor:
    pc, n = policy_chosen_logps, len(policy_chosen_logps)
    pr = given.get("policy_rejected_logps", pc)
    kinds = ["sigmoid"] if loss in DIVERGENCES else loss.split(",")
    told = SimpleNamespace(
        _loss_type=kinds,
        _loss_weights=[1.0, *[given.get("alpha", 1.0)] * (len(kinds) - 1)],
        _heads=[None if kind in BY_HAND else HEADS[kind] for kind in kinds],
        _beta=given.get("beta", 0.1),
        _label_smoothing=given.get("label_smoothing", 0.0),
        _f_divergence_type=loss if loss in DIVERGENCES else "reverse_kl",
        _f_alpha_coef=given.get("alpha", 0.5),
        _discopop_tau=given.get("tau", 0.05),
        _simpo_gamma=given.get("gamma", 0.5),
        _cpo_alpha=0.0,
        _orpo_lambda=given.get("odds_weight", 1.0),
    )
    bound(DPOTrainer, told, "_head_kwargs", "dpo_loss")
    told._completion_len = DPOTrainer._completion_len
    losses: Tensor = told.dpo_loss(
        pc - given.get("ref_chosen_logps", 0),
        pr - given.get("ref_rejected_logps", 0),
        chosen_logp=pc,
        rejected_logp=pr,
        chosen_completion_mask=_mask(given, "chosen", n),
        rejected_completion_mask=_mask(given, "rejected", n),
    )
    return losses


LOSSES = torch_implementation(
    _named,
    name="opake",
    dtypes=("binary32",),
    library="opake-transformers",
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "sigmoid_norm": "sigmoid_norm",
        "robust": "robust",
        "hinge": "hinge",
        "ipo_average": "ipo",
        "exo_pair": "exo_pair",
        "nca_pair": "nca_pair",
        "bco_batch": "bco_pair",
        "sppo_hard": "sppo_hard",
        "apo_zero": "apo_zero",
        "apo_down": "apo_down",
        "discopop": "discopop",
        "f_dpo_forward_kl": "forward_kl",
        "f_dpo_js": "js_divergence",
        "f_dpo_alpha": "alpha_divergence",
        "simpo": "simpo",
        "simpo_smoothed": "simpo",
        "cpo": "cpo",
        "orpo": "orpo",
        "nll_sum": "chosen_nll",
        "rpo": "sigmoid,chosen_nll",
    },
)
