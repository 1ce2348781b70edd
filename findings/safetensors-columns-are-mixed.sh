#!/usr/bin/env bash
# safetensors 0.8.0 on numpy 2.4.6: a column of an array is saved as other numbers of that array, and nothing is raised.
#
# Guessed: safetensors.numpy.save_file of a view writes the view, as numpy.save does, or refuses it, as safetensors.torch does. Seen: it writes as
# many numbers as the view has, from its first on as they lie in memory. Of the log-probabilities logps, a row a pair, logps[:, 0] is saved as chosen,
# rejected, chosen, ... and logps[:, 1] as rejected, chosen, ...: of the same shape and dtype, so that the loss is a plausible one. A transpose keeps
# its shape and has the numbers in another order; logps[::2] is the first half. Of 0.7.0 and numpy.savez all of these come back. The documentation
# asks for contiguous tensors; a transpose counts as contiguous, in Fortran's order, and is as wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/seen.py" <<'PY'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

logps = np.array([[-10.0, -30.0], [-11.0, -31.0], [-12.0, -32.0], [-13.0, -33.0]], dtype=np.float32)
views = {"chosen": logps[:, 0], "rejected": logps[:, 1], "turned": logps.T, "half": logps[::2]}
path = sys.argv[1] + "/logps"
save_file(views, path + ".safetensors")
np.savez(path + ".npz", **views)
seen, right = load_file(path + ".safetensors"), np.load(path + ".npz")
same = {name: bool(np.array_equal(seen[name], view)) for name, view in views.items()}
print(safetensors.__version__, seen, same)
assert all(np.array_equal(right[name], view) for name, view in views.items())
if safetensors.__version__ == "0.8.0":
    assert logps.T.flags.f_contiguous and not any(same.values())
    assert seen["chosen"].tolist() == [-10, -30, -11, -31] and seen["rejected"].tolist() == [-30, -11, -31, -12]
else:
    assert all(same.values())
PY
for version in 0.7.0 0.8.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q safetensors==$version numpy==2.4.6
  "$folder/$version/bin/python" "$folder/seen.py" "$folder"
done
