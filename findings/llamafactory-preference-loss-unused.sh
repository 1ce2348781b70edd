#!/usr/bin/env bash
# llamafactory 0.9.5 with trl 0.24.0, the newest that it admits: `pref_loss: hinge` and `pref_loss: ipo`.
#
# Seen on 29 November 2026, x86-64:
#   Its trainer sets its own loss_type and calls trl's dpo_loss without one. trl's has taken it as an argument, "sigmoid" where none
#   is given, since losses can be listed there: so hinge trains by the sigmoid loss, and ipo by the sigmoid loss of the averages that
#   it had made for IPO. Nothing is said. Two pairs, beta 0.1: asked for hinge, 0.63291 for 0.875; asked for ipo of the same numbers,
#   0.63291 for 14.3125.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.13.0' 'numpy==2.2.6' 'transformers==4.57.6' 'trl==0.24.0' 'accelerate==1.11.0' \
  'datasets==4.0.0' 'peft==0.18.1' 'omegaconf==2.3.0' 'packaging==25.0'
"$folder/venv/bin/pip" install --quiet --no-deps 'llamafactory==0.9.5'
# imported for sound, which no text needs
touch "$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torchaudio.py"
cat > "$folder/show.py" <<'PYTHON'
import math
from types import SimpleNamespace

import torch
from llamafactory.train.dpo.trainer import CustomDPOTrainer

policy, reference = torch.tensor([[-10.25, -12.5], [-21.5, -24.0]]), torch.tensor([[-11.5, -12.0], [-19.75, -21.5]])
margins = (policy[:, 0] - reference[:, 0]) - (policy[:, 1] - reference[:, 1])
right = {
    "sigmoid": sum(math.log1p(math.exp(-0.1 * m)) for m in margins.tolist()) / 2,
    "hinge": sum(max(0.0, 1 - 0.1 * m) for m in margins.tolist()) / 2,
    "ipo": sum((m - 5) ** 2 for m in margins.tolist()) / 2,
}
for kind, expected in right.items():
    trainer = SimpleNamespace(  # what the method reads of a trainer on one process
        accelerator=SimpleNamespace(device=torch.device("cpu")), beta=0.1, loss_type=kind, label_smoothing=0.0, bco_gemma=0.0,
        reference_free=False, f_divergence_type="reverse_kl", finetuning_args=SimpleNamespace(use_ref_model=True),
    )
    trainer.dpo_loss = CustomDPOTrainer.dpo_loss.__get__(trainer)
    losses, _, _ = CustomDPOTrainer.compute_preference_loss(trainer, policy[:, 0], policy[:, 1], reference[:, 0], reference[:, 1])
    print(f"pref_loss {kind}: {losses.mean().item():.6g}, the loss of that name is {expected:.6g}")
    assert abs(losses.mean().item() - right["sigmoid"]) < 1e-6
PYTHON
cd "$folder" && HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 venv/bin/python show.py
