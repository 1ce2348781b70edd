#!/usr/bin/env bash
# triton 3.9.0 with TRITON_INTERPRET=1, torch 2.13.0, numpy 2.4.6, CPU: where fused losses are tested without a GPU, bfloat16 arithmetic is that of
# its bits, and the cast to it is cut off.
#
# Guessed: bfloat16 is computed in float32 and rounded, as on a GPU. Seen: 2.5 + 2 is -2.9e-39, the sum of the two patterns as integers; -5 < -2 is
# false, and the maximum of -5 and -2 is -5. In float16 and float32 all are right. Arithmetic between loads in bfloat16 and a cast to float32 is
# silently nonsense, with log-probabilities, which are negative, above all.
# Guessed: .to(tl.bfloat16) of a float32 rounds to nearest. Seen: it cuts: 1 + 2**-8 + 2**-20 is 1 (1.0078125 in torch), 3.4e38 is 3.39e38 (infinity),
# and of the subnormal 1e-40 it makes 1.01e-39. tl.max skips NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q --no-deps triton==3.9.0
cat > "$folder/seen.py" <<'PY'
import math

import torch
import triton
import triton.language as tl


@triton.jit
def all_of(x, y, added, larger, less, most, N: tl.constexpr):
    i = tl.arange(0, N)
    a, b = tl.load(x + i), tl.load(y + i)
    tl.store(added + i, a + b)
    tl.store(larger + i, tl.maximum(a, b))
    tl.store(less + i, (a < b).to(tl.int32))
    tl.store(most, tl.max(a))


@triton.jit
def cast(x, narrow, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(narrow + i, tl.load(x + i).to(tl.bfloat16))


def seen(dtype, xs, ys):
    x, y = torch.tensor(xs, dtype=dtype), torch.tensor(ys, dtype=dtype)
    added, larger, most = torch.zeros_like(x), torch.zeros_like(x), torch.zeros(1, dtype=dtype)
    less = torch.zeros(len(xs), dtype=torch.int32)
    all_of[(1,)](x, y, added, larger, less, most, len(xs))
    print(dtype, xs, ys, added.tolist(), larger.tolist(), less.tolist(), most.item())
    return added.tolist(), larger.tolist(), less.tolist(), most.item()


for dtype in torch.float32, torch.float16:
    assert seen(dtype, [2.5, -5.0], [2.0, -2.0]) == ([4.5, -7.0], [2.5, -2.0], [0, 1], 2.5)
added, larger, less, most = seen(torch.bfloat16, [2.5, -5.0], [2.0, -2.0])
assert -3e-39 < added[0] < 0 and 0 > added[1] > -2e-38 and larger == [2.5, -5.0] and less == [0, 0]
assert seen(torch.float32, [1.0, math.nan], [0.0, 0.0])[3] == 1
wide = torch.tensor([1 + 2**-8 + 2**-20, 1 + 3 * 2**-8, 3.4e38, 1e-40])
narrow = torch.zeros(4, dtype=torch.bfloat16)
cast[(1,)](wide, narrow, 4)
print(narrow.tolist(), wide.bfloat16().tolist())
assert narrow[:2].tolist() == [1, 1.0078125] and wide.bfloat16()[:3].tolist() == [1.0078125, 1.015625, math.inf]
assert narrow[2].isfinite() and 1e-39 < narrow[3].item() < 1.1e-39
PY
TRITON_INTERPRET=1 OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/seen.py"
