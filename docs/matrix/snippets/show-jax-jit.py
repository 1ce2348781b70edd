# /// script
# dependencies = ["jax[cpu]>=0.5"]
# ///
"""JAX under jit: the derivative of log_sigmoid in float64 errs by up to 32 ulp where it is nearly 1 (KERNEL-2)."""

import math

import jax

jax.config.update("jax_enable_x64", True)
z = -33.352323445454445
got = float(jax.jit(jax.grad(jax.nn.log_sigmoid))(z))
exact = 1 - math.exp(z) / (1 + math.exp(z))  # its own error is below one ulp, 1.1e-16
print(f"KERNEL-2: at z = {z} the derivative is {got!r} where {exact!r} is exact: {(got - exact) / 2**-53:.1f} ulp")
print("sigmoid(-z), another way to it in JAX:", repr(float(jax.nn.sigmoid(-z))))
