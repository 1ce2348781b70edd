# /// script
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""easydel 0.3.0: log-probabilities are multiplied by the mask (MASKED-1, MASKED-2, MASKED-3, MASKED-5, FORBIDDEN-1)."""

import jax
import jax.numpy as jnp
from easydel.trainers.odds_ratio_preference_optimization_trainer._fn import get_batch_logps

labels = jnp.array([[0, 2, -100]])  # the token 2 counts, and what follows it does not


def asked(clause: str, bad: float) -> None:
    logits = jnp.array([[[0.0, 1.0, 2.0], [bad, 1.0, 2.0], [0.0, 0.0, 0.0]]])
    found, slopes = jax.value_and_grad(lambda z: get_batch_logps(z, labels).sum())(logits)
    print(f"{clause}: with {bad} where nothing counts, {float(found)}; its derivative there is", float(slopes[0, 1, 0]))


asked("MASKED-1, MASKED-3", float("nan"))
asked("MASKED-2", float("inf"))
asked("MASKED-5, FORBIDDEN-1", -float("inf"))
print("where", float(get_batch_logps(jnp.array([[[0.0, 1.0, 2.0]] * 3]), labels)[0]), "and a derivative of 0 are exact")
