# /// script
# dependencies = ["verl==0.9.1", "torch>=2.4", "tensordict>=0.8", "transformers>=4.50"]
# ///
"""verl 0.9.1: 151,936 equal logits in float16 have a sum of infinity (LOGP-5)."""

import torch
from verl.utils.torch_functional import logprobs_from_logits_naive, logprobs_from_logits_v2

flat = torch.zeros(1, 1, 151_936, dtype=torch.float16)
for function in (logprobs_from_logits_naive, logprobs_from_logits_v2):
    print("LOGP-5:", function.__name__, "gives", function(flat, torch.tensor([[0]])).item(), "where -11.93 is exact")
