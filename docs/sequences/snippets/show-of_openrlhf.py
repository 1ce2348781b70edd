# /// script
# dependencies = ["openrlhf==0.11.2", "torch>=2.4"]
# ///
"""openrlhf 0.11.2: logits are divided by the temperature in place (TIDY-1), and a float16 sum is infinity (LOGP-5).

The module is run from its file, since its package imports what only a GPU machine has.
"""

import runpy
import sys
from importlib.metadata import distribution
from types import ModuleType

import torch

sys.modules.setdefault("deepspeed", ModuleType("deepspeed"))
path = distribution("openrlhf").locate_file("openrlhf/models/utils.py")
log_probs_from_logits = runpy.run_path(str(path))["log_probs_from_logits"]
logits = torch.tensor([[[0.0, 1.0, 2.0]]])
log_probs_from_logits(logits, torch.tensor([[2]]), temperature=0.5)
print("TIDY-1: after a call at temperature 0.5 the logits 0, 1, 2 are", logits.tolist()[0][0])
flat = torch.zeros(1, 1, 151_936, dtype=torch.float16)
print("LOGP-5: of equal logits", log_probs_from_logits(flat, torch.tensor([[0]])).item(), "where -11.93 is exact")
