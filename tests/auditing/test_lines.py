"""Each inequality with the smallest line that breaks it, and the line beside it that does not."""

import math
from fractions import Fraction

import numpy as np
import pytest

from conformance import audit
from conformance.auditing.figures import Rounding, read
from conformance.auditing.means import least_mean, most_mean
from conformance.auditing.ranks import Spread
from conformance.auditing.shapes import LOSSES
from conformance.auditing.spans import Span
from conformance.errors import BadRequest

LN2 = math.log(2)


def broken(line, **settings):
    """The checks that call this one line impossible, told as computed in binary32."""
    (file,) = audit([line], **{"beta": 0.1, "label_smoothing": 0, "dtype": "float32", "ranks": 1, **settings}).files
    return {finding.check for finding in file.findings}


@pytest.mark.parametrize(
    ("wrong", "right", "settings", "check"),
    [
        ({"loss": -0.01}, {"loss": 0.0001}, {}, "least"),
        ({"loss": 0.60}, {"loss": 0.615}, {"label_smoothing": 0.3}, "least"),
        ({"loss": 2.01}, {"loss": 1.99}, {"loss": "apo_zero"}, "most"),
        ({"loss": 0.4, "rewards/margins": 0.5}, {"loss": 0.475, "rewards/margins": 0.5}, {}, "mean"),
        ({"loss": 0.6, "rewards/margins": -0.5}, {"loss": 0.98, "rewards/margins": -0.5}, {}, "mean"),
        (
            {"loss": 0.48, "rewards/margins": 0.5, "rewards/accuracies": 0.5},
            {"loss": 0.505, "rewards/margins": 0.5, "rewards/accuracies": 0.5},
            {"pairs_per_line": 4},
            "mean",
        ),
        ({"loss": 0.33, "rewards/accuracies": 0.5}, {"loss": 0.35, "rewards/accuracies": 0.5}, {"pairs_per_line": 4}, "mean"),
        (
            {"loss": 0.72, "rewards/accuracies": 1.0},
            {"loss": 0.69, "rewards/accuracies": 1.0},
            {"pairs_per_line": 4},
            "one-sided",
        ),
        (
            {"loss": 1.3, "rewards/margins": -0.5, "rewards/accuracies": 0.0},
            {"loss": 1.1, "rewards/margins": -0.5, "rewards/accuracies": 0.0},
            {"pairs_per_line": 4},
            "one-sided",
        ),
        ({"loss": math.nan, "rewards/margins": 0.5}, {"loss": 0.5, "rewards/margins": 0.5}, {"ranks": 1}, "finite"),
        (
            {"rewards/chosen": 0.5, "rewards/rejected": 0.25, "rewards/margins": 0.76},
            {"rewards/chosen": 0.5, "rewards/rejected": 0.25, "rewards/margins": 0.25},
            {},
            "difference",
        ),
        ({"rewards/accuracies": 75.0}, {"rewards/accuracies": 0.75}, {}, "share"),
        (
            {"rewards/margins": -0.5, "rewards/accuracies": 1.0},
            {"rewards/margins": 0.5, "rewards/accuracies": 1.0},
            {"pairs_per_line": 4},
            "sided",
        ),
        ({"rewards/accuracies": 0.333}, {"rewards/accuracies": 0.25}, {"pairs_per_line": 4}, "counted"),
        ({"logps/chosen": 12.5}, {"logps/chosen": -12.5}, {}, "probability"),
        (
            {"log_odds_ratio": -0.2, "log_odds_chosen": 0.5},
            {"log_odds_ratio": -0.6, "log_odds_chosen": 0.5},
            {"loss": "orpo"},
            "odds",
        ),
    ],
)
def test_the_line_that_breaks_it_and_the_one_that_does_not(wrong, right, settings, check):
    assert check in broken(wrong, **settings)
    assert check not in broken(right, **settings)


def test_k_times_ln_2_at_the_start():
    line = {"step": 1, "loss": 4 * LN2, "rewards/margins": 0.0, "rewards/accuracies": 0.0, "rewards/chosen": 0.0}
    (file,) = audit([line], beta=0.1, label_smoothing=0, accumulation=4, pairs_per_line=4, ranks=1).files
    assert file.impossible == 1
    assert file.causes[0].text == "the loss is multiplied by 4, the accumulation steps"
    assert any("accumulation steps multiplied in" in notice.text for notice in file.notices)


def test_ln_2_over_the_ranks_at_the_start():
    line = {"step": 1, "loss": LN2 / 2, "rewards/margins": 0.0, "rewards/accuracies": 0.0}
    (file,) = audit([line], beta=0.1, label_smoothing=0, accumulation=2, pairs_per_line=4, ranks=1).files
    assert file.causes[0].text == "the loss is divided by 2, the accumulation steps"


@pytest.mark.parametrize("loss", ["sigmoid", "robust", "hinge", "ipo_sum"])
def test_the_least_mean_is_never_above_what_pairs_can_do(loss):
    rng = np.random.default_rng(5)
    shape = LOSSES[loss](Fraction(1, 2), Fraction(1, 10), {})
    (curve,) = shape.curves
    for _ in range(300):
        z = rng.normal(rng.uniform(-3, 3), rng.uniform(0, 4), rng.integers(1, 9))
        mean, share = np.array([z.mean()]), np.array([(z > 0).mean()])
        value = curve.values(z).mean()
        assert least_mean(curve, Span(mean, mean), Span(share, share))[0] <= value + 1e-12
        assert most_mean(curve, Span(mean, mean), Span(share, share))[0] >= value - 1e-12


def test_the_least_mean_is_attained():
    (curve,) = LOSSES["sigmoid"](None, Fraction(0), {}).curves
    mean, share = np.array([0.5]), np.array([0.25])
    least = least_mean(curve, Span(mean, mean), Span(share, share))[0]
    assert least == pytest.approx(curve.values(np.array([2.0, 0.0, 0.0, 0.0])).mean(), rel=1e-14)


def test_of_several_ranks_nothing_is_said_of_loss_beside_rewards():
    line = {"loss": 0.1, "rewards/margins": 0.5}
    assert broken(line) == {"mean"}
    assert broken(line, ranks=8) == set()


def test_an_evaluation_may_weigh_its_last_batch_otherwise():
    assert broken({"eval_loss": 0.1, "eval_rewards/margins": 0.5}) == set()
    assert broken({"eval_loss": -0.1}) == {"least"}


def test_where_nothing_is_told_of_smoothing_both_ends_are_allowed():
    assert broken({"loss": 0.55, "rewards/margins": -0.3}, label_smoothing=None) == {"mean"}
    assert broken({"loss": 0.72, "rewards/margins": -0.3}, label_smoothing=None) == set()


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.693", 0.69249, 0.69351),
        ("0.6934", 0.69334, 0.69346),
        ("0.693000", 0.69249, 0.69351),
        ("0.6930999755859375", 0.69304, 0.69316),
        ("1e-05", -0.0051, 0.0051),
        ("12.34", 12.29, 12.39),
    ],
)
def test_a_figure_alone_is_known_to_its_own_digits(text, low, high):
    rounding = Rounding()
    rounding.add([read(text)])
    below, above = rounding.interval(np.array([float(text)]))
    assert low <= below[0] <= float(text) <= above[0] <= high


def test_a_column_shows_how_it_is_rounded():
    rounding = Rounding()
    rounding.add([read("0.6931"), read("0.07")])
    below, above = rounding.interval(np.array([0.7, 0.0]))
    assert above[0] - below[0] == pytest.approx(1e-4, rel=1e-6)
    assert above[1] - below[1] == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "0x10", "1" * 500, "--1", "."])
def test_what_is_no_figure(text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"loss": "dpo"}, "loss = 'dpo': one of"),
        ({"beta": "x"}, "beta"),
        ({"label_smoothing": 1.5}, "in \\[0, 1\\]"),
        ({"loss": "robust", "label_smoothing": 0.5}, "below 1/2"),
        ({"loss": "ipo_sum", "beta": 0}, "not 0"),
        ({"pairs_per_line": 0}, "1 or more"),
        ({"dtype": "float8"}, "dtype"),
        ({"parameters": {"gamma": 1}}, "gamma"),
    ],
)
def test_settings_that_are_none(settings, told):
    with pytest.raises(BadRequest, match=told):
        audit([], **settings)


def test_a_record_that_is_none():
    with pytest.raises(BadRequest, match="record 2 is a int"):
        audit([{"loss": 1.0}, 3])


def test_running_averages_and_rewards_without_beta_are_not_read():
    """OpenRLHF's loss_mean begins at 0; NeMo RL's rewards_chosen_mean is a log-ratio."""
    line = {"loss_mean": 0.0693, "acc_mean": 0.05, "rewards_chosen_mean": -9.0, "rewards_rejected_mean": 1.0}
    (file,) = audit([{"loss": 0.7, **line}], beta=0.1, label_smoothing=0, dtype="float32").files
    assert (file.impossible, file.columns) == (0, ("loss",))


def test_a_spread_is_that_about_the_trend_and_the_largest_of_any_window():
    spread = Spread()
    spread.see("margin", np.arange(7.0) ** 2)
    assert spread.room("margin") == math.inf, "too few lines"
    spread.see("margin", np.arange(100.0))
    assert spread.room("margin") == 0, "a trend"
    noise = np.random.default_rng(0).normal(0, 0.25, 4000)
    spread.see("margin", np.concatenate([np.zeros(4000), noise]))
    assert 6 * 0.25 < spread.room("margin") < 6 * 0.6
    before = spread.room("margin")
    spread.see("margin", np.zeros(4000))
    assert spread.room("margin") == before


def test_an_accuracy_printed_coarsely_may_be_less_than_1():
    line = {"loss": 0.8, "rewards/accuracies": 1.0}
    (file,) = audit([line], beta=0.1, label_smoothing=0).files
    (check,) = [check for check in file.checks if check.id == "one-sided"]
    assert (file.impossible, check.asked) == (0, 0)
    assert check.needs.startswith("--pairs-per-line")
    assert broken(line, pairs_per_line=8) == {"one-sided"}


def test_a_loss_that_is_not_there_beside_rewards_is_told():
    """JSON of orjson, msgspec, polars and pandas has null for NaN and for an infinity."""
    good = {"loss": 0.69, "rewards/margins": 0.01}
    (file,) = audit([good, {**good, "loss": None}, {"rewards/margins": 0.02}, {"eval_rewards/margins": 0.1}], beta=0.1).files
    (notice,) = [notice for notice in file.notices if notice.kind == "no loss"]
    assert (notice.line, "no loss on 2 training lines" in notice.text) == (2, True)
    (file,) = audit([{"rewards/margins": 0.01}], beta=0.1).files
    assert not file.notices, "a log without losses is another thing"


def test_a_loss_at_the_end_of_float64_is_a_figure():
    (file,) = audit([{"loss": 1.7976931348623157e308, "rewards/margins": 0.5}], beta=0.1, label_smoothing=0).files
    assert file.lines == 1


@pytest.mark.parametrize("printed", ["1.7976931348623157e+308", 1.7976931348623157e308, "Infinity", "1e999"])
def test_the_largest_double_is_the_infinity_that_a_writer_could_not_write(printed):
    (file,) = audit([{"loss": 0.69, "step": 1}, {"loss": printed, "step": 2}], beta=0.1, label_smoothing=0).files
    assert [notice.text for notice in file.notices if notice.kind == "not finite"] == ["first at line 2: loss inf"]
