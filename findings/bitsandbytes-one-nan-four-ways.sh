#!/usr/bin/env bash
# bitsandbytes 0.50.2, torch 2.13.0, CPU (x86-64): one NaN among the weights is a number, 64 NaN or as many as there are, by the format.
#
# Guessed: the block of 64 that holds it is NaN. Seen: in nf4 and fp4 it is; with compress_statistics, the double quantization of QLoRA, all blocks of
# the tensor are; in the 8 bits of quantize_blockwise, which 8-bit optimizers keep their states in, none is: the NaN is -0.993 of the largest number
# of its block, and the others are right. A state that broke is a finite one, of the largest size.
# Guessed: an infinity keeps its sign, and spoils its block. Seen: in nf4 -inf is inf, and the other 63 are NaN; in 8 bits all 64 are infinite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q --no-deps bitsandbytes==0.50.2 packaging==26.4
cat > "$folder/seen.py" <<'PY'
import math

import torch
from bitsandbytes.functional import dequantize_4bit, dequantize_blockwise, quantize_4bit, quantize_blockwise

torch.manual_seed(0)
weights = torch.randn(256)


def there_and_back(broken, how):
    x = weights.clone()
    x[3] = broken
    if how == "int8":
        return dequantize_blockwise(*quantize_blockwise(x, blocksize=64)).flatten()
    kind, double = how.split("-") if "-" in how else (how, "")
    return dequantize_4bit(*quantize_4bit(x, quant_type=kind, blocksize=64, compress_statistics=bool(double))).flatten()


for broken in math.nan, -math.inf:
    seen = {how: there_and_back(broken, how) for how in ("nf4", "fp4", "nf4-double", "int8")}
    counts = {how: (int(y.isnan().sum()), int(y.isinf().sum()), y[3].item()) for how, y in seen.items()}
    print(broken, counts)
    if math.isnan(broken):
        others = torch.cat([weights[:3], weights[4:64]])
        assert counts["nf4"][0] == counts["fp4"][0] == 64 and counts["nf4-double"][0] == 256 and counts["int8"][:2] == (0, 0)
        assert -1 <= counts["int8"][2] / others.abs().max().item() < -0.99
        assert (seen["int8"][:64] - weights[:64]).abs()[torch.arange(64) != 3].max() < 0.1
    else:
        assert counts["nf4"] == counts["fp4"] == (63, 1, math.inf) and counts["int8"][:2] == (0, 64)
PY
OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/seen.py"
