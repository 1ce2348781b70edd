# /// script
# requires-python = ">=3.11"
# dependencies = ["paddleformers==1.2.0", "paddlepaddle==3.3.1"]
#
# [tool.dpo-conformance]
# no-deps = ["paddleformers"]
# ///
"""PaddleFormers: `paddleformers@LOSS`, the function `cal_dpo_loss` of its criterion, which returns the mean, with Paddle's
derivatives; `OF_DPO` has what it calls "kto_pair".

Its trainer averages log-probabilities over the tokens for IPO, SimPO and ORPO's odds ("or"), has references of 0 where there is
none, and sums otherwise, and so does this. Its module of the criterion is imported alone.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import paddle
from paddle import Tensor

from conformance.implementations.array import array_implementation
from conformance.implementations.bare import bare_import

_HERE = "paddleformers.nn.criterion"
_module = bare_import(f"{_HERE}.dpo_loss", unused=("paddleformers.transformers", "paddleformers.utils", f"{_HERE}.loss_utils"))
AVERAGED = {"ipo", "simpo", "or"}


def _named(loss: str, **given: Any) -> Tensor:
    def score(who: str, side: str) -> Tensor:
        logps = given.get(f"{who}_{side}_logps", paddle.zeros_like(given["policy_chosen_logps"]))
        return logps / given[f"{side}_lengths"].astype(logps.dtype) if loss in AVERAGED else logps

    told = SimpleNamespace(
        loss_type=loss,
        beta=given.get("beta", 0.1),
        label_smoothing=given.get("label_smoothing", 0.0),
        simpo_gamma=given.get("gamma", 0.5),
        dpop_lambda=given.get("penalty", 50.0),
        offset_alpha=0.0,
        pref_loss_ratio=given.get("odds_weight", 1.0),
    )
    logps = (score(who, side) for who in ("policy", "ref") for side in ("chosen", "rejected"))
    return _module.cal_dpo_loss(SimpleNamespace(dpo_config=told), *logps, None)


def _gradient(loss: str, **given: Any) -> dict[str, Any]:
    logps = {name: x.detach() for name, x in given.items() if name.endswith("_logps")}
    for x in logps.values():
        x.stop_gradient = False
    value = _named(loss, **{**given, **logps})
    return dict(zip(logps, paddle.grad([value], list(logps.values()), allow_unused=True), strict=True))


_of_paddle = partial(
    array_implementation,
    _named,
    from_numpy=paddle.to_tensor,
    to_numpy=lambda array: array.numpy(),
    gradient=_gradient,
    name="paddleformers",
    dtypes=("binary32",),
    reduction="mean",
    library="paddleformers",
)
LOSSES = _of_paddle(
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "hinge": "hinge",
        "ipo_average": "ipo",
        "dpop": "dpop",
        "sppo_hard": "sppo_hard",
        "nca_pair": "nca_pair",
        "simpo": "simpo",
        "simpo_smoothed": "simpo",
        "orpo_odds": "or",
    }
)
OF_DPO = _of_paddle(loss={"kto": "kto_pair"}, options=("beta",))
