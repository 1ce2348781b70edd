#!/usr/bin/env bash
# mlx 0.32.4 with mlx-cpu: which of its accumulations are wide.
#
# Guessed: all of them, or the 16-bit ones not. Seen: the reverse: 1,000 bfloat16 ones sum to 1000 and 5,000 float16 ones to 5000, and 20,000,000
# float32 ones to 16777216, so that their mean is 0.8388608. The mean of a hundred float16 1000s is inf.
# logsumexp of 1,000 bfloat16 zeros is 6.91 and the last of logcumsumexp 4.16, which sticks; cumsum of the ones stops at 256.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'mlx[cpu]==0.32.4' mlx-cpu==0.32.4 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import mlx.core as mx

zeros = mx.zeros(1000, mx.bfloat16)
single = mx.ones(20_000_000)
seen = {
    "bfloat16 sum": mx.ones(1000, mx.bfloat16).sum(),
    "float16 sum": mx.ones(5000, mx.float16).sum(),
    "float32 sum": single.sum(),
    "float32 mean": single.mean(),
    "float16 mean": mx.full((100,), 1000, mx.float16).mean(),
    "bfloat16 cumsum": mx.cumsum(mx.ones(1000, mx.bfloat16))[-1],
    "logsumexp": mx.logsumexp(zeros),
    "logcumsumexp": mx.logcumsumexp(zeros)[-1],
}
seen = {name: round(x.astype(mx.float32).item(), 6) for name, x in seen.items()}
print(seen)
assert list(seen.values()) == [1000.0, 5000.0, 16_777_216.0, 0.838861, math.inf, 256.0, 6.90625, 4.15625]
PY
"$folder/venv/bin/python" "$folder/seen.py"
