# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "open-instruct @ git+https://github.com/allenai/open-instruct@e6c3044aa6201c8bfa4573c1b03142af599e730d",
#     "torch>=2.4",
# ]
#
# [tool.dpo-conformance]
# no-deps = ["open-instruct"]
# any-python = ["open-instruct"]
# ///
"""open-instruct: `open-instruct@LOSS`, `open_instruct.dpo_utils.compute_loss`, per pair, of sums or, for SimPO and "dpo_norm",
of averages, as its forward pass hands them on.

It is on no registry; the module of the losses is imported alone, without DeepSpeed, Ray, vLLM and the rest.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.torch import torch_implementation

_OWN = (
    "data_loader",
    "dataset_transformation",
    "logger_utils",
    "model_utils",
    "olmo_core_utils",
    "padding_free_collator",
    "tensor_utils",
    "utils",
)
_module = bare_import("open_instruct.dpo_utils", unused=("tqdm", "transformers", *(f"open_instruct.{x}" for x in _OWN)))


def _named(loss: str, policy_chosen_logps: Tensor, policy_rejected_logps: Tensor, **given: Any) -> Tensor:
    kind = _module.DPOLossType(loss)
    logps = [policy_chosen_logps, policy_rejected_logps, given.get("ref_chosen_logps"), given.get("ref_rejected_logps")]
    if kind.is_average_loss:
        sizes = [given[name].to(policy_chosen_logps.dtype) for name in ("chosen_lengths", "rejected_lengths")]
        logps = [x if x is None else x / size for x, size in zip(logps, sizes * 2, strict=True)]
    told = SimpleNamespace(
        loss_type=kind,
        beta=given["beta"],
        label_smoothing=given.get("label_smoothing", 0.0),
        gamma_beta_ratio=given.get("gamma", 0.0) / given["beta"],
    )
    cache = {None: {"chosen_logps": logps[2], "rejected_logps": logps[3]}}
    losses: Tensor = _module.compute_loss(told, {"index": None}, logps[0], logps[1], cache)[0]
    return losses


LOSSES = torch_implementation(
    _named,
    name="open-instruct",
    library="open-instruct",
    loss={"sigmoid": "dpo", "cdpo": "dpo", "sigmoid_norm": "dpo_norm", "simpo": "simpo", "simpo_smoothed": "simpo"},
)
