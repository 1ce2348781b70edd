#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0, CPU: one NaN among probabilities makes logits of the others, and a wrong preference right.
#
# Guessed: accuracy of a NaN raises, is NaN or counts it as wrong. Seen: the others change: 0.2 for the label 1 is wrong, and right as soon as a NaN
# stands beside it, since what is not all between 0 and 1 is taken for logits, sigmoid(0.2) is 0.55 and above the threshold. Of 0.3, 0.2, 0.9 with the
# labels 0, 1, 1 the accuracy is 2/3, of NaN, 0.2, 0.9 it is 1, and the AUROC of NaN, NaN, NaN is a number.
# Guessed: kl_divergence(log_prob=True) takes -inf, a masked token, with 0 log 0 = 0, as it does of probabilities. Seen: NaN.
# Guessed: a NaN that MeanMetric drops, with a warning, is a value's. Seen: a weight of NaN drops its value as well: of 1 and 3 with the weights 1 and
# NaN the mean is 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q --no-deps torchmetrics==1.9.0 lightning-utilities==0.15.3 packaging==26.4
cat > "$folder/seen.py" <<'PY'
import math
import warnings

import torch
from torchmetrics import MeanMetric
from torchmetrics.functional import accuracy, auroc, kl_divergence

warnings.simplefilter("ignore")
labels, nan = torch.tensor([0, 1, 1]), math.nan
seen = [accuracy(torch.tensor(p), labels, task="binary").item() for p in ([0.3, 0.2, 0.9], [nan, 0.2, 0.9], [0.3, nan, 0.9])]
alone = accuracy(torch.tensor([0.2]), torch.tensor([1]), task="binary").item()
ranked = auroc(torch.tensor([nan] * 3), labels, task="binary").item()
print(seen, alone, ranked)
assert [round(3 * x) for x in seen] == [2, 3, 1] and alone == 0 and not math.isnan(ranked)
certain, even = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])
plain, by_logs = kl_divergence(certain, even).item(), kl_divergence(certain.log(), even.log(), log_prob=True).item()
print(plain, by_logs)
assert abs(plain - math.log(2)) < 1e-6 and math.isnan(by_logs)
mean = MeanMetric()
mean.update(torch.tensor([1.0, 3.0]), torch.tensor([1.0, nan]))
print(mean.compute())
assert mean.compute() == 1
PY
OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/seen.py"
