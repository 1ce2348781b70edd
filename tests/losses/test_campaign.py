"""A slice of the campaign of `python -m tests.losses`: one loss in one format."""

import pytest

from oracle.losses import LOSSES
from tests.losses import page
from tests.losses.__main__ import is_the_loss, rejected
from tests.losses.honest import honest
from tests.losses.operators import mutants


@pytest.mark.no_cover
@pytest.mark.parametrize(("name", "fmt"), [("ipo_average", "bfloat16"), ("bce_pair", "binary32"), ("apo_down", "binary64")])
def test_every_mutant_by_operator_is_rejected(name, fmt):
    loss = LOSSES[name]
    made = list(mutants(loss))
    assert len(made) >= 5
    for wrong in made:
        assert rejected(loss, wrong, fmt) or is_the_loss(loss, wrong), wrong.name


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_each_loss_has_five_wrong_ones_by_name_or_operator_and_three_right_ones(name):
    loss = LOSSES[name]
    wrong = [*(one.definition for one in loss.wrong), *(one.definition for one in mutants(loss))]
    assert len({definition for definition in wrong if definition is not loss.definition}) >= 5
    names = [one.name for one in honest(loss)]
    assert len(set(names)) == len(names) >= 3


def test_the_page_is_that_of_the_figures_and_nothing_survived():
    figures = page.kept()
    assert page.PAGE.read_text(encoding="utf-8") == page.render(figures)
    for name, one in figures.items():
        loss = LOSSES[name]
        assert (one["known"], one["by_operator"]) == (len(loss.wrong), len(list(mutants(loss)))), name
        assert (one["survive"], one["accused"]) == (0, 0), name
