#!/usr/bin/env bash
# torch 2.13.0, gloo, two processes on a CPU: of a vector of NaN on one rank, all_reduce by MAX loses one half of the NaN.
#
# Guessed: NaN wins, as in torch.max, or loses, in each place alike. Seen: of NaN on rank 0 and 2 on rank 1 the maximum is NaN, and of 1 and NaN it is
# 1: each chunk is compared as if NaN were not there, and keeps its own unless the other's is larger. A vector has two chunks, one begun by each rank:
# of 1,000 places that are alike the first half is 2 and the second NaN, or the reverse. MIN does the same, in float16 and bfloat16 too. Both ranks
# have the same here (of MPICH they have not). A largest loss, a gradient's largest norm or the flag "is a loss NaN", kept as a float, is lost by the
# number of the process that diverged and by its place in the vector of metrics.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math
import sys

import torch
import torch.distributed as dist

rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}/meeting", rank=rank, world_size=2)


def reduced(op, of_ranks, length=1, dtype=torch.float32):
    x = torch.full((length,), of_ranks[rank], dtype=dtype)
    dist.all_reduce(x, op)
    halves = x[0].item(), x[-1].item()
    assert all(str(y) in map(str, halves) for y in x.tolist())
    everyone = [None, None]
    dist.all_gather_object(everyone, [str(y) for y in halves])
    assert everyone[0] == everyone[1]
    return everyone[0]


MAX, MIN = dist.ReduceOp.MAX, dist.ReduceOp.MIN
seen = [reduced(op, x) for op in (MAX, MIN) for x in ((math.nan, 2.0), (1.0, math.nan))]
long = [reduced(op, x, 1000, dtype) for op in (MAX, MIN) for x in ((math.nan, 2.0), (2.0, math.nan)) for dtype in (torch.float32, torch.bfloat16)]
if rank == 0:
    print(seen, long)
    assert seen == [["nan", "nan"], ["1.0", "1.0"]] * 2
    assert all(sorted(halves) == ["2.0", "nan"] for halves in long) and long[0] != long[2]
dist.destroy_process_group()
PY
export OMP_NUM_THREADS=1 GLOO_SOCKET_IFNAME=lo
"$folder/venv/bin/python" "$folder/seen.py" 1 "$folder" &
"$folder/venv/bin/python" "$folder/seen.py" 0 "$folder"
wait $!
