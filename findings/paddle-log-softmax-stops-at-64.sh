#!/usr/bin/env bash
# paddlepaddle 3.3.1, CPU: no log-probability is more than 64 below the largest, and infinity is close to 1.
#
# Guessed: log_softmax of [0, -200] is [0, -200]. Seen: [0, -64], in float32 and float64, and cross_entropy of the second label is 64; its gradient is
# the right one, 1 and -1, so that a run goes on learning while the loss it prints stands still. -inf is -64 too: a masked token is finite.
# Guessed: log_sigmoid keeps its tail. Seen: 0 from 17 on in float32 (4.1e-8 is right) and from 37 on in float64; softplus the same.
# Guessed: allclose refuses infinity. Seen: allclose(1, inf) and allclose(-inf, inf) are True, allclose(inf, 1) is False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q paddlepaddle==3.3.1 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import paddle
import paddle.nn.functional as F

at = paddle.to_tensor
inf = math.inf
for dtype in ("float32", "float64"):
    logits = at([[0.0, -200.0]], dtype=dtype, stop_gradient=False)
    loss = F.cross_entropy(logits, at([1]))
    loss.backward()
    seen = [F.log_softmax(logits).tolist(), F.log_softmax(at([0.0, -inf], dtype=dtype)).tolist(), loss.item(), logits.grad.tolist()]
    print(dtype, seen)
    assert seen == [[[0.0, -64.0]], [0.0, -64.0], 64.0, [[1.0, -1.0]]]

tails = [F.log_sigmoid(at([z], dtype=dtype)).item() for z, dtype in ((16.0, "float32"), (17.0, "float32"), (36.0, "float64"), (37.0, "float64"))]
print("log_sigmoid at 16, 17 in float32 and 36, 37 in float64:", tails)
assert tails[0] < 0 and tails[1] == 0 and tails[2] < 0 and tails[3] == 0

close = [paddle.allclose(at([a]), at([b])).item() for a, b in ((1.0, inf), (-inf, inf), (inf, 1.0))]
print("allclose(1, inf), (-inf, inf), (inf, 1):", close)
assert close == [True, True, False]
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py" 2> "$folder/errors" || { tail -5 "$folder/errors"; exit 1; }
