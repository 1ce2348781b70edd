#!/usr/bin/env bash
# paddlepaddle 3.3.1, CPU: of the ways to cut a loss off at 0, relu alone makes a NaN 0, and the hinge of a ranking is made with it.
#
# Guessed: relu(NaN) is NaN, as clip, maximum and relu6 have it. Seen: 0, derivative 0, in float32 and float64; margin_ranking_loss of a NaN is 0,
# hinge_embedding_loss of one is NaN. Where it is not hidden its derivative is 0 all the same: clip and maximum give NaN forward and 0 backward.
# Guessed: max and argmax name the same element. Seen: max is NaN, argmax is the place of the largest number.
# Guessed: log-sum-exp of impossible tokens alone is -inf. Seen: logsumexp and logaddexp of -inf and -inf are NaN, logcumsumexp is the lowest finite
# number of the format, with which a mean goes on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q paddlepaddle==3.3.1 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import paddle
import paddle.nn.functional as F

nan, inf = math.nan, math.inf
ways = {
    "relu": F.relu,
    "relu6": F.relu6,
    "clip": lambda x: paddle.clip(x, min=0.0),
    "maximum": lambda x: paddle.maximum(x, paddle.zeros_like(x)),
    "softplus": F.softplus,
}
for dtype, lowest in (("float32", -3.4028234663852886e38), ("float64", -1.7976931348623157e308)):

    def at(*values):
        return paddle.to_tensor(values, dtype=dtype)

    seen = {}
    for name, way in ways.items():
        x = paddle.to_tensor([nan, 2.0], dtype=dtype, stop_gradient=False)
        y = way(x)
        y.sum().backward()
        seen[name] = (str(y[0].item()), str(x.grad[0].item()))
    print(dtype, seen)
    assert seen == {
        "relu": ("0.0", "0.0"),
        "relu6": ("nan", "0.0"),
        "clip": ("nan", "0.0"),
        "maximum": ("nan", "0.0"),
        "softplus": ("nan", "nan"),
    }

    ranked = F.margin_ranking_loss(at(nan, -1.0), at(0.0, 0.0), at(1.0, 1.0), reduction="none").tolist()
    hinged = F.hinge_embedding_loss(at(nan, -1.0), at(1.0, -1.0), reduction="none").tolist()
    print("margin_ranking_loss and hinge_embedding_loss of a NaN and of -1:", ranked, hinged)
    assert ranked == [0.0, 1.0] and math.isnan(hinged[0])

    x = at(nan, -1.0, 2.0)
    print("max and argmax of [NaN, -1, 2]:", paddle.max(x).item(), paddle.argmax(x).item())
    assert math.isnan(paddle.max(x).item()) and paddle.argmax(x).item() == 2

    nothing = at(-inf, -inf)
    sums = paddle.logsumexp(nothing).item(), paddle.logaddexp(at(-inf), at(-inf)).item(), paddle.logcumsumexp(nothing).tolist()
    print("logsumexp, logaddexp and logcumsumexp of -inf and -inf:", sums)
    assert math.isnan(sums[0]) and math.isnan(sums[1]) and sums[2] == [lowest, lowest]
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py" 2> "$folder/errors" || { tail -5 "$folder/errors"; exit 1; }
