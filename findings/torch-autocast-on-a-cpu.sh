#!/usr/bin/env bash
# torch 2.13.0, CPU: what autocast does on a CPU.
#
# Guessed: it is CUDA's, by another list of products: log_softmax, logsumexp and softplus run in float32 (as documented for CUDA). Seen under autocast
# to bfloat16: those and log_sigmoid of bfloat16 logits stay bfloat16, and cross_entropy is float32: a token's log-probability is -8.625 by
# log_softmax and gather, -8.6538 by cross_entropy, and -8.6538 is right. Who tests on a CPU tests another accuracy than that of the run.
# Guessed: dot of two float32 vectors is cast as their matmul is. Seen: x @ w.T of one row is in bfloat16, and dot in float32: 1 + 2**-9 times 64 is
# 64 by one and 64.125 by the other.
# Guessed: cat and stack of tensors of one dtype give that dtype. Seen: of float16 under autocast to bfloat16 (of bfloat16 under float16
# likewise) "Unexpected floating ScalarType"; of float64 and of the other's own dtype they work. So does the concatenated forward of
# chosen and rejected of a reference model that was loaded in float16.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import torch
import torch.nn.functional as F

logits = torch.randn(4, 1000, generator=torch.Generator().manual_seed(0)).bfloat16()
label = torch.arange(4)
x, w = torch.full((1, 64), 1 + 2**-9), torch.ones(8, 64)
exact = logits.double().log_softmax(-1)[label, label]
with torch.autocast("cpu", dtype=torch.bfloat16):
    kinds = [f(logits.float().bfloat16()).dtype for f in (lambda y: y.log_softmax(-1), lambda y: y.logsumexp(-1), F.softplus, F.logsigmoid)]
    chosen = logits.log_softmax(-1).gather(-1, label[:, None])[:, 0]
    entropy = -F.cross_entropy(logits, label, reduction="none")
    product, dot = float((x @ w.T)[0, 0]), float(torch.dot(x[0], w[0]))
print(kinds, chosen, entropy, exact, product, dot)
assert kinds == [torch.bfloat16] * 4 and chosen.dtype == torch.bfloat16 and entropy.dtype == torch.float32
assert float((entropy - exact).abs().max()) < 1e-5 and float((chosen - exact).abs().max()) > 0.02
assert product == 64.0 and abs(dot - 64.125) < 1e-3
for outer, inner, works in (
    (torch.bfloat16, torch.float16, False),
    (torch.float16, torch.bfloat16, False),
    (torch.bfloat16, torch.bfloat16, True),
    (torch.float16, torch.float16, True),
    (torch.bfloat16, torch.float64, True),
):
    for joined in torch.cat, torch.stack:
        said = ""
        with torch.autocast("cpu", dtype=outer):
            try:
                said = str(joined([torch.ones(1, dtype=inner)] * 2).dtype)
            except RuntimeError as error:
                said = str(error)
        print(outer, inner, joined.__name__, said)
        assert said == str(inner) if works else "Unexpected floating ScalarType" in said
PY
"$folder/venv/bin/python" "$folder/seen.py"
