#!/usr/bin/env bash
# trl 0.11.4, transformers 4.44.2, two processes on a CPU: what is logged beside the loss.
#
# Seen on 29 November 2026, x86-64:
#   The loss of a line is the mean over both processes; rewards and accuracies are those of the first process alone. So a right run
#   logs losses below the loss of its own mean margin, which no pairs could have: 4 of 16 lines here. With one process, none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.13.0' 'numpy==1.26.4' 'transformers==4.44.2' 'trl==0.11.4' 'accelerate==0.34.2' \
  'datasets==3.6.0' 'pyarrow==19.0.1' 'rich==15.0.0'
cat > "$folder/train.py" <<'PYTHON'
import json
import sys

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

words = [f"t{i}" for i in range(40)]
inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*words, "[PAD]", "[EOS]", "[UNK]"])}, unk_token="[UNK]"))
inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]")


def model():
    torch.manual_seed(3)
    return GPT2LMHeadModel(GPT2Config(vocab_size=43, n_embd=16, n_layer=1, n_head=2, n_positions=64))


def text(i, start):
    return " ".join(words[(start + i * k) % 40] for k in range(1, 5 + i % 7))


rows = [{"prompt": text(i, 0) + " ", "chosen": text(i + 1, 3), "rejected": text(i + 2, 17)} for i in range(64)]
arguments = DPOConfig(
    output_dir=sys.argv[1], per_device_train_batch_size=4, max_steps=16, logging_steps=1, learning_rate=1e-3, lr_scheduler_type="constant",
    report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True, seed=1,
)
trainer = DPOTrainer(model=model(), ref_model=model(), args=arguments, train_dataset=Dataset.from_list(rows), tokenizer=tokenizer)
trainer.train()
if trainer.accelerator.is_main_process:
    with open(sys.argv[1] + ".json", "w") as file:
        json.dump(trainer.state.log_history, file)
PYTHON
export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 HF_HOME="$folder/home"
cd "$folder"
for processes in 1 2; do
  "$folder/venv/bin/python" -m torch.distributed.run --nproc_per_node "$processes" --master_port $((29500 + RANDOM % 400)) \
    train.py "run$processes" > "log$processes" 2>&1 || { tail -n 20 "log$processes"; exit 1; }
done
"$folder/venv/bin/python" - <<'PYTHON'
import json
import math

for processes, least in ((1, 0), (2, 2)):
    lines = [line for line in json.load(open(f"run{processes}.json")) if "loss" in line]
    # half a unit of the fourth decimal, to which the loss is rounded, and the accuracy of binary32
    below = [line for line in lines if line["loss"] + 5.1e-5 < math.log1p(math.exp(-line["rewards/margins"]))]
    print(f"{processes} process(es): {len(below)} of {len(lines)} lines below the loss of the mean margin")
    assert len(lines) == 16 and (len(below) >= least if least else not below)
PYTHON
