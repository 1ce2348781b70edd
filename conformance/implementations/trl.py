# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""TRL: `trl`, the loss inside `DPOTrainer.compute_loss` with precomputed reference logps; it returns the mean. `trl@LOSS` is
another of its loss types, or of its trainers for CPO, ORPO and KTO.

The model is a stub that answers with log-probabilities: one prompt token, and a response whose first token carries the whole
response's. TRL's fused head gives float32 log-probabilities whatever the model's dtype, so float32 it claims.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer, KTOTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

from conformance.implementations.known import smoothing_ignored
from conformance.implementations.torch import torch_implementation

_IGNORED = (
    "documented: DPOConfig.label_smoothing is 'used in Robust DPO and EXO' (https://huggingface.co/docs/trl/dpo_trainer); "
    "loss_type='sigmoid' accepts it and, since https://github.com/huggingface/trl/pull/3906, does not use it"
)
NOTES = smoothing_ignored(_IGNORED)
_CPU = SimpleNamespace(device=torch.device("cpu"))


def _same(value: Tensor) -> Tensor:
    """What gathering over one process gives."""
    return value


def _trainer(**settings: Any) -> Any:
    """What a trainer's compute_loss reads of it, with the values of a default configuration."""
    defaults: dict[str, Any] = {
        "model": SimpleNamespace(training=True),
        "accelerator": SimpleNamespace(device=torch.device("cpu"), gather=_same, gather_for_metrics=_same),
        "aux_loss_enabled": False,
        "ld_alpha": None,
        "precompute_ref_logps": True,
        "f_divergence_type": "reverse_kl",
        "loss_types": ["sigmoid"],
        "loss_weights": [1.0],
        "label_smoothing": 0.0,
        "use_weighting": False,
        "args": SimpleNamespace(max_length=None, discopop_tau=settings.pop("tau", 0.05)),
        "_metrics": {"train": defaultdict(list)},
        "_total_train_tokens": 0,
        "_tp_size": 1,
    }
    return SimpleNamespace(**defaults | settings)


def _tokens(logps: Tensor, lengths: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
    """Log-probabilities of tokens that add up to the responses', and the inputs that hold as many; one token where no length
    is given.
    """
    lengths = torch.ones(len(logps), dtype=torch.long) if lengths is None else lengths
    places = torch.arange(1 + (int(lengths.max()) if len(lengths) else 1))
    mask = ((places >= 1) & (places <= lengths[:, None])).long()
    first = (places[1:] == 1).to(logps.dtype)
    ids = torch.zeros(mask.shape, dtype=torch.long)
    return logps[:, None] * first, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask}


def _model(log_probs: Tensor) -> Any:
    zeros = torch.zeros_like(log_probs)
    answer = SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    return lambda **_: answer


def _dpo(given: dict[str, Any], **settings: Any) -> Tensor:
    """The loss of a DPOTrainer of those settings."""
    pc = given["policy_chosen_logps"]
    pr = given.get("policy_rejected_logps", torch.zeros_like(pc))
    lengths = None
    if "chosen_lengths" in given:
        lengths = torch.cat([given["chosen_lengths"], given.get("rejected_lengths", given["chosen_lengths"])])
    log_probs, inputs = _tokens(torch.cat([pc, pr]), lengths)
    inputs |= {name: given.get(name, torch.zeros_like(pc)) for name in ("ref_chosen_logps", "ref_rejected_logps")}
    trainer = _trainer(**settings)
    trainer._compute_loss = lambda *arguments: DPOTrainer._compute_loss(trainer, *arguments)
    loss: Tensor = DPOTrainer.compute_loss(trainer, _model(log_probs), inputs)
    return loss


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    given = {"policy_chosen_logps": pc, "policy_rejected_logps": pr, "ref_chosen_logps": rc, "ref_rejected_logps": rr}
    return _dpo(given, beta=beta, label_smoothing=label_smoothing)


def _kto(given: dict[str, Any], **settings: Any) -> Tensor:
    """The loss of a KTOTrainer, of each chosen response and of each rejected one as a row."""
    chosen, rejected = given["policy_chosen_logps"], given["policy_rejected_logps"]
    log_probs, inputs = _tokens(torch.cat([chosen, rejected]), None)
    inputs |= {
        "label": torch.arange(len(log_probs)) < len(chosen),
        "ref_logps": torch.cat([given["ref_chosen_logps"], given["ref_rejected_logps"]]),
        "ref_KL_logps": given["ref_kl_logps"],
    }
    trainer = _trainer(loss_type="kto", calculate_KL=True, **settings)
    trainer._compute_kl_logps = lambda *_: given["policy_kl_logps"].detach()
    loss: Tensor = KTOTrainer._compute_loss(trainer, _model(log_probs), inputs, False)
    return loss


def _cpo(given: dict[str, Any], kind: str, **settings: Any) -> Tensor:
    """The mean of `cpo_loss`, of averages over the tokens where its trainer hands it those."""
    pc, pr = given["policy_chosen_logps"], given["policy_rejected_logps"]
    if "chosen_lengths" in given:
        pc, pr = pc / given["chosen_lengths"].to(pc.dtype), pr / given["rejected_lengths"].to(pr.dtype)
    read = {"alpha": 0.0, "label_smoothing": 0.0, "simpo_gamma": settings.pop("gamma", 0.5)} | settings
    losses: Tensor = CPOTrainer.cpo_loss(SimpleNamespace(accelerator=_CPU, loss_type=kind, **read), pc, pr)[0]
    return losses.mean()


def _orpo(given: dict[str, Any], odds_weight: float) -> Tensor:
    """What ORPOTrainer adds to the likelihood term: it subtracts the mean of `odds_ratio_loss`, of averages."""
    pc, pr = (given[f"policy_{who}_logps"] / given[f"{who}_lengths"].to(torch.float32) for who in ("chosen", "rejected"))
    losses: Tensor = ORPOTrainer.odds_ratio_loss(SimpleNamespace(accelerator=_CPU, beta=odds_weight), pc, pr)[0]
    return -losses.mean()


def _named(loss: str, **given: Any) -> Tensor:
    settings = {name: x for name, x in given.items() if not isinstance(x, Tensor)}
    trainer, _, kind = loss.rpartition(" ")
    if trainer == "CPO":
        return _cpo(given, kind, **settings)
    if trainer == "ORPO":
        return _orpo(given, **settings)
    if trainer == "KTO":
        return _kto(given, **settings)
    if kind.endswith(("_kl", "_divergence")):
        return _dpo(given, f_divergence_type=kind, f_alpha_divergence_coef=settings.pop("alpha", 1.0), **settings)
    if kind == "sigmoid+sft":
        return _dpo(given, loss_types=["sigmoid", "sft"], loss_weights=[1.0, settings.pop("alpha")], **settings)
    return _dpo(given, loss_types=[kind], **{"beta": 0.1} | settings)


DPO = torch_implementation(_loss, name="trl", dtypes=("binary32",), reduction="mean", library="trl", notes=NOTES)
LOSSES = torch_implementation(
    _named,
    name="trl",
    dtypes=("binary32",),
    reduction="mean",
    library="trl",
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "robust": "robust",
        "hinge": "hinge",
        "ipo_average": "ipo",
        "sigmoid_norm": "sigmoid_norm",
        "exo_pair": "exo_pair",
        "nca_pair": "nca_pair",
        "bco_batch": "bco_pair",
        "sppo_hard": "sppo_hard",
        "aot": "aot",
        "aot_unpaired": "aot_unpaired",
        "apo_zero": "apo_zero",
        "apo_down": "apo_down",
        "discopop": "discopop",
        "f_dpo_forward_kl": "forward_kl",
        "f_dpo_js": "js_divergence",
        "f_dpo_alpha": "alpha_divergence",
        "nll_token_mean": "sft",
        "rpo": "sigmoid+sft",
        "cpo": "CPO sigmoid",
        "cpo_hinge": "CPO hinge",
        "cpo_ipo": "CPO ipo",
        "simpo": "CPO simpo",
        "alphapo": "CPO simpo",
        "simpo_smoothed": "CPO simpo",
        "orpo_odds": "ORPO odds",
        "kto": "KTO kto",
    },
)
