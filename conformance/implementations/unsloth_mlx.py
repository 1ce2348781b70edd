# /// script
# requires-python = ">=3.11"
# dependencies = ["unsloth-zoo==2026.10.9", "mlx[cpu]==0.32.4"]
#
# [tool.dpo-conformance]
# no-deps = ["unsloth-zoo"]
# ///
"""unsloth-zoo on MLX: `unsloth-mlx@LOSS`, the loss functions that `unsloth_zoo.mlx.preference` makes for DPO, CPO, ORPO and
KTO, which return the mean, with MLX's derivatives.

A scorer hands each the cross-entropies of tokens, of which a response's first carries its log-probability; the prompt is one
token. The module is imported alone. On PyTorch unsloth trains by TRL's losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import mlx.core as mx

from conformance.implementations.bare import bare_import
from conformance.implementations.known import LISTED
from conformance.implementations.mlx_losses import mlx_losses

_module = bare_import("unsloth_zoo.mlx.preference", unused=("unsloth_zoo.mlx.cce", "unsloth_zoo.mlx.utils"))
OPTIONS = {"alpha": "alpha", "gamma": "simpo_gamma", "tau": "discopop_tau", "odds_weight": "beta"}
"""What an objective calls a parameter, where it has another name for it."""
KL = "kl_logps"


class _Scorer:
    """What scores a batch from hidden states, with numbers that are given."""

    vocab, compaction = 1, False

    def __init__(self, logps: mx.array, width: int) -> None:
        self._logps, self._width = logps, width

    def __call__(self, _: object, batch: mx.array, *__: object, **___: object) -> tuple[mx.array, mx.array]:
        """The cross-entropies of tokens, and sums of logits, which no loss reads."""
        first = mx.arange(self._width) == 0
        return mx.where(first, -self._logps[:, None], mx.array(0.0)), mx.zeros((len(batch), self._width))


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    return {OPTIONS.get(name, name): x for name, x in given.items() if not isinstance(x, mx.array)}


def _pairs(kind: str, loss_type: str, given: Mapping[str, Any]) -> mx.array:
    """A loss of pairs: DPO's, CPO's or ORPO's."""
    pc = given["policy_chosen_logps"]
    pr = given.get("policy_rejected_logps", pc)
    n = len(pc)
    default = (3, 5) if loss_type == LISTED else (1, 1)
    sizes = mx.concatenate(
        [
            given.get(f"{who}_lengths", mx.full((n,), x, mx.int64))
            for who, x in zip(("chosen", "rejected"), default, strict=True)
        ]
    )
    width = int(sizes.max()) + 1 if n else 1
    lengths = mx.stack([mx.ones(sizes.shape, mx.int64), sizes + 1], 1)
    settings = _settings(given) | ({"cpo_alpha": 0.0} if kind == "cpo" else {})
    if kind != "orpo":
        settings["loss_type"] = loss_type.split(",")
    if loss_type == LISTED:
        settings["loss_weights"] = 1.0, 0.0
    objective = _module.resolve_preference_objective(kind, **settings)
    scorer = _Scorer(mx.concatenate([pc, pr]), width)
    batch = mx.zeros((2 * n, width + 1), mx.int64)
    counts = sizes[:n].sum(), mx.array(n), mx.array(1)
    if kind == "dpo":
        reference = mx.concatenate([given["ref_chosen_logps"], given["ref_rejected_logps"]])
        function = _module.make_dpo_loss_fn(objective, reference_policy=SimpleNamespace(model=None), _scorer=scorer)
        return function(None, batch, lengths, counts, reference=reference)[0]
    return getattr(_module, f"make_{kind}_loss_fn")(objective, _scorer=scorer)(None, batch, lengths, counts)[0]


def _rows(given: Mapping[str, Any]) -> mx.array:
    """KTO of each chosen response and of each rejected one as a row, and as many rows of the other batch."""
    n = len(given["policy_chosen_logps"])
    objective = _module.resolve_preference_objective("kto", loss_type="kto", **_settings(given))
    policy, reference = (
        mx.concatenate([given[f"{who}_chosen_logps"], given[f"{who}_rejected_logps"], *[given[f"{who}_{KL}"]] * 2])
        for who in ("policy", "ref")
    )
    rows = iter((policy[: 2 * n], policy[2 * n :]))

    def scorer(_: object, batch: mx.array, *__: object, **___: object) -> tuple[mx.array, mx.array]:
        return -next(rows)[:, None], mx.zeros((len(batch), 1))

    function = _module.make_kto_loss_fn(objective, reference_policy=SimpleNamespace(model=None), _scorer=scorer)
    lengths = mx.array([[1, 2]] * (4 * n))
    labels = mx.arange(2 * n) < n
    counts = mx.array(1), mx.array(2 * n), mx.array(1)
    return function(None, mx.zeros((4 * n, 2), mx.int64), lengths, counts, labels, reference=reference)[0]


def _named(loss: str, **given: Any) -> mx.array:
    kind, _, loss_type = loss.partition(" ")
    return _rows(given) if kind == "kto" else _pairs(kind, loss_type, given)


_of_mlx = partial(mlx_losses, _named, name="unsloth-mlx", library="unsloth-zoo")
LOSSES = _of_mlx(
    loss={
        "sigmoid": "dpo sigmoid",
        "cdpo": "dpo sigmoid",
        "robust": "dpo robust",
        "hinge": "dpo hinge",
        "ipo_average": "dpo ipo",
        "exo_pair": "dpo exo_pair",
        "nca_pair": "dpo nca_pair",
        "sppo_hard": "dpo sppo_hard",
        "aot": "dpo aot",
        "aot_unpaired": "dpo aot_pair",
        "apo_zero": "dpo apo_zero",
        "apo_down": "dpo apo_down",
        "discopop": "dpo discopop",
        "cpo": "cpo sigmoid",
        "cpo_hinge": "cpo hinge",
        "cpo_ipo": "cpo ipo",
        "simpo": "cpo simpo",
        "simpo_smoothed": "cpo simpo",
        "alphapo": "cpo simpo",
        "orpo": "orpo",
        "kto": "kto",
    },
)
IN_A_LIST = _of_mlx(
    loss={"sigmoid": f"dpo {LISTED}"},
)
