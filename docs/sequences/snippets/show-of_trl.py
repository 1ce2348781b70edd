# /// script
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""trl 1.16.0: a float16 sum of infinity (LOGP-5), and a first tile of the vocabulary that is forbidden (FORBIDDEN-2)."""

import torch
from trl.kernels import ChunkedLogProbFunction
from trl.trainer.utils import selective_log_softmax

flat = torch.zeros(1, 1, 151_936, dtype=torch.float16)
print("LOGP-5: selective_log_softmax gives", selective_log_softmax(flat, torch.tensor([[0]])).item(), "where -11.93 is exact")

columns, tile = 40, 32
bias = torch.zeros(columns)
bias[:tile] = -float("inf")
head = torch.ones(1, 1), torch.zeros(columns, 1), bias
found = ChunkedLogProbFunction.apply(*head, torch.tensor([35]), 1.0, tile)[0]
print("FORBIDDEN-2: the fused head gives", found.item(), "where -log 8 = -2.0794 is exact")
