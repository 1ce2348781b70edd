"""Saved pairs: each result against its interval, in its own format, and the formula that explains what is outside."""

import ml_dtypes
import numpy as np
import pytest

from conformance.auditing import Settings, audit_file
from conformance.auditing.reading import NotALog

NAMES = ("policy_chosen_logps", "policy_rejected_logps", "reference_chosen_logps", "reference_rejected_logps")


def pairs(dtype, n=40):
    rng = np.random.default_rng(2)
    return {name: (-rng.uniform(5, 60, n)).astype(dtype) for name in NAMES}


def losses(logps, beta, eps, dtype):
    pc, pr, rc, rr = (values.astype(np.float64) for values in logps.values())
    z = beta * ((pc - rc) - (pr - rr))
    return (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z))) + eps * z).astype(dtype)


@pytest.fixture
def audited(tmp_path):
    def audited(arrays, form="npz", **settings):
        path = tmp_path / f"pairs.{form}"
        if form == "npz":
            np.savez(path, **arrays)
        else:
            pytest.importorskip("safetensors.numpy").save_file(arrays, path)
        return audit_file(path, Settings.of(**settings))

    return audited


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_right_pairs_in_every_format(dtype, audited):
    logps = pairs(dtype)
    each = losses(logps, 0.5, 0.125, dtype)
    report = audited(
        {**logps, "losses": each, "loss": each.astype(np.float64).mean().astype(dtype)}, beta=0.5, label_smoothing=0.125
    )
    assert (report.impossible, report.consistent) == (0, 40)
    assert report.format == {"float64": "binary64", "float32": "binary32", "float16": "binary16"}.get(
        np.dtype(dtype).name, "bfloat16"
    )


def test_safetensors(audited):
    logps = pairs(np.float32)
    arrays = {**logps, "losses": losses(logps, 0.1, 0, np.float32)}
    assert audited(arrays, "safetensors", beta=0.1).impossible == 0
    assert (
        audited(arrays, "safetensors", beta=0.2).causes[0].text
        == "beta is always 0.1: the loss at beta 0.1, whatever beta is asked"
    )


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (
            lambda p: {"losses": losses(p, 0.5, 0, np.float32)},
            "label_smoothing ignored: the loss at label_smoothing 0, whatever is asked",
        ),
        (lambda p: {"losses": losses(p, 0.25, 0.25, np.float32)}, "beta applied twice: the loss at beta^2"),
        (lambda p: {"loss": losses(p, 0.5, 0.25, np.float32).sum()}, "the sum: the sum over the pairs, not the mean"),
        (
            lambda p: {"losses": np.full(40, losses(p, 0.5, 0.25, np.float32).mean())},
            "the mean for each: the batch's mean loss at every place",
        ),
        (
            lambda p: {"losses": losses(p, 0.5, 0.25, np.float32) / np.float32(2)},
            "loss times beta: the loss times beta once more, outside the log-sigmoid",
        ),
        (
            lambda p: {"losses": losses(p, 0.5, 0.25, np.float32) / np.float32(np.log(2))},
            "in bits: the loss in bits, log2, where nats are asked for",
        ),
    ],
)
def test_what_explains_wrong_pairs(wrong, cause, audited):
    logps = pairs(np.float32)
    report = audited({**logps, **wrong(logps)}, beta=0.5, label_smoothing=0.25)
    assert report.impossible > 0
    assert cause in [one.text for one in report.causes]


def lengthened(dtype=np.float32, n=40):
    logps = pairs(dtype, n)
    rng = np.random.default_rng(5)
    return {**logps, "chosen_lengths": rng.integers(3, 30, n), "rejected_lengths": rng.integers(3, 30, n)}


def average_squares(arrays, beta=0.5):
    pc, pr, rc, rr, lw, ll = (np.asarray(values, np.float64) for values in arrays.values())
    return (((pc - rc) / lw - (pr - rr) / ll - 1 / (2 * beta)) ** 2).astype(np.float32)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda z: np.maximum(1 - z, 0), "hinge"),
        (lambda z: np.roll(np.logaddexp(0, -z), 1), "shifted by one"),
        (lambda z: 0.7 * np.logaddexp(0, -z), "0.7 times sigmoid"),
        (lambda z: np.float16(np.logaddexp(0, -z)), "result in binary16"),
        (lambda z: np.logaddexp(0, -np.minimum(z, 2)), "right wherever the logit is not above"),
        (lambda z: np.where(z < -2, np.nan, np.logaddexp(0, -z)), "no finite loss at"),
        (lambda z: -np.log(1 / (1 + np.exp(-np.float32(z), dtype=np.float32))), "log(sigmoid"),
    ],
)
def test_what_explains_wrong_losses_of_pairs(change, cause, audited):
    logps = pairs(np.float32)
    pc, pr, rc, rr = (values.astype(np.float64) for values in logps.values())
    with np.errstate(over="ignore"):
        wrong = change(0.5 * ((pc - rc) - (pr - rr))).astype(np.float32)
    report = audited({**logps, "losses": wrong}, beta=0.5)
    assert report.impossible > 0
    assert cause in report.causes[0].text


def test_any_loss_is_checked_pair_by_pair(audited):
    arrays = lengthened()
    right = average_squares(arrays)
    assert audited({**arrays, "losses": right}, loss="ipo_average", beta=0.5).consistent == 40
    report = audited({**arrays, "losses": right}, loss="sigmoid_norm", beta=0.5)
    assert (report.impossible, report.causes[0].text) == (40, "another loss: ipo_average: IPO, of averages over the tokens")
    (mean,) = audited(
        {**arrays, "loss": right.astype(np.float64).mean()[None]}, loss="ipo_average", beta=0.5, dtype="float32"
    ).checks
    assert (mean.id, mean.asked, mean.impossible) == ("mean loss", 1, 0)


def test_what_a_loss_takes_and_nobody_told_is_asked_for(audited):
    logps = pairs(np.float32)
    report = audited({**logps, "losses": np.zeros(40, np.float32)}, loss="simpo", beta=0.5)
    assert (report.undecided, report.checks[0].needs) == (40, "simpo takes chosen_lengths, rejected_lengths, gamma")


def test_a_reward_without_beta(audited):
    logps = pairs(np.float32)
    right = np.float32(0.5) * (logps[NAMES[0]] - logps[NAMES[2]])
    assert audited({**logps, "chosen_rewards": right}, beta=0.5).impossible == 0
    assert audited({**logps, "chosen_rewards": 2 * right}, beta=0.5).impossible == 40


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"losses": np.zeros(3)}, "without policy_chosen_logps"),
        ({"x": np.zeros(3)}, "no array of a known name"),
        ({**pairs(np.float32)}, "nothing that was computed"),
        ({**pairs(np.float32), "losses": np.zeros(3, np.float32)}, "3 numbers for 40 pairs"),
        ({**pairs(np.float64), "losses": np.zeros(40, np.float32)}, "say with --dtype"),
        ({**pairs(np.float32), "losses": np.zeros(40, np.int64)}, "whole numbers"),
        ({**pairs(np.float32), "losses": np.zeros(40, complex)}, "complex128"),
        ({"losses": np.array([{}], dtype=object)}, "only a pickle could load"),
    ],
)
def test_what_cannot_be_checked_is_told(arrays, told, audited):
    with pytest.raises(NotALog, match=told):
        audited(arrays, beta=0.5)


def test_without_beta(audited):
    with pytest.raises(NotALog, match="--beta"):
        audited({**pairs(np.float32), "losses": np.zeros(40, np.float32)})


def rows(dtype=np.float32):
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(0, 3, (3, 9, 11)).astype(dtype), rng.integers(0, 11, (3, 9))
    mask = np.array([[0, 0, 1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0, 0, 0]], bool)
    return {"logits": logits, "labels": labels, "mask": mask}


def unnormalised(saved):
    scores = np.take_along_axis(saved["logits"][:, :-1], saved["labels"][:, 1:, None], -1)[..., 0]
    return (scores * saved["mask"][:, 1:]).sum(-1)


def logps(saved, shift=1, average=False, mask=None):
    z = saved["logits"].astype(np.float64)
    scores = z - np.log(np.exp(z).sum(-1, keepdims=True))
    scores, labels = scores[:, : 9 - shift], saved["labels"][:, shift:]
    mask = saved["mask"][:, shift:] if mask is None else mask
    found = (np.take_along_axis(scores, labels[..., None], -1)[..., 0] * mask).sum(-1)
    return (found / mask.sum(-1) if average else found).astype(np.float32)


@pytest.mark.parametrize("shift", [0, 1])
def test_right_rows_by_either_convention(shift, audited):
    saved = rows()
    report = audited({**saved, "logps": logps(saved, shift)})
    assert (report.impossible, report.consistent, report.unit) == (0, 3, "row")
    assert ("inside" in report.notices[0].text) == (shift == 1)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (lambda s: logps(s, average=True), "the mean over tokens, not their sum"),
        (lambda s: logps(s, mask=s["mask"][:, :-1]), "the mask is not shifted with the labels"),
        (lambda s: logps(s, mask=np.ones((3, 8), bool)), "every token is counted: padding and prompt too"),
        (lambda s: logps(s, shift=2), "shifted twice"),
        (lambda s: logps(s).astype(ml_dtypes.bfloat16).astype(np.float32), "log-softmax or its sum in bfloat16"),
        (lambda s: logps({**s, "logits": s["logits"] / 2}), "the logits are divided by 2: a temperature"),
        (lambda s: -logps(s), "-1 times the log-probability"),
        (lambda s: logps(s) / np.log(2).astype(np.float32), "1.4427 times the log-probability"),
        (unnormalised, "the sum of the labels' logits, not of their log-probabilities: no log-softmax"),
    ],
)
def test_what_explains_wrong_rows(wrong, cause, audited):
    saved = rows()
    report = audited({**saved, "logps": wrong(saved)})
    assert report.impossible > 0
    assert cause in [one.text for one in report.causes]


def test_rows_without_labels(audited):
    with pytest.raises(NotALog, match="without labels"):
        audited({"logits": rows()["logits"], "logps": np.zeros(3, np.float32)})
