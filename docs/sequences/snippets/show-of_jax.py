# /// script
# dependencies = ["jax==0.10.2"]
# ///
"""jax 0.10.2: 151,936 equal logits in float16 have a sum of infinity (LOGP-5)."""

import jax
import jax.numpy as jnp

row = jnp.zeros((1, 151_936), dtype=jnp.float16)
print("LOGP-5: log_softmax gives", float(jax.nn.log_softmax(row, -1)[0, 0]), "where -11.93 is exact")
print("LOGP-5: gather minus logsumexp gives", float((row[:, 0] - jax.nn.logsumexp(row, -1))[0]), "where -11.93 is exact")
