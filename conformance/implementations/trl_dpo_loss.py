# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==0.24.0", "transformers==4.57.6", "torch>=2.4"]
# ///
"""TRL before 0.29: `trl-0.24`, the method `DPOTrainer.dpo_loss`, per-pair losses in the dtype of the logps, and `trl-0.24@LOSS`
for its other types. `IN_A_LIST` and `DESENSITISED` have what its forward pass makes of the log-probabilities before, of two
logits a token.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer
from trl.trainer.dpo_config import FDivergenceType
from trl.trainer.utils import RunningMoments

from conformance.implementations.dpo_loss_method import CALLED, bound, dpo_loss_of, losses_of, stub
from conformance.implementations.known import ALWAYS_MIXES, LISTED
from conformance.implementations.torch import torch_implementation
from conformance.implementations.two_logits import first_token, two_logits

_OFF = ("use_weighting", "aux_loss_enabled", "is_encoder_decoder", "use_logits_to_keep", "padding_free")


def _whole(loss: str, **given: Any) -> Tensor:
    """What the trainer returns of a list of losses, or at ld_alpha = 0 where every rejected response has one token more than
    the chosen one, on which policy and reference agree. A response's first token has all else of its log-probability.
    """
    pc, listed = given["policy_chosen_logps"], loss == LISTED
    sizes = torch.cat([torch.full((len(pc),), size) for size in ((3, 5) if listed else (1, 2))])
    width = int(sizes.max()) if len(pc) else 1
    inside = torch.arange(width) < sizes[:, None]
    beyond = torch.where(inside & (torch.arange(width) >= 1) & (not listed), -0.5 / given["beta"], 0.0)
    told = stub(pc, given["beta"])
    told.loss_type, told.loss_weights = loss.split(",") if listed else ["sigmoid"], [1.0, 0.0] if listed else None
    told.args = SimpleNamespace(rpo_alpha=None, ld_alpha=None if listed else 0.0, use_liger_loss=False, discopop_tau=0.05)
    told.max_length, told.pad_token_id, told.f_divergence_params = None, 0, None
    for name in _OFF:
        setattr(told, name, False)
    bound(DPOTrainer, told, "concatenated_forward", "dpo_loss", "get_batch_loss_metrics")
    told.concatenated_inputs = DPOTrainer.concatenated_inputs
    ids = {f"{who}_{what}": part for who, part in zip(("chosen", "rejected"), inside.long().chunk(2), strict=True)
           for what in ("input_ids", "attention_mask")}  # fmt: skip
    batch = ids | {name: torch.ones(len(pc), 1, dtype=torch.long) for name in ("prompt_input_ids", "prompt_attention_mask")}

    def model(who: str) -> Any:
        logps = first_token(torch.cat([given[f"{who}_chosen_logps"], given[f"{who}_rejected_logps"]]), width) + beyond
        logits = two_logits(torch.cat([logps, torch.zeros(len(logps), 1)], 1))
        return lambda *_, **__: SimpleNamespace(logits=logits)

    reference = told.concatenated_forward(model("ref"), batch, is_ref_model=True)
    told.compute_ref_log_probs = lambda _: (reference["chosen_logps"], reference["rejected_logps"])
    found: Tensor = told.get_batch_loss_metrics(model("policy"), batch)[0]
    return found.to(pc.dtype)


DPO = torch_implementation(dpo_loss_of(DPOTrainer), name="trl-0.24", library="trl", notes=ALWAYS_MIXES)
LOSSES = torch_implementation(
    losses_of(DPOTrainer, FDivergenceType, RunningMoments), name="trl-0.24", library="trl", loss=CALLED
)
IN_A_LIST = torch_implementation(
    _whole, name="trl-0.24", dtypes=("binary32",), reduction="mean", library="trl", loss={"sigmoid": LISTED}
)
DESENSITISED = torch_implementation(
    _whole, name="trl-0.24", dtypes=("binary32",), reduction="mean", library="trl", loss={"sigmoid": "sigmoid ld_alpha"}
)
