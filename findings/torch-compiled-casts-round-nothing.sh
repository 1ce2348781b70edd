#!/usr/bin/env bash
# torch 2.13.0, CPU, torch.compile with g++: what is cast to float16 or bfloat16 and back is not rounded, to float8 it is.
#
# Guessed: a cast that is written is made; what is fused between two half operations may stay wide (as documented). Seen: x.half().float() compiled
# is x: 70000, 1e-8 and 2049 come back, where eager gives inf, 0 and 2048, and x.bfloat16().float() likewise; x.to(torch.float8_e4m3fn).float() is
# rounded as in eager. A test that a loss overflows, or a rounding that is put in by hand, is gone with the compilation of its caller. With
# TORCHINDUCTOR_EMULATE_PRECISION_CASTS=1 they are there.
# Guessed: (x.half() + 2048) - 2048 of 0.25 is 0, as the format has it. Seen: 0.25. A bfloat16 log-sigmoid whose result is read in float32
# has 24 bits: a compiled run prints losses that are no bfloat16 numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import os

import torch
import torch.nn.functional as F

x = torch.tensor([70000.0, 1e-8, 2049.0, 0.25])
asked = {
    "float16": lambda x: x.half().float(),
    "bfloat16": lambda x: x.bfloat16().float(),
    "float8": lambda x: x.clamp(max=448).to(torch.float8_e4m3fn).float(),
    "cancelled": lambda x: ((x.half() + 2048) - 2048).float(),
    "log-sigmoid": lambda x: F.logsigmoid(x.bfloat16()).float(),
}
eager = {name: f(x).tolist() for name, f in asked.items()}
seen = {name: y.tolist() for name, y in torch.compile(lambda x: {name: f(x) for name, f in asked.items()})(x).items()}
for name in asked:
    print(name, eager[name], seen[name])
if os.environ.get("TORCHINDUCTOR_EMULATE_PRECISION_CASTS") == "1":
    assert seen == eager
else:
    assert seen["float16"] == seen["bfloat16"] == x.tolist() and seen["float8"] == eager["float8"]
    assert eager["cancelled"][3] == 0 and seen["cancelled"][3] == 0.25
    assert torch.tensor(seen["log-sigmoid"]).bfloat16().float().tolist() != seen["log-sigmoid"]
PY
export OMP_NUM_THREADS=1 TORCHINDUCTOR_COMPILE_THREADS=1
for emulate in 0 1; do
  export TORCHINDUCTOR_EMULATE_PRECISION_CASTS=$emulate TORCHINDUCTOR_CACHE_DIR="$folder/cache$emulate"
  "$folder/venv/bin/python" "$folder/seen.py"
done
