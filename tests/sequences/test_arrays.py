"""Paths of arrays and fused heads of torch behind the suite's interface: right ones conform, odd answers are told by kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations import array_path
from conformance.inputs.paths import drawn_pairs
from conformance.records.record import Level, Verdict
from oracle import binary32

from .campaign import judged, violated
from .honest import HONEST
from .paths import right

Array = np.ndarray[Any, Any]
PAIRS = drawn_pairs(np.random.default_rng(4), binary32, 3, 5, 7)


def _tensors(policy: Array, reference: Array, labels: Array, mask: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(x)) for x in (policy, reference, labels, mask)]


def _losses(policy: Array, reference: Array, labels: Array, mask: Array, beta: float, eps: float) -> Array:
    return right(*_tensors(policy, reference, labels, mask), beta, eps).numpy()


def _derivatives(policy: Array, reference: Array, labels: Array, mask: Array, beta: float, eps: float) -> Array:
    leaf, *rest = _tensors(policy, reference, labels, mask)
    right(leaf.requires_grad_(), *rest, beta, eps).sum().backward()
    assert leaf.grad is not None
    return leaf.grad.numpy()


def _answer(function: Any, **keywords: Any) -> Any:
    return array_path(function, accumulates="float32", **keywords).evaluate(PAIRS, binary32, gradient=True)


def test_a_right_path_of_arrays_gives_losses_and_derivatives() -> None:
    implementation = array_path(_losses, derivatives=_derivatives, accumulates="float32", library="numpy", name="mine")
    answer = implementation.evaluate(PAIRS, binary32, gradient=True)
    assert (implementation.name, implementation.unavailable(), answer.wrote, answer.dtype) == ("mine", None, (), "float32")
    assert any(np.__version__ in version for version in implementation.environment.values())
    assert "error handling" in implementation.surroundings()
    assert answer.losses.shape == (len(PAIRS),)
    assert answer.gradient is not None and answer.gradient.shape[::2] == PAIRS.policy.shape[::2]
    assert implementation.evaluate(PAIRS, binary32).gradient is None


@pytest.mark.parametrize("name", ["head-without-bias"])
def test_a_fused_head_conforms(name: str) -> None:
    (entry,) = (entry for entry in HONEST if entry.name == name)
    run = judged(entry, "binary32")
    assert run.verdict is Verdict.CONFORMS, violated(run, Level.MUST)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda *_: "a text", "wrong type"),
        (lambda *_: np.zeros(2, np.float32), "wrong shape"),
        (lambda *_: np.zeros(3, np.int64), "wrong dtype"),
        (lambda *_: 1 / 0, "raised"),
    ],
)
def test_what_is_no_answer_is_told_by_kind(function: Any, kind: str) -> None:
    with pytest.raises(Misbehaviour) as caught:
        _answer(function)
    assert caught.value.kind == kind


def test_a_path_that_writes_its_inputs_is_seen() -> None:
    def writes(policy: Array, *rest: Any) -> Array:
        policy += 1
        return _losses(policy, *rest)

    assert _answer(writes).wrote == ("policy_logits",)


def test_a_mean_of_arrays_is_one_number() -> None:
    answer = _answer(lambda *given: _losses(*given).mean(), reduction="mean")
    assert answer.losses.shape == ()


@pytest.mark.parametrize(
    ("keywords", "told"), [({"reduction": "sum"}, "'none' or 'mean'"), ({"options": "beta"}, "a collection")]
)
def test_claims_that_do_not_exist(keywords: dict[str, Any], told: str) -> None:
    with pytest.raises(BadClaim, match=told):
        array_path(_losses, **keywords)
