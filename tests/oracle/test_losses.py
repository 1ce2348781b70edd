"""The losses: what they are on the set of docs/losses.md, their gradients by differences, their limits, what they refuse."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import oracle
from oracle import losses
from oracle.expressions.nodes import Kernel, Node, Op, symbol, walk
from oracle.losses import LOSSES
from tests.oracle.common_set import COMMON, EXACT

BY_DEFAULT = sorted(LOSSES)


@pytest.mark.parametrize(("name", "parameters", "expected"), EXACT, ids=[f"{row[0]}-{i}" for i, row in enumerate(EXACT)])
def test_the_common_set_has_the_values_that_mpmath_gives(name, parameters, expected):
    assert losses.mean(name, **COMMON, **parameters).digits(12) == expected


def reference(node: Node, environment: dict[str, list], n: int) -> list:
    """The expression by mpmath, in the textbook's formulas: another way than the oracle's."""
    known: dict[Node, list] = {}
    for x in walk(node):
        args = [known[arg] for arg in x.args]
        if x.op in {Op.INPUT, Op.PARAMETER}:
            known[x] = environment[x.name]
        elif x.op is Op.CONSTANT:
            known[x] = [mpmath.mpf(x.value.numerator) / x.value.denominator] * n
        elif x.op in {Op.SPELLED, Op.DETACHED}:
            known[x] = args[0]
        elif x.op in {Op.MEAN, Op.TOTAL}:
            known[x] = [mpmath.fsum(args[0]) / (n if x.op is Op.MEAN else 1)] * n
        elif x.op is Op.SORTED:
            known[x] = [value for _, value in sorted(zip(args[1], args[0], strict=True))]
        else:
            known[x] = [TEXTBOOK[x.kernel if x.op is Op.KERNEL else x.op](*row) for row in zip(*args, strict=True)]
    return known[node]


TEXTBOOK = {
    Op.ADD: lambda x, y: x + y,
    Op.SUBTRACT: lambda x, y: x - y,
    Op.MULTIPLY: lambda x, y: x * y,
    Op.DIVIDE: lambda x, y: x / y,
    Op.NEGATE: lambda x: -x,
    Kernel.SOFTPLUS: lambda x: mpmath.log(1 + mpmath.exp(x)),
    Kernel.SIGMOID: lambda x: 1 / (1 + mpmath.exp(-x)),
    Kernel.RELU: lambda x: max(x, mpmath.mpf(0)),
    Kernel.SQUARE: lambda x: x**2,
    Kernel.EXP: mpmath.exp,
    Kernel.EXPM1: lambda x: mpmath.exp(x) - 1,
    Kernel.LOG: mpmath.log,
    Kernel.LOG1MEXP: lambda x: mpmath.log(1 - mpmath.exp(x)),
}


def held(node: Node, environment: dict[str, list], n: int) -> dict[Node, list]:
    return {x: reference(x.args[0], environment, n) for x in walk(node) if x.op is Op.DETACHED}


@pytest.mark.no_cover
@pytest.mark.parametrize("name", BY_DEFAULT)
def test_values_and_gradients_are_those_of_differences_at_50_digits(name):
    loss = LOSSES[name]
    batch = {key: list(COMMON[key]) for key in loss.inputs}
    parameters = {key: Fraction(value) for key, value in loss.defaults.items()}
    n = len(COMMON["policy_chosen_logps"])
    with mpmath.workdps(120):
        environment = {key: [mpmath.mpf(x) for x in row] for key, row in batch.items()}
        environment |= {key: [mpmath.mpf(x.numerator) / x.denominator] * n for key, x in parameters.items()}
        exact = np.atleast_1d(losses.value(name, **batch, **parameters))
        for mine, theirs in zip(exact, reference(loss.definition, environment, n), strict=True):
            assert abs(mpmath.mpf(mine.digits(60)) - theirs) <= abs(theirs) * mpmath.mpf(10) ** -58
        step, frozen = mpmath.mpf(10) ** -40, held(loss.definition, environment, n)
        for key, slopes in losses.gradient(name, **batch, **parameters).by.items():
            for i in (0, 3):
                sides = [
                    mpmath.fsum(reference_held(loss.definition, moved(environment, key, i, sign * step), n, frozen))
                    for sign in (1, -1)
                ]
                difference = (sides[0] - sides[1]) / (2 * step)
                assert abs(mpmath.mpf(slopes[i].digits(50)) - difference) < mpmath.mpf(10) ** -48, (key, i)


def moved(environment, key, i, step):
    return {**environment, key: [x + step * (j == i) for j, x in enumerate(environment[key])]}


def reference_held(node, environment, n, frozen):
    names = {f"held {i}": row for i, row in enumerate(frozen.values())}
    swapped = replaced(node, {x: symbol(f"held {i}") for i, x in enumerate(frozen)})
    return reference(swapped, {**environment, **names}, n)


def replaced(node, swaps):
    if node in swaps:
        return swaps[node]
    return Node(node.op, tuple(replaced(arg, swaps) for arg in node.args), node.name, node.value, node.kernel)


@pytest.mark.parametrize(
    ("name", "chosen", "rejected", "parameters", "expected"),
    [
        ("exo_pair", math.inf, 0, {"label_smoothing": "0.1"}, "0.10536051565782630123"),
        ("exo_pair", -math.inf, 0, {"label_smoothing": "0.1"}, "2.3025850929940456840"),
        ("discopop", math.inf, 0, {}, "0"),
        ("discopop", -math.inf, 0, {}, "inf"),
        ("robust", math.inf, 0, {}, "-inf"),
        ("robust", -math.inf, 0, {}, "inf"),
        ("apo_down", -math.inf, 0, {}, "1.0000000000000000000"),
        ("apo_down", 3, 0, {}, "1.0000000000000000000"),
        ("apo_zero", math.inf, 0, {}, "0.50000000000000000000"),
        ("nca_pair", 0, -math.inf, {}, "1.0397207708399179641"),
        ("cdpo", math.inf, 0, {"label_smoothing": 0}, "0"),
        ("sigmoid", math.inf, math.inf, {}, "nan"),
        ("f_dpo_forward_kl", 0, -math.inf, {}, "0"),
        ("f_dpo_js", 0, -1000, {}, "3.9870787097179095431e-44"),
        ("ipo_sum", math.inf, 0, {}, "inf"),
        ("hinge", math.inf, 0, {}, "0"),
    ],
)
def test_limits_at_infinities(name, chosen, rejected, parameters, expected):
    loss = losses.value(
        name,
        policy_chosen_logps=chosen,
        policy_rejected_logps=rejected,
        ref_chosen_logps=0,
        ref_rejected_logps=0,
        chosen_lengths=3,
        rejected_lengths=2,
        **parameters,
    )
    assert str(loss) == expected


def test_the_slope_of_exo_vanishes_at_both_ends_and_orpo_is_infinite_at_an_average_of_0():
    pair = {"policy_rejected_logps": 0, "ref_chosen_logps": 0, "ref_rejected_logps": 0}
    for end in (math.inf, -math.inf):
        assert str(losses.gradient("exo_pair", policy_chosen_logps=end, **pair)["policy_chosen_logps"]) == "0"
    lengths = {"chosen_lengths": 3, "rejected_lengths": 2}
    assert float(losses.value("orpo_odds", policy_chosen_logps=0, policy_rejected_logps=-1, **lengths)) == 0
    assert math.isnan(float(losses.value("orpo_odds", policy_chosen_logps=0, policy_rejected_logps=0, **lengths)))
    assert math.isnan(float(losses.value("orpo_odds", policy_chosen_logps=1, policy_rejected_logps=-1, **lengths)))


@pytest.mark.parametrize("rejected", ["-1", "-1e-9", "-300"])
def test_orpos_slope_at_a_certain_response_is_the_limit_from_below(rejected):
    given = {"policy_rejected_logps": rejected, "chosen_lengths": 3, "rejected_lengths": 2, "odds_weight": "0.5"}
    at, before = (losses.gradient("orpo_odds", policy_chosen_logps=x, **given).by for x in (0, "-1e-40"))
    for name, x in at.items():
        assert float(x) == pytest.approx(float(before[name]), rel=1e-12, abs=1e-12)
    assert float(at["policy_chosen_logps"]) < 0


def test_a_certain_response_beside_an_impossible_one_and_the_other_way():
    lengths = {"chosen_lengths": 3, "rejected_lengths": 2}
    none = losses.gradient("orpo_odds", policy_chosen_logps=0, policy_rejected_logps=-math.inf, **lengths)
    assert [str(x) for x in none.by.values()] == ["0", "0"]
    steep = losses.gradient("orpo_odds", policy_chosen_logps=-1, policy_rejected_logps=0, **lengths)
    assert float(steep["policy_rejected_logps"]) == math.inf
    assert float(steep["policy_chosen_logps"]) == pytest.approx(-1 / (3 * -math.expm1(-1 / 3)))


@pytest.mark.parametrize(
    ("name", "parameter", "value", "words"),
    [
        ("robust", "label_smoothing", 0.5, "[0, 1/2)"),
        ("exo_pair", "label_smoothing", 0, "(0, 1)"),
        ("exo_pair", "label_smoothing", 1, "(0, 1)"),
        ("ipo_sum", "beta", 0, "> 0"),
        ("discopop", "tau", 0, "> 0"),
        ("cdpo", "label_smoothing", 1.5, "[0, 1]"),
    ],
)
def test_a_parameter_outside_its_domain_is_refused_by_name(name, parameter, value, words):
    batch = {key: COMMON[key] for key in LOSSES[name].inputs}
    with pytest.raises(oracle.OutOfRange) as refusal:
        losses.value(name, **batch, **{parameter: value})
    assert parameter in str(refusal.value)
    assert words in str(refusal.value)


def test_what_a_loss_does_not_take_or_lacks_is_refused():
    with pytest.raises(losses.UnknownInput, match="gamma"):
        losses.value("sigmoid", **COMMON, gamma=1)
    with pytest.raises(losses.UnknownInput, match="chosen_lengths"):
        losses.value("ipo_average", **{key: row for key, row in COMMON.items() if "lengths" not in key})
    with pytest.raises(losses.UnknownLoss, match="what some libraries call"):
        losses.get_loss("ipo")
    with pytest.raises(oracle.OutOfRange, match="chosen_lengths"):
        losses.value("ipo_average", **{**COMMON, "chosen_lengths": 0})


def test_every_wrong_variant_differs_on_the_common_set():
    for loss in LOSSES.values():
        assert len({wrong.name for wrong in loss.wrong}) == len(loss.wrong) >= 3
        steep = {"beta": 1.0} if "beta" in loss.defaults else {}
        below = {"policy_kl_logps": COMMON["ref_kl_logps"], "ref_kl_logps": COMMON["policy_kl_logps"]}
        batches = [{**COMMON, **loss.telling, **more} for more in ({}, steep, below)]
        for wrong in loss.wrong:
            other = loss.variant(wrong)
            assert any(differs(loss, other, batch) for batch in batches), other.name


def differs(loss, other, batch):
    """In the mean, or in a derivative that one takes and the other does not."""
    if losses.mean(other, **batch).digits(20) != losses.mean(loss, **batch).digits(20):
        return True
    slopes, theirs = losses.gradient(loss, **batch), losses.gradient(other, **batch)
    return any(str(theirs[key][0]) != str(slopes[key][0]) for key in loss.logps)
