# /// script
# dependencies = ["google-tunix==0.1.7", "jax[cpu]>=0.5"]
# ///
"""tunix 0.1.7: an impossible rejected response gives NaN, not 0 (SPECIAL-2)."""

import jax.numpy as jnp
from tunix.sft.dpo import dpo_trainer

pc, pr, rc, rr = (jnp.array([x]) for x in (-12.0, -float("inf"), -11.0, -14.0))
dpo_trainer.compute_logps = lambda *_, **__: (pc, pr)  # in place of a model
example = dpo_trainer.TrainExample(None, None, None, rc, rr, None, 1)
loss, _ = dpo_trainer.dpo_loss_fn(None, example, beta=0.1, label_smoothing=0.0)
print("SPECIAL-2: the loss at z = +inf is", float(loss), "where 0 is exact")
