#!/usr/bin/env bash
# torch 2.13.0, CPU: losses of which NaN is 0, and losses that are NaN with the slope 0 or 1.
#
# Guessed: NaN in, NaN out, value and slope. Seen: multi_margin_loss and multilabel_margin_loss of a NaN score are 0, with the slope 0: a diverged
# ranking loss is a perfect one. l1_loss, margin_ranking_loss and hinge_embedding_loss are NaN with the slope 0, so that nothing but the printed
# number shows it and the weights stay finite; relu and hardtanh are NaN with the slope 1. huber_loss, smooth_l1_loss and soft_margin_loss are NaN in
# both. Guessed: sign(NaN) is NaN, as NumPy's. Seen: 0, from which the first of these follow.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math

import torch
import torch.nn.functional as F

one, none = torch.ones(1), torch.zeros(1)
losses = {
    "multi_margin_loss": lambda x: F.multi_margin_loss(torch.stack([x, none], 1), torch.tensor([0])),
    "multilabel_margin_loss": lambda x: F.multilabel_margin_loss(torch.stack([x, none], 1), torch.tensor([[0, -1]])),
    "l1_loss": lambda x: F.l1_loss(x, none),
    "margin_ranking_loss": lambda x: F.margin_ranking_loss(x, none, one),
    "hinge_embedding_loss": lambda x: F.hinge_embedding_loss(x, -one),
    "relu": F.relu,
    "hardtanh": F.hardtanh,
    "huber_loss": lambda x: F.huber_loss(x, none),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, none),
    "soft_margin_loss": lambda x: F.soft_margin_loss(x, one),
}
seen = []
for name, loss in losses.items():
    x = torch.tensor([math.nan], requires_grad=True)
    value = loss(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    seen.append((float(value.detach()), float(slope)))
    print(name, seen[-1])
nan = "nan"
assert [tuple(nan if math.isnan(a) else abs(a) for a in pair) for pair in seen] == [(0, 0)] * 2 + [(nan, 0)] * 3 + [(nan, 1)] * 2 + [(nan, nan)] * 3
assert torch.sign(torch.tensor(math.nan)) == 0
PY
"$folder/venv/bin/python" "$folder/seen.py"
