"""A slice of the campaign of `python -m tests.losses`: one loss in one format."""

import pytest

from oracle.losses import LOSSES
from tests.losses.__main__ import is_the_loss, rejected
from tests.losses.operators import mutants


@pytest.mark.parametrize(("name", "fmt"), [("ipo_average", "bfloat16"), ("bce_pair", "binary32"), ("apo_down", "binary64")])
def test_every_mutant_by_operator_is_rejected(name, fmt):
    loss = LOSSES[name]
    made = list(mutants(loss))
    assert len(made) >= 5
    for wrong in made:
        assert rejected(loss, wrong, fmt) or is_the_loss(loss, wrong), wrong.name
