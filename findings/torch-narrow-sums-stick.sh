#!/usr/bin/env bash
# torch 2.13.0, CPU: sums of many 16-bit log-probabilities, and 16-bit log-softmax over a large vocabulary.
#
# Seen on 29 November 2026, x86-64:
#   log_softmax of 65,520 equal float16 logits over the last dimension is -inf; of 65,519 it is -11.09375, and over the first
#   dimension the same numbers give -11.09375 too. A fresh model with a vocabulary of 151,936 has an infinite loss.
#   index_add and segment_reduce of 1,000 bfloat16 numbers -1 give -256; scatter_add and sum give -1000.
#   cross_entropy's mean over 64 x 256 bfloat16 tokens with the first label of each row ignored is 2.734375, where every
#   token's loss is ln 1000 = 6.9078; reduction="none" is right.
#   take_along_dim takes the label -100 modulo the vocabulary, where gather raises.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.13.0' 'numpy==2.3.5'
"$folder/venv/bin/python" - <<'PYTHON'
import torch
import torch.nn.functional as F

print("torch", torch.__version__)


def equal(n, dim):
    logits = torch.zeros((n, 1) if dim == 0 else (1, n), dtype=torch.float16)
    return torch.log_softmax(logits, dim).flatten()[0].item()


seen = [equal(65_519, 1), equal(65_520, 1), equal(65_520, 0)]
print("log_softmax of equal float16 logits", seen)
assert seen == [-11.09375, float("-inf"), -11.09375]

ones, row = torch.full((1000,), -1.0, dtype=torch.bfloat16), torch.zeros(1000, dtype=torch.long)
empty = torch.zeros(1, dtype=torch.bfloat16)
seen = [
    empty.clone().index_add_(0, row, ones).item(),
    torch.segment_reduce(ones, "sum", lengths=torch.tensor([1000])).item(),
    empty.clone().scatter_add_(0, row, ones).item(),
    ones.sum().item(),
]
print("index_add, segment_reduce, scatter_add, sum", seen)
assert seen == [-256.0, -256.0, -1000.0, -1000.0]

logits, labels = torch.zeros(64 * 256, 1000, dtype=torch.bfloat16), torch.zeros(64 * 256, dtype=torch.long)
labels.view(64, 256)[:, 0] = -100
each = F.cross_entropy(logits, labels, reduction="none").float().sum().item() / (64 * 255)
seen = F.cross_entropy(logits, labels).item()
print("cross_entropy: mean", seen, "mean of reduction='none'", each)
assert seen == 2.734375 and each == 6.90625

wide, label = torch.arange(5.0)[None], torch.tensor([[-98]])
print("take_along_dim of label -98 in 5 columns", torch.take_along_dim(wide, label, -1).item())
assert torch.take_along_dim(wide, label, -1).item() == 2.0
try:
    wide.gather(-1, label)
except RuntimeError as error:
    print("gather:", str(error).splitlines()[0])
else:
    raise SystemExit("gather takes it now")
PYTHON
