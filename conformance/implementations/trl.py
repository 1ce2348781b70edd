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

import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer, KTOTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

from conformance.implementations.dpo_loss_method import bound
from conformance.implementations.known import LISTED, smoothing_ignored
from conformance.implementations.torch import torch_implementation
from conformance.implementations.two_logits import first_token, two_logits

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
    ids = torch.zeros(mask.shape, dtype=torch.long)
    return torch.where(places[1:] == 1, logps[:, None], 0), {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "completion_mask": mask,
    }


def _model(log_probs: Tensor) -> Any:
    zeros = torch.zeros_like(log_probs)
    answer = SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    answer.log_sum_sq_probs = log_probs.detach() - math.log(2)
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


def _whole_orpo(given: dict[str, Any], odds_weight: float) -> Tensor:
    """What ORPOTrainer returns, of two logits a token, in binary64: a prompt of two tokens, of which the model predicts the
    second with certainty, and responses of which the first token has the whole log-probability.
    """
    pc, sizes = given["policy_chosen_logps"], torch.cat([given["chosen_lengths"], given["rejected_lengths"]])
    width = int(sizes.max()) if len(pc) else 1
    places = torch.arange(-2, width)
    mask = (places < sizes[:, None]).long()
    logps = torch.cat([torch.zeros(2 * len(pc), 1), first_token(torch.cat([pc, given["policy_rejected_logps"]]), width + 1)], 1)
    inputs = {
        "concatenated_input_ids": torch.ones_like(mask),
        "concatenated_attention_mask": mask,
        "concatenated_labels": torch.where((places >= 0) & (mask == 1), 1, -100),
    }
    told = SimpleNamespace(
        **{"is_encoder_decoder": False, "padding_value": 0, "aux_loss_enabled": False, "beta": odds_weight},
        accelerator=SimpleNamespace(device=torch.device("cpu"), gather_for_metrics=_same),
        concatenated_inputs=lambda *_, **__: inputs,
        get_batch_logps=ORPOTrainer.get_batch_logps,
    )
    bound(ORPOTrainer, told, "concatenated_forward", "odds_ratio_loss")
    answer = SimpleNamespace(logits=two_logits(logps))
    loss: Tensor = ORPOTrainer.get_batch_loss_metrics(told, lambda *_, **__: answer, {"chosen_labels": pc})[0]
    return loss.to(pc.dtype)


def _weighted(loss: str, **given: Any) -> Tensor:
    """WPO where every token is twice as probable as the expected probability of a token, which the paper's weight, at most 1,
    leaves as the loss is.
    """
    settings = {name: x for name, x in given.items() if not isinstance(x, Tensor)}
    return _dpo(given, loss_types=[loss.partition(" ")[0]], use_weighting=True, **settings)


def _desensitised(loss: str, **given: Any) -> Tensor:
    """LD-DPO at alpha = 0 where every rejected response has one token more than the chosen one, on which policy and reference
    agree; the reference's log-probabilities are the trainer's own sum.
    """
    settings = {name: x for name, x in given.items() if not isinstance(x, Tensor)}
    rows = {who: torch.cat([given[f"{who}_{side}_logps"] for side in ("chosen", "rejected")]) for who in ("policy", "ref")}
    sizes = 1 + (torch.arange(len(rows["policy"])) >= len(given["policy_chosen_logps"])).long()
    log_probs, inputs = _tokens(rows["policy"], sizes)
    reference, _ = _tokens(rows["ref"], sizes)
    beyond = torch.where((torch.arange(2) == 1) & (sizes[:, None] == 2), -0.5 / settings["beta"], 0.0)
    trainer = _trainer(loss_types=[loss.partition(" ")[0]], ld_alpha=0.0, precompute_ref_logps=False, **settings)
    trainer.model.is_gradient_checkpointing, trainer.args.gradient_checkpointing_kwargs = False, None
    trainer.ref_model = _model(reference + beyond)
    found: Tensor = DPOTrainer._compute_loss(trainer, _model(log_probs + beyond), inputs, False)
    return found


def _named(loss: str, **given: Any) -> Tensor:
    settings = {name: x for name, x in given.items() if not isinstance(x, Tensor)}
    trainer, _, kind = loss.rpartition(" ")
    if trainer == "CPO":
        return _cpo(given, kind, **settings)
    if trainer == "ORPO":
        return _orpo(given, **settings) if kind == "odds" else _whole_orpo(given, **settings)
    if trainer == "KTO":
        return _kto(given, **settings)
    if kind.endswith(("_kl", "_divergence")):
        return _dpo(given, f_divergence_type=kind, f_alpha_divergence_coef=settings.pop("alpha", 1.0), **settings)
    if kind == "sigmoid+sft":
        return _dpo(given, loss_types=["sigmoid", "sft"], loss_weights=[1.0, settings.pop("alpha")], **settings)
    if kind == LISTED:
        n = (len(given["policy_chosen_logps"]),)
        sizes = {"chosen_lengths": torch.full(n, 3), "rejected_lengths": torch.full(n, 5)}
        return _dpo(given | sizes, loss_types=["sigmoid", "ipo"], loss_weights=[1.0, 0.0], **settings)
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
        "orpo": "ORPO whole",
        "kto": "KTO kto",
    },
)
IN_A_LIST = torch_implementation(
    _named, name="trl", dtypes=("binary32",), reduction="mean", library="trl", loss={"sigmoid": LISTED}
)
WEIGHTED = torch_implementation(
    _weighted, name="trl", dtypes=("binary32",), reduction="mean", library="trl", loss={"sigmoid": "sigmoid use_weighting"}
)
DESENSITISED = torch_implementation(
    _desensitised, name="trl", dtypes=("binary32",), reduction="mean", library="trl", loss={"sigmoid": "sigmoid ld_alpha"}
)
