# /// script
# requires-python = ">=3.11"
# dependencies = ["nemo-aligner==0.7.0", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["nemo-aligner"]
# ///
"""NeMo-Aligner: `nemo-aligner@LOSS`, `MegatronGPTDPOModel.loss_func` and `MegatronGPTKTOModel.loss_func`, which return the mean
over the pairs of one rank, and `sft_loss_func`, each called on what it reads of itself.

A response's first token carries its log-probability. The modules of the two models are imported alone, without NeMo and
Megatron: the loss uses of them no more than that there is one rank. `ON_RANKS` has KTO on as many as there are pairs.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.dpo_loss_method import bound
from conformance.implementations.torch import torch_implementation
from conformance.implementations.two_logits import first_token

_UNUSED = ("lightning", "megatron", "nemo", "omegaconf", "nemo_aligner.data", "nemo_aligner.utils")
_GPT = "nemo_aligner.models.nlp.gpt"
_dpo_module = bare_import(f"{_GPT}.megatron_gpt_dpo_model", unused=_UNUSED)
_kto_module = bare_import(f"{_GPT}.megatron_gpt_kto_model", unused=_UNUSED)
DPO, KTO = _dpo_module.MegatronGPTDPOModel, _kto_module.MegatronGPTKTOModel
vars(_dpo_module)["parallel_state"] = SimpleNamespace(get_context_parallel_world_size=lambda: 1)
AVERAGE = "average_losses_across_data_parallel_group"


def _alone(losses: list[Tensor]) -> Tensor:
    """The averages over one rank."""
    return torch.stack([x.detach() for x in losses])


vars(_kto_module)[AVERAGE] = _alone


def _tokens(logps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Log-probabilities of tokens that add up to the responses', and labels, -100 where no token counts."""
    lengths = torch.ones(len(logps), dtype=torch.long) if lengths is None else lengths
    width = max(2, int(lengths.max()) if len(lengths) else 1)
    return first_token(logps, width), torch.where(torch.arange(width) < lengths[:, None], 1, -100)


def _told(model: Any, **settings: Any) -> SimpleNamespace:
    return bound(model, SimpleNamespace(**settings), "get_reduced_masked_logps", "split_output_tensor")


def _of_dpo(kind: str, given: dict[str, Any]) -> Tensor:
    """The preference loss of the model, plus its likelihood term where that has a weight."""
    name, _, option = kind.partition(" ")
    rows = [torch.cat([given[f"{who}_{side}_logps"] for side in ("chosen", "rejected")]) for who in ("policy", "ref")]
    lengths = torch.cat([given["chosen_lengths"], given["rejected_lengths"]]) if "rejected_lengths" in given else None
    if lengths is None and "chosen_lengths" in given:
        lengths = torch.cat([given["chosen_lengths"]] * 2)
    policy, labels = _tokens(rows[0], lengths)
    reference, _ = _tokens(rows[1], lengths)
    told = _told(DPO, preference_loss=name, ref_policy_kl_penalty=given["beta"])
    averaged = option == "preference_avg_log_probs"
    loss: Tensor = DPO.loss_func(told, policy, reference, labels, None, average_log_probs=averaged)[0]
    if "alpha" in given:
        weight, averaged = given["alpha"], option == "sft_avg_log_probs"
        loss = loss + weight * DPO.sft_loss_func(told, policy, labels, average_log_probs=averaged)
    return loss


def _of_kto(given: dict[str, Any]) -> Tensor:
    """The loss of the rows of one rank: each chosen and each rejected response, and as many of the other batch, over again."""
    chosen, rejected = given["policy_chosen_logps"], given["policy_rejected_logps"]
    other = [torch.cat([given[f"{who}_kl_logps"]] * 2) for who in ("policy", "ref")]
    policy, labels = _tokens(torch.cat([chosen, rejected, other[0].detach()]), None)
    reference, _ = _tokens(torch.cat([given["ref_chosen_logps"], given["ref_rejected_logps"], other[1]]), None)
    told = _told(
        KTO,
        ref_policy_kl_penalty=given["beta"],
        desirable_loss_weight=given["desirable_weight"],
        undesirable_loss_weight=given["undesirable_weight"],
    )
    preferences = (torch.arange(2 * len(chosen)) < len(chosen)).long()
    loss: Tensor = KTO.loss_func(told, policy, reference, labels, preferences)[0]
    return loss


def _on_ranks(loss: str, **given: Any) -> Tensor:
    """The mean of the losses of as many ranks as there are pairs, each with one, and with their common reference point."""
    del loss
    n = len(given["policy_chosen_logps"])
    shares = [{name: x[i : i + 1] if isinstance(x, Tensor) else x for name, x in given.items()} for i in range(n)]
    points: list[Tensor] = []

    def kept(losses: list[Tensor]) -> Tensor:
        points.extend(losses)
        return _alone(losses)

    module = vars(_kto_module)
    try:
        module[AVERAGE] = kept
        for share in shares:
            _of_kto(share)
        module[AVERAGE] = lambda _: torch.stack(points).mean(0, keepdim=True)
        return torch.stack([_of_kto(share) for share in shares]).mean()
    finally:
        module[AVERAGE] = _alone


def _named(loss: str, **given: Any) -> Tensor:
    return _of_kto(given) if loss == "kto" else _of_dpo(loss, given)


LOSSES = torch_implementation(
    _named,
    name="nemo-aligner",
    dtypes=("binary32",),
    reduction="mean",
    library="nemo-aligner",
    loss={
        "sigmoid": "dpo",
        "sigmoid_norm": "dpo preference_avg_log_probs",
        "ipo_sum": "ipo",
        "ipo_average": "ipo preference_avg_log_probs",
        "rpo": "dpo with sft_loss_weight",
        "kto": "kto",
    },
)
ON_RANKS = torch_implementation(
    _on_ranks,
    name="nemo-aligner",
    dtypes=("binary32",),
    reduction="mean",
    library="nemo-aligner",
    loss={"kto": "kto, a rank a pair"},
)
