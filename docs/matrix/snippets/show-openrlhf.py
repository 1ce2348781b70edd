# /// script
# dependencies = ["openrlhf==0.11.2", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["openrlhf"]
# ///
"""OpenRLHF 0.11.2: an impossible rejected response gives NaN, not 0 (SPECIAL-2)."""

import importlib
import importlib.util
import sys
from types import ModuleType

import torch

# the file of the loss alone, since its package imports deepspeed and flash-attn, which the loss does not use
sys.modules["deepspeed"] = ModuleType("deepspeed")
root = importlib.util.find_spec("openrlhf").submodule_search_locations[0]
package = sys.modules["models"] = ModuleType("models")
package.__path__ = [f"{root}/models"]
loss = importlib.import_module("models.loss")

logps = [torch.tensor([x]) for x in (-12.0, -float("inf"), -11.0, -14.0)]
mean, _, _ = loss.DPOLoss(beta=0.1, label_smoothing=0.0)(*logps)
print("SPECIAL-2: the loss at z = +inf is", mean.item(), "where 0 is exact")
