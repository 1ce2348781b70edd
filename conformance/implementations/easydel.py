# /// script
# requires-python = ">=3.11"
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""EasyDeL: `easydel`, the function that its DPO trainer gets for loss_type="sigmoid", per-pair losses, and `easydel@LOSS` for
its other types and for the losses of its trainers for CPO, ORPO and KTO; `OF_DPO` has what its DPO trainer calls "kto".

Its trainers compute log-probabilities in float32, so float32 it claims; they average them over the tokens for IPO, SimPO and
ORPO, and hand no temperature to DiscoPOP.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from easydel.trainers.contrastive_preference_optimization_trainer._fn import cpo_loss
from easydel.trainers.direct_preference_optimization_trainer._fn import get_loss_function
from easydel.trainers.kto_trainer._fn import kto_objective
from easydel.trainers.odds_ratio_preference_optimization_trainer._fn import odds_ratio_loss

from conformance.implementations.jax import jax_implementation
from conformance.implementations.known import ALWAYS_MIXES


def _loss(pc: jax.Array, pr: jax.Array, rc: jax.Array, rr: jax.Array, beta: float, label_smoothing: float) -> jax.Array:
    function = get_loss_function("sigmoid", beta, label_smoothing)
    losses: jax.Array = function(pc, pr, rc, rr, beta, label_smoothing)
    return losses


def _averaged(given: dict[str, Any], *who: str) -> list[jax.Array]:
    """Log-probabilities of chosen and rejected responses over their lengths."""
    sides = ("chosen", "rejected")
    return [given[f"{x}_{side}_logps"] / given[f"{side}_lengths"].astype(jnp.float32) for x in who for side in sides]


def _dpo(kind: str, given: dict[str, Any]) -> jax.Array:
    names = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
    logps = _averaged(given, "policy", "ref") if kind == "ipo" else [given[name] for name in names]
    beta, smoothing = given["beta"], given.get("label_smoothing", 0.0)
    losses: jax.Array = get_loss_function(kind, beta, smoothing)(*logps, beta, smoothing)
    return losses


def _cpo(kind: str, given: dict[str, Any]) -> jax.Array:
    averaged = kind in {"simpo", "ipo"}
    pc, pr = _averaged(given, "policy") if averaged else (given["policy_chosen_logps"], given["policy_rejected_logps"])
    defaults = {"label_smoothing": 0.0, "simpo_gamma": given.get("gamma", 0.5), "alpha": 0.0}
    settings = defaults | {name: given[name] for name in ("beta", "label_smoothing", "alpha") if name in given}
    losses: jax.Array = cpo_loss(pc, pr, loss_type=kind, **settings)[0]
    return losses


def _kto(given: dict[str, Any]) -> jax.Array:
    policy, reference = (
        jnp.concatenate([given[f"{x}_{side}_logps"] for side in ("chosen", "rejected")]) for x in ("policy", "ref")
    )
    loss: jax.Array = kto_objective(
        policy,
        reference,
        jnp.arange(policy.size) < policy.size // 2,
        beta=given["beta"],
        desirable_weight=given["desirable_weight"],
        undesirable_weight=given["undesirable_weight"],
        loss_type="kto",
        policy_kl_logps=given["policy_kl_logps"],
        reference_kl_logps=given["ref_kl_logps"],
    )[0]
    return loss


def _named(loss: str, **given: Any) -> jax.Array:
    trainer, _, kind = loss.rpartition(" ")
    if trainer == "CPO":
        return _cpo(kind, given)
    if trainer == "ORPO":
        return -odds_ratio_loss(given["odds_weight"], *_averaged(given, "policy"))[0]
    return _kto(given) if trainer == "KTO" else _dpo(kind, given)


DPO = jax_implementation(
    _loss, name="easydel", dtypes=("binary32",), subnormals="flush", jit=True, library="easydel", notes=ALWAYS_MIXES
)
LOSSES = jax_implementation(
    _named,
    name="easydel",
    dtypes=("binary32",),
    subnormals="flush",
    jit=True,
    library="easydel",
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "robust": "robust",
        "hinge": "hinge",
        "ipo_average": "ipo",
        "exo_pair": "exo_pair",
        "nca_pair": "nca_pair",
        "bco_batch": "bco_pair",
        "sppo_hard": "sppo_hard",
        "aot": "aot",
        "aot_unpaired": "aot_pair",
        "apo_zero": "apo_zero",
        "apo_down": "apo_down",
        "discopop": "discopop",
        "cpo": "CPO sigmoid",
        "cpo_hinge": "CPO hinge",
        "cpo_ipo": "CPO ipo",
        "simpo": "CPO simpo",
        "simpo_smoothed": "CPO simpo",
        "alphapo": "CPO simpo",
        "orpo_odds": "ORPO odds",
        "kto": "KTO kto",
    },
)
OF_DPO = jax_implementation(
    _named,
    name="easydel",
    dtypes=("binary32",),
    subnormals="flush",
    jit=True,
    library="easydel",
    loss={"kto": "kto"},
)
