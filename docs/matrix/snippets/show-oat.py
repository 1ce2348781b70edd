# /// script
# dependencies = ["oat-llm==0.2.4", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["oat-llm"]
# any-python = ["oat-llm"]
# ///
"""oat-llm 0.2.4: an impossible rejected response gives NaN, not 0 (SPECIAL-2)."""

import importlib
import importlib.util
import sys
from types import ModuleType

import torch

# the file of the loss alone, since its package imports vllm and deepspeed, which the loss does not use
root = importlib.util.find_spec("oat").submodule_search_locations[0]
package = sys.modules["oat.learners"] = ModuleType("oat.learners")
package.__path__ = [f"{root}/learners"]
loss = importlib.import_module("oat.learners.loss")

logps = [torch.tensor([x]) for x in (-12.0, -float("inf"), -11.0, -14.0)]
masks = torch.ones(1), torch.ones(2, 1)
mean, _, _ = loss.DPOLoss(beta=0.1, label_smoothing=0.0)(*logps, *masks)
print("SPECIAL-2: the loss at z = +inf is", mean.item(), "where 0 is exact")
