#!/usr/bin/env bash
# mlx 0.32.4 on a CPU: the derivative of logaddexp, of which losses make their log-sigmoid.
#
# Seen on 29 November 2026, x86-64:
#   logaddexp(0, -z) is right at every z; its derivative, -sigmoid(-z), is computed as a number near 1 less 1 where z > 0: 40 parts in a
#   million off at z = 13.5, and exactly 0 from z = 17.5 on, where it is -2.5e-8. So is that of -log(sigmoid(z)). JAX's and torch's are right
#   there: the field's stable spelling is stable in its value alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'mlx[cpu]==0.32.4'
"$folder/venv/bin/python" - <<'PYTHON'
import math

import mlx.core as mx

slope = mx.grad(lambda z: mx.logaddexp(mx.array(0.0), -z).sum())
other = mx.grad(lambda z: -mx.log(mx.sigmoid(z)).sum())
for z in (-17.5, 5.0, 13.5, 17.5, 27.0):
    exact = -1 / (1 + math.exp(z))
    got, plain = slope(mx.array([z])).item(), other(mx.array([z])).item()
    value = mx.logaddexp(mx.array(0.0), mx.array(-z)).item()
    print(f"z = {z}: logaddexp {value:.6g}, its slope {got:.6g}, of log(sigmoid) {plain:.6g}, exact {exact:.6g}")
    assert abs(value - math.log1p(math.exp(-abs(z))) - max(-z, 0)) <= 1e-6 * abs(value)
    if z > 17:
        assert got == 0 and plain == 0 and exact < -1e-12
PYTHON
