# /// script
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""easydel 0.3.0: a NaN where nothing counts has a derivative, which is NaN (MASKED-3).

The packages' own `__init__`, which import an inference server, are left out."""

import importlib.machinery
import importlib.util
import sys

import jax
import jax.numpy as jnp

name = "easydel"
for part in ("trainers", "odds_ratio_preference_optimization_trainer", "_fn"):
    spec = importlib.util.find_spec(name)
    found = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, None, is_package=True))
    found.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = found
    name = f"{name}.{part}"
get_batch_logps = importlib.import_module(name).get_batch_logps

labels = jnp.array([[0, 2, -100]])  # the token 2 counts, and what follows it does not
for bad in (float("nan"), float("inf"), 0.0):
    logits = jnp.array([[[0.0, 1.0, 2.0], [bad, 1.0, 2.0], [0.0, 0.0, 0.0]]])
    value, slopes = jax.value_and_grad(lambda z: get_batch_logps(z, labels).sum())(logits)
    print(f"MASKED-3: with {bad} where nothing counts, {float(value):.6f}; its derivative there is", float(slopes[0, 1, 0]))
