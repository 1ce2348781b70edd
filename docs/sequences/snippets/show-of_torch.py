# /// script
# dependencies = ["torch==2.13.0"]
# ///
"""torch 2.13.0: 151,936 equal logits in float16 have a sum of infinity (LOGP-5)."""

import torch

row = torch.zeros(1, 151_936, dtype=torch.float16)
print("LOGP-5: log_softmax gives", torch.log_softmax(row, -1)[0, 0].item(), "where -11.93 is exact")
print("LOGP-5: gather minus logsumexp gives", (row[:, 0] - torch.logsumexp(row, -1)).item(), "where -11.93 is exact")
