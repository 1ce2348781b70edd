#!/usr/bin/env bash
# torch 2.13.0, CPU. A torch.autograd.Function with a jvp of its own, differentiated twice in forward mode
# (torch.func.jvp of torch.func.jvp), gives 0 and no error. Forward over reverse, reverse over forward and reverse over reverse of
# the same function are right, so that hessian() is right and jacfwd(jacfwd()) is 0.
#
# Guessed: an error, as for a missing jvp, or the right number. Seen for x**3 at x = 3: 0 where 18 is right.
# Who tests second derivatives of a custom loss by one nesting of transformations has not tested the others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import torch
from torch.func import grad, jvp


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x * x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x * x * grad

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_for_forward
        return 3 * x * x * tangent


x, one = torch.tensor(3.0), torch.tensor(1.0)
first = lambda y: jvp(Cube.apply, (y,), (one,))[1]
seen = {
    "reverse over reverse": float(grad(grad(Cube.apply))(x)),
    "forward over reverse": float(jvp(grad(Cube.apply), (x,), (one,))[1]),
    "reverse over forward": float(grad(first)(x)),
    "forward over forward": float(jvp(first, (x,), (one,))[1]),
}
print(torch.__version__, seen)
assert seen == {
    "reverse over reverse": 18.0,
    "forward over reverse": 18.0,
    "reverse over forward": 18.0,
    "forward over forward": 0.0,
}
PY
"$folder/venv/bin/python" "$folder/seen.py"
