# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "nemo-rl @ git+https://github.com/NVIDIA-NeMo/RL@7ea279abfbeb698b092856d0dab61e7cf39bc909",
#     "torch>=2.4",
# ]
#
# [tool.dpo-conformance]
# no-deps = ["nemo-rl"]
# any-python = ["nemo-rl"]
# ///
"""NeMo-RL: `nemo-rl@LOSS`, its `DPOLossFn`, which returns the mean over the valid pairs of the log-probabilities of tokens.

A response's first token carries its log-probability. No release is on PyPI but an empty one; the module of the loss is imported
alone, without Ray, Transformers and the rest. It divides by the number of pairs plus 1e-8, so that float32 it claims.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.torch import torch_implementation

_UNUSED = (
    "pydantic",
    "transformers",
    "nemo_rl.algorithms.x_token",
    "nemo_rl.data",
    "nemo_rl.distributed",
    "nemo_rl.models",
    "nemo_rl.utils",
)
DPOLossFn = bare_import("nemo_rl.algorithms.loss.loss_functions", unused=_UNUSED).DPOLossFn


def _rows(given: dict[str, Any], who: str) -> Tensor:
    """One number of each response, chosen and rejected in turn."""
    return torch.stack([given[name.format(who)] for name in ("{}_chosen_logps", "{}_rejected_logps")], 1).reshape(-1, 1)


def _named(loss: str, **given: Any) -> Tensor:
    n = len(given["policy_chosen_logps"])
    chosen = given.get("chosen_lengths", torch.ones(n, dtype=torch.long))
    sizes = torch.stack([chosen, given.get("rejected_lengths", chosen)], 1).reshape(-1)
    places = torch.arange(1 + (int(sizes.max()) if n else 1))
    mask = ((places >= 1) & (places <= sizes[:, None])).float()
    policy = torch.where(places[1:] == 1, _rows(given, "policy"), 0)
    reference = torch.where(places == 0, _rows(given, "ref"), 0)
    config = SimpleNamespace(
        reference_policy_kl_penalty=given["beta"],
        preference_loss_weight=1.0,
        sft_loss_weight=given.get("alpha", 0.0),
        preference_average_log_probs=loss == "preference_average_log_probs",
        sft_average_log_probs=False,
    )
    data = {"token_mask": mask, "sample_mask": torch.ones(2 * n), "reference_policy_logprobs": reference}
    valid = torch.tensor(2.0 * n)
    found: Tensor = DPOLossFn(config)(policy, data, global_valid_seqs=valid, global_valid_toks=mask.sum())[0]
    return found


LOSSES = torch_implementation(
    _named,
    name="nemo-rl",
    dtypes=("binary32",),
    reduction="mean",
    library="nemo-rl",
    loss={"sigmoid": "dpo", "sigmoid_norm": "preference_average_log_probs", "rpo": "sft_loss_weight"},
)
