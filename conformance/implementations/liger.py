# /// script
# requires-python = ">=3.11"
# dependencies = ["liger-kernel==0.8.5", "torch>=2.4", "triton"]
#
# [tool.dpo-conformance]
# no-deps = ["liger-kernel"]
# ///
"""Liger-Kernel: `liger`, `LigerFusedLinearDPOFunction.preference_loss_fn`, which returns the mean over the pairs, and
`liger@LOSS` for its other types and functions.

The fused loss upcasts its logits, so that in training the logps reach this function as float32. The fused loss whole is
judged from hidden states by `sequence/of_liger.py`; where it gives the same bits is told in docs/judge-your-own.md.
"""

from __future__ import annotations

from typing import Any

import torch
from liger_kernel.chunked_loss.cpo_loss import LigerFusedLinearCPOFunction
from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction
from liger_kernel.chunked_loss.kto_loss import LigerFusedLinearKTOFunction
from liger_kernel.chunked_loss.orpo_loss import LigerFusedLinearORPOFunction, LigerFusedLinearORPOLoss
from liger_kernel.chunked_loss.simpo_loss import LigerFusedLinearSimPOFunction
from torch import Tensor

from conformance.implementations.known import smoothing_ignored
from conformance.implementations.torch import torch_implementation
from conformance.implementations.two_logits import first_token, two_logits

_IGNORED = (
    'its docstring says \'Label smoothing for "robust" / "exo_pair" / cDPO\', and its code calls the robust loss cDPO; '
    "loss_type='sigmoid' accepts it and does not use it (https://github.com/huggingface/trl/pull/7063 speaks of it)"
)
NOTES = smoothing_ignored(_IGNORED)


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    loss: Tensor
    target = torch.zeros(2 * len(pc), 1, dtype=torch.long)  # of the whole batch: only its length counts
    loss, _, _ = LigerFusedLinearDPOFunction.preference_loss_fn(
        pc, pr, target, rc, rr, beta=beta, loss_type="sigmoid", label_smoothing=label_smoothing
    )
    return loss


def _whole_orpo(given: dict[str, Any]) -> Tensor:
    """What the fused ORPO loss returns, of hidden states that are two logits a token; a response's first token has its whole
    log-probability.
    """
    sizes = torch.cat([given["chosen_lengths"], given["rejected_lengths"]])
    width = int(sizes.max()) if len(sizes) else 1
    target = torch.where(torch.arange(width) < sizes[:, None], 1, -100)
    pc = given["policy_chosen_logps"]
    hidden = two_logits(first_token(torch.cat([pc, given["policy_rejected_logps"]]), width))
    head = torch.eye(2, dtype=torch.float64)
    loss: Tensor = LigerFusedLinearORPOLoss(beta=given["odds_weight"], compiled=False)(head, hidden, target)[0]
    return loss.to(pc.dtype)


def _named(loss: str, **given: Any) -> Tensor:
    if loss == "ORPO whole":
        return _whole_orpo(given)
    pc = given.pop("policy_chosen_logps", None)
    pr = given.pop("policy_rejected_logps", None)
    reference = [given.pop(name, None) for name in ("ref_chosen_logps", "ref_rejected_logps")]
    target = torch.zeros(2 * len(pc if pc is not None else pr), 1, dtype=torch.long)
    if loss in AVERAGED:
        pc, pr = pc / given.pop("chosen_lengths").to(pc.dtype), pr / given.pop("rejected_lengths").to(pr.dtype)
    if loss == "KTO":
        return _row(pc, pr, reference, **given)
    if loss in FUNCTIONS:
        if loss == "ORPO":
            given = {"beta": given["odds_weight"]}
        found: Tensor = FUNCTIONS[loss].preference_loss_fn(pc, pr, target, **given)[0]
        return found
    if loss == "discopop":
        given["discopop_tau"] = given.pop("tau")
    one: Tensor = LigerFusedLinearDPOFunction.preference_loss_fn(pc, pr, target, *reference, loss_type=loss, **given)[0]
    return one


def _row(
    pc: Tensor | None, pr: Tensor | None, reference: list[Tensor | None], *, beta: float, z0: float, **_weights: float
) -> Tensor:
    """A KTO row, desirable or not; its function takes no weights."""
    logps, ref = (pc, reference[0]) if pc is not None else (pr, reference[1])
    assert logps is not None
    labels, kl = torch.full((len(logps),), pc is not None), torch.tensor(z0)
    loss: Tensor = LigerFusedLinearKTOFunction.preference_loss_fn(logps, labels, labels, ref, beta=beta, kl=kl)[0]
    return loss


FUNCTIONS = {"CPO": LigerFusedLinearCPOFunction, "SimPO": LigerFusedLinearSimPOFunction, "ORPO": LigerFusedLinearORPOFunction}
AVERAGED = {"SimPO", "ORPO"}
DPO = torch_implementation(_loss, name="liger", dtypes=("binary32",), reduction="mean", library="liger-kernel", notes=NOTES)
LOSSES = torch_implementation(
    _named,
    name="liger",
    dtypes=("binary32",),
    reduction="mean",
    library="liger-kernel",
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "robust": "robust",
        "hinge": "hinge",
        "exo_pair": "exo_pair",
        "nca_pair": "nca_pair",
        "bco_batch": "bco_pair",
        "sppo_hard": "sppo_hard",
        "apo_zero": "apo_zero",
        "apo_down": "apo_down",
        "discopop": "discopop",
        "cpo": "CPO",
        "simpo": "SimPO",
        "simpo_smoothed": "SimPO",
        "orpo_odds": "ORPO",
        "orpo": "ORPO whole",
        "kto_desirable": "KTO",
        "kto_undesirable": "KTO",
    },
)
