#!/usr/bin/env bash
# torch 2.13.0, CPU, float16: which means overflow, and clip_grad_norm_ that sets finite gradients to zero.
#
# Guessed: what mean does well, its relatives do. Seen for a hundred 1000s: mean, l1_loss and avg_pool1d give 1000; nanmean, masked.mean,
# scatter_reduce, segment_reduce, the mean of a jagged tensor, embedding_bag and nll_loss give inf.
# Guessed: clip_grad_norm_ of finite gradients is finite and keeps their direction. Seen: for a thousand gradients of 2500 the norm is
# 79057, which float16 has not; it is inf, and the gradients are all 0: the step does nothing and no one is told (error_if_nonfinite is
# False by default).
# Guessed: the gradient of x.repeat_interleave(1000) does not depend on how 1000 is given. Seen in bfloat16: 1000 by an int, 256 by a tensor.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
x, rows, all_of_it = torch.full((100,), 1000.0, dtype=torch.float16), torch.zeros(100, dtype=torch.long), torch.tensor([100])
means = {
    "mean": x.mean(),
    "l1_loss": F.l1_loss(x, torch.zeros_like(x)),
    "avg_pool1d": F.avg_pool1d(x[None, None], 100),
    "nanmean": x.nanmean(),
    "masked.mean": torch.masked.mean(x, mask=torch.ones(100, dtype=torch.bool)),
    "scatter_reduce": torch.zeros(1, dtype=x.dtype).scatter_reduce(0, rows, x, "mean", include_self=False),
    "segment_reduce": torch.segment_reduce(x, "mean", lengths=all_of_it),
    "jagged": torch.nested.nested_tensor([x], layout=torch.jagged).mean(dim=1),
    "embedding_bag": F.embedding_bag(torch.arange(100)[None], x[:, None], mode="mean"),
    "nll_loss": F.nll_loss(-x[:, None], rows),
}
means = {name: float(y) for name, y in means.items()}
print(means)
assert list(means.values()) == [1000.0] * 3 + [math.inf] * 7

parameter = torch.nn.Parameter(torch.zeros(1000, dtype=torch.float16))
parameter.grad = torch.full((1000,), 2500.0, dtype=torch.float16)
norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0)
print("norm", float(norm), "exact", 2500 * math.sqrt(1000), "largest gradient left", float(parameter.grad.abs().max()))
assert norm == math.inf and not parameter.grad.any()


def gradient(count):
    y = torch.zeros(1, dtype=torch.bfloat16, requires_grad=True)
    return float(torch.autograd.grad(y.repeat_interleave(count).sum(), y)[0])


seen = [gradient(1000), gradient(torch.tensor([1000]))]
print("repeat_interleave by int, by tensor", seen)
assert seen == [1000.0, 256.0]
PY
"$folder/venv/bin/python" "$folder/seen.py"
