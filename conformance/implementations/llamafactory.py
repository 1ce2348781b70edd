# /// script
# requires-python = ">=3.11"
# dependencies = ["llamafactory==0.9.5", "trl==0.24.0", "transformers==4.57.6", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["llamafactory"]
# ///
"""LLaMA-Factory: `llamafactory@LOSS`, the losses of its `CustomDPOTrainer` (`get_batch_loss_metrics`, which returns the mean)
and KTO of its `CustomKTOTrainer`, each called on what it reads of itself.

The forward pass is left out: its trainer makes log-probabilities of float32 logits, and averages them over the tokens for IPO,
ORPO and SimPO, and so does this; `DESENSITISED` has LD-DPO, of `get_batch_logps`, which its trainer calls with ld_alpha for the
policy alone. Its modules of the loss are imported alone, without Gradio and what else the package needs.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import RunningMoments

from conformance.implementations.bare import bare_import
from conformance.implementations.dpo_loss_method import bound, stub
from conformance.implementations.torch import torch_implementation
from conformance.implementations.two_logits import first_token, two_logits

_UNUSED = ("llamafactory.extras", "llamafactory.train.callbacks", "llamafactory.train.trainer_utils")
DPO = bare_import("llamafactory.train.dpo.trainer", unused=_UNUSED).CustomDPOTrainer
KTO = bare_import("llamafactory.train.kto.trainer", unused=_UNUSED).CustomKTOTrainer
_OWN = ("llamafactory.extras", "llamafactory.hparams", "llamafactory.model")
get_batch_logps = bare_import(
    "llamafactory.train.trainer_utils", unused=("galore_torch", "apollo_torch", "ray", *_OWN)
).get_batch_logps
AVERAGED = {"ipo", "orpo", "simpo"}
REFERENCE_FREE = {"orpo", "simpo"}


def _dpo(kind: str, given: dict[str, Any]) -> Tensor:
    """The loss that the trainer returns for a batch, of log-probabilities as its forward pass hands them on."""
    pc = given["policy_chosen_logps"]
    pr = given.get("policy_rejected_logps", pc)
    reference = [given.get("ref_chosen_logps"), given.get("ref_rejected_logps")]
    sizes = [given.get(f"{who}_lengths", torch.ones(len(pc))).to(pc.dtype) for who in ("chosen", "rejected")]
    average = pc / sizes[0]
    if kind in AVERAGED:
        pc, pr = average, pr / sizes[1]
        reference = [x if x is None else x / size for x, size in zip(reference, sizes, strict=True)]
    output = {"chosen_logps": pc, "rejected_logps": pr, "chosen_logits": pc, "rejected_logits": pr, "chosen_logps_avg": average}
    told = stub(pc, given.get("beta", given.get("odds_weight", 0.1)), given.get("label_smoothing", 0.0))
    told.loss_type, told.simpo_gamma, told.bco_gemma = kind, given.get("gamma", 0.5), 0.0
    told.ftx_gamma = given.get("alpha", 0.0)
    told.finetuning_args = SimpleNamespace(use_ref_model=kind not in REFERENCE_FREE)
    told.concatenated_forward = lambda *_: output
    told.compute_reference_log_probs = lambda *_: reference
    bound(DPO, told, "dpo_loss", "odds_ratio_loss", "simpo_loss", "compute_preference_loss", "get_batch_loss_metrics")
    loss: Tensor = told.get_batch_loss_metrics(None, {})[0]
    return loss


def _bco(given: dict[str, Any]) -> Tensor:
    """`bco_loss`, which its trainer adds to another loss; the running mean is new at each call: the first step's."""
    told = stub(given["policy_chosen_logps"], given["beta"])
    told.running = RunningMoments(told.accelerator)
    names = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
    losses: Tensor = DPO.bco_loss(told, *(given[name] for name in names))
    return losses.mean()


def _kto(given: dict[str, Any]) -> Tensor:
    """The loss that the trainer returns, of each chosen response and of each rejected one as a row."""
    chosen, rejected = given["policy_chosen_logps"], given["policy_rejected_logps"]
    policy = chosen, rejected, chosen, rejected, given["policy_kl_logps"].detach(), chosen
    reference = given["ref_chosen_logps"], given["ref_rejected_logps"], given["ref_kl_logps"]
    told = stub(chosen, given["beta"])
    told.desirable_weight, told.undesirable_weight = given["desirable_weight"], given["undesirable_weight"]
    told.calculate_KL, told.loss_type, told.ftx_gamma, told.aux_loss_enabled = True, "kto", 0.0, False
    told.concatenated_forward, told.compute_reference_log_probs = (lambda *_: policy), (lambda *_: reference)
    loss: Tensor = bound(KTO, told, "kto_loss", "get_batch_loss_metrics").get_batch_loss_metrics(None, {})[0]
    return loss


def _desensitised(loss: str, **given: Any) -> Tensor:
    """LD-DPO at alpha = 0 where every rejected response has one token more than the chosen one, on which policy and reference
    agree, of two logits a token.
    """
    n = len(given["policy_chosen_logps"])
    sizes = 1 + (torch.arange(2 * n) >= n).long()
    places = torch.arange(-1, 2)
    labels = torch.where((places >= 0) & (places < sizes[:, None]), 1, -100)
    beyond = torch.where((torch.arange(2) == 1) & (sizes[:, None] == 2), -0.5 / given["beta"], 0.0)

    def summed(who: str, alpha: float | None) -> tuple[Tensor, Tensor]:
        logps = first_token(torch.cat([given[f"{who}_chosen_logps"], given[f"{who}_rejected_logps"]]), 2) + beyond
        logits = two_logits(torch.cat([logps, torch.zeros(2 * n, 1)], 1))
        chosen, rejected = get_batch_logps(logits, labels, -100, alpha)[0].to(torch.float32).chunk(2)
        return chosen, rejected

    policy, reference = summed("policy", 0.0), summed("ref", None)
    names = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
    return _dpo(loss.partition(" ")[0], dict(zip(names, (*policy, *reference), strict=True)) | {"beta": given["beta"]})


def _named(loss: str, **given: Any) -> Tensor:
    if loss == "bco_loss":
        return _bco(given)
    return _kto(given) if loss == "kto" else _dpo(loss.removesuffix(" with pref_ftx"), given)


LOSSES = torch_implementation(
    _named,
    name="llamafactory",
    dtypes=("binary32",),
    reduction="mean",
    library="llamafactory",
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "hinge": "hinge",
        "ipo_average": "ipo",
        "simpo": "simpo",
        "orpo": "orpo",
        "rpo": "sigmoid with pref_ftx",
        "bco_batch": "bco_loss",
        "kto": "kto",
    },
)
DESENSITISED = torch_implementation(
    _desensitised,
    name="llamafactory",
    dtypes=("binary32",),
    reduction="mean",
    library="llamafactory",
    loss={"sigmoid": "sigmoid ld_alpha"},
)
