# /// script
# requires-python = ">=3.11"
# dependencies = ["xtuner==0.2.0", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["xtuner"]
# ///
"""xtuner: `xtuner@LOSS`, the losses of `DPO.compute_loss`, whose mean MMEngine takes, and of `ORPO.compute_loss`, each called
on what it reads of itself.

DPO's forward pass is left out: a response's first token carries its log-probability. ORPO's is not, since its likelihood term
is a cross-entropy of logits: they are two a token, in binary64. Its modules of the losses are imported alone, without MMEngine.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.dpo_loss_method import bound
from conformance.implementations.torch import torch_implementation
from conformance.implementations.two_logits import first_token, two_logits

_UNUSED = ("mmengine", "transformers", "xtuner.parallel", "xtuner.model.sft")
_dpo_module = bare_import("xtuner.model.dpo", unused=_UNUSED)
_orpo_module = bare_import("xtuner.model.orpo", unused=_UNUSED)
DPO, ORPO = _dpo_module.DPO, _orpo_module.ORPO
for _module in (_dpo_module, _orpo_module):
    vars(_module)["get_sequence_parallel_world_size"] = lambda: 1


def _places(given: dict[str, Any]) -> Tensor:
    """The labels of alternating chosen and rejected responses, each behind one token of a prompt; -100 where none counts."""
    n = len(given["policy_chosen_logps"])
    lengths = [given.get(f"{who}_lengths", torch.ones(n, dtype=torch.long)) for who in ("chosen", "rejected")]
    sizes = torch.stack(lengths, 1).reshape(-1)
    places = torch.arange(2 + (int(sizes.max()) if n else 1))
    return torch.where((places >= 1) & (places <= sizes[:, None]), 1, -100)


def _first(given: dict[str, Any], who: str, labels: Tensor) -> Tensor:
    """Log-probabilities of tokens, the first of each response with all of it, in the order of the labels."""
    logps = torch.stack([given[f"{who}_chosen_logps"], given[f"{who}_rejected_logps"]], 1).reshape(-1)
    return first_token(logps, labels.shape[1])


def _of_dpo(kind: str, given: dict[str, Any]) -> Tensor:
    labels = _places(given)

    def model(who: str) -> Any:
        return lambda **_: SimpleNamespace(logits=_first(given, who, labels))

    told = SimpleNamespace(
        loss_type=kind,
        beta=given["beta"],
        label_smoothing=given.get("label_smoothing", 0.0),
        use_varlen_attn=False,
        llm=model("policy"),
        ref_llm=model("ref"),
        _gather_masked_logits=lambda logits, *_: logits,
    )
    loss: Tensor = DPO.compute_loss(bound(DPO, told, "get_logps"), {"labels": labels})["loss"]
    return loss


def _of_orpo(given: dict[str, Any]) -> Tensor:
    labels = _places(given)
    logits = two_logits(_first(given, "policy", labels))
    told = SimpleNamespace(beta=given["odds_weight"], use_varlen_attn=False, llm=lambda **_: SimpleNamespace(logits=logits))
    bound(ORPO, told, "_gather_masked_logits", "get_logps", "cross_entropy_loss", "odds_ratio_loss")
    loss: Tensor = ORPO.compute_loss(told, {"labels": labels})["loss"]
    return loss.to(given["policy_chosen_logps"].dtype)


def _of_odds(given: dict[str, Any]) -> Tensor:
    """What ORPO adds to the likelihood term: it subtracts the mean of `odds_ratio_loss`, of averages."""
    pc, pr = (given[f"policy_{who}_logps"] / given[f"{who}_lengths"].to(torch.float32) for who in ("chosen", "rejected"))
    losses: Tensor = ORPO.odds_ratio_loss(SimpleNamespace(beta=given["odds_weight"]), pc, pr)[0]
    return -losses.mean()


def _named(loss: str, **given: Any) -> Tensor:
    trainer, _, kind = loss.partition(" ")
    if trainer == "ORPO":
        return _of_odds(given) if kind else _of_orpo(given)
    return _of_dpo(kind, given).mean()


LOSSES = torch_implementation(
    _named,
    name="xtuner",
    dtypes=("binary32",),
    reduction="mean",
    library="xtuner",
    loss={
        "sigmoid": "DPO sigmoid",
        "cdpo": "DPO sigmoid",
        "robust": "DPO robust",
        "hinge": "DPO hinge",
        "ipo_average": "DPO ipo",
        "sppo_hard": "DPO sppo_hard",
        "nca_pair": "DPO nca_pair",
        "orpo": "ORPO",
        "orpo_odds": "ORPO odds_ratio_loss",
    },
)
