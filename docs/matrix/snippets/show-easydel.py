# /// script
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""EasyDeL 0.3.0: an impossible rejected response gives NaN, not 0 (SPECIAL-2)."""

import jax.numpy as jnp
from easydel.trainers.direct_preference_optimization_trainer._fn import get_loss_function

loss = get_loss_function("sigmoid", 0.1, 0.0)
logps = [jnp.array([x]) for x in (-12.0, -float("inf"), -11.0, -14.0)]
print("SPECIAL-2: the loss at z = +inf is", float(loss(*logps, 0.1, 0.0)[0]), "where 0 is exact")
