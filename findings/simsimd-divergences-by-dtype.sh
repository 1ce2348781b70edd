#!/usr/bin/env bash
# simsimd 6.5.16 and its successor numkong 7.8.6 on numpy 2.4.6, x86-64: what the divergence of two policies is depends on the dtype, and two certain
# and opposite policies are the same.
#
# Guessed: KL in float64 is the most exact. Seen in simsimd: of (1, 0) and (1/2, 1/2) it is 0.8333 in float64 and 0.69314 in float32 with AVX-512,
# where ln 2 is right; of two distributions over 64 tokens it is 31833 and 1.0157 (1.0157 is right). Without AVX-512 float32 is as float64.
# Guessed: KL is infinite where the second policy forbids what the first has. Seen: 2.1e19 in float64 and 7.37 in float32; numkong has 16.58 and 7.37.
# Guessed: the Jensen-Shannon distance of (1, 0) and (0, 1) is the largest there is, 0.8326. Seen: 0 in numkong with AVX-512, in each dtype, as if
# they were equal, and 0.8326 without it; 0 in simsimd in float32, 0.8326 in float16 and 0.9129 in float64.
# Guessed: a vector with an infinity has the distance NaN. Seen with AVX-512: simsimd's cosine distance of (inf, 1) is 0 to (1, 1) and to (-1, -1).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q simsimd==6.5.16 numkong==7.8.6 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import numkong
import numpy as np
import simsimd

rng = np.random.default_rng(0)
p, q = rng.dirichlet(np.ones(64)), rng.dirichlet(np.ones(64))
right = float((p * np.log(p / q)).sum())


def of(library, dtype):
    certain, opposite, even = (np.array(x, dtype) for x in ((1, 0), (0, 1), (0.5, 0.5)))
    kl = library.kullbackleibler
    pairs = (certain, even), (p.astype(dtype), q.astype(dtype)), (even, certain)
    return [float(kl(a, b)) for a, b in pairs] + [float(library.jensenshannon(certain, opposite))]


def near(seen, wanted):
    return all(abs(a / b - 1 if b else a) < 1e-3 for a, b in zip(seen, wanted, strict=True))


def simd(library):
    return [name for name, there in library.get_capabilities().items() if there and name != "serial"]


far = math.sqrt(math.log(2))
print("right", math.log(2), right, math.inf, far)
seen = {(m.__name__, t): of(m, t) for m in (simsimd, numkong) for t in ("float64", "float32", "float16")}
with_avx512 = "skylake" in simd(simsimd) and "skylake" in simd(numkong)
cosines = [float(simsimd.cosine(np.array([math.inf, 1]), np.array(x))) for x in ([1.0, 1.0], [-1.0, -1.0])]
for library in simsimd, numkong:
    for name in simd(library):
        library.disable_capability(name)
serial = {(m.__name__, t): of(m, t) for m in (simsimd, numkong) for t in ("float64", "float32")}
for key in seen:
    print(*key, seen[key], "without SIMD", serial.get(key))
print("cosine", cosines)
for numbers in seen["SimSIMD", "float64"], serial["SimSIMD", "float32"]:
    assert near(numbers[:2], [0.83333, 31833.337]) and numbers[2] > 1e19 and near(numbers[3:], [0.91294])
for t in "float64", "float32":
    assert near(serial["numkong", t], [math.log(2), right, 16.576 if t == "float64" else 7.3659, far])
if with_avx512:
    assert near(seen["SimSIMD", "float32"], [math.log(2), right, 7.3659, 0])
    assert near(seen["SimSIMD", "float16"], [math.log(2), right, 7.3659, far])
    assert all(near(seen["numkong", t], [math.log(2), right, seen["numkong", t][2], 0]) for t in ("float64", "float32", "float16"))
    assert cosines == [0, 0]
PY
"$folder/venv/bin/python" "$folder/seen.py"
