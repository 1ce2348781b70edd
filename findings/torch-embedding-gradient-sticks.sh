#!/usr/bin/env bash
# torch 2.13.0, CPU: one matrix, embedding and head at once, has gradients of two accuracies, and so have gather and an index.
#
# Guessed: a gradient in bfloat16 or float16 is summed wide and rounded once, as the product's is, or nowhere is. Seen for 5,000 tokens of one
# kind, each with the gradient 1: the head's is 4992 (5000 rounded to bfloat16), the embedding's 256; in float16 5000 and 2048. The most frequent
# tokens, the end, the padding and the template, stop learning as inputs and go on as outputs.
# Guessed: logps.gather(-1, labels) and logps[range, labels] are the same. Seen: if one number is taken 5,000 times, as that of a shared prompt
# or of one reference for many responses, the gradient is 4992 by gather and by expand, 256 by an index and by index_select.
# Guessed: embedding_bag of the same numbers is the embedding's sum. Seen: it is, and its gradient 256 as well; sparse=True, coalesced, 256 too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
tokens = torch.zeros(5000, dtype=torch.long)


def gradient(use, dtype, *shape):
    w = torch.ones(shape, dtype=dtype, requires_grad=True)
    (g,) = torch.autograd.grad(use(w).sum(), w)
    return float((g.coalesce().values() if g.is_sparse else g).flatten()[0])


matrix = {
    "head": lambda w: F.linear(torch.ones(5000, 1, dtype=w.dtype), w),
    "embedding": lambda w: F.embedding(tokens, w),
    "sparse embedding": lambda w: F.embedding(tokens, w, sparse=True),
    "embedding_bag": lambda w: F.embedding_bag(tokens[None], w, mode="sum"),
}
vector = {
    "gather": lambda w: w.gather(0, tokens),
    "expand": lambda w: w.expand(5000),
    "index": lambda w: w[tokens],
    "index_select": lambda w: w.index_select(0, tokens),
}
for dtype, right, stuck in (torch.bfloat16, 4992.0, 256.0), (torch.float16, 5000.0, 2048.0):
    a = {name: gradient(use, dtype, 1, 1) for name, use in matrix.items()}
    b = {name: gradient(use, dtype, 1) for name, use in vector.items()}
    print(dtype, a, b)
    assert list(a.values()) == [right, stuck, stuck, stuck] and list(b.values()) == [right, right, stuck, stuck]
PY
"$folder/venv/bin/python" "$folder/seen.py"
