"""Log-probabilities from token logits: the exact definitions, and the certified arrays against them."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import oracle
from oracle import sequence
from oracle.ball import Enclosure
from oracle.errors import BadArgument, NotFinite, OutOfRange, ShapeMismatch, Undecided
from oracle.sequence import compiled, kernel
from oracle.sequence.certified import GRADIENT_ERROR, LOGP_ERROR, logarithm
from oracle.sequence.computable import Computable

REGIMES = [(0, 1), (0, 5), (0, 40), (1e4, 2), (-3e5, 1)]
"""Level and spread of a row's logits."""


def _inside(balls: Enclosure, place: tuple[int, ...], exact: Computable, relative: float) -> bool:
    """The exact number lies in the ball, and the ball is as narrow as promised."""
    head, tail, exponent, radius = (float(part[place]) for part in (balls.head, balls.tail, balls.exponent, balls.radius))
    if exact.special is not None:
        return head == exact.special or (math.isnan(head) and math.isnan(exact.special))
    scale = Fraction(2) ** int(exponent)
    middle, room = (Fraction(head) + Fraction(tail)) * scale, Fraction(radius) * scale
    low, high = exact.enclose(200)
    return middle - room <= low and high <= middle + room and room <= Fraction(relative) * max(abs(low), abs(high))


@pytest.mark.parametrize(
    ("logits", "exact"),
    [  # a public report each: google-deepmind/optax#1020, pytorch/executorch#20089
        ([10.0] + [0.0] * 152_063, "-2.067324617"),
        ([0.0] * 512, "-6.23832462503951"),
        ([0.0, -math.inf], "0"),
        ([0.0, math.nan], "nan"),
        ([-math.inf, -math.inf], "nan"),
        ([-math.inf, 3.0], "-inf"),
        ([math.inf, 0.0], "nan"),
    ],
    ids=lambda value: f"{len(value)} logits from {value[0]}" if isinstance(value, list) else value,
)
def test_the_first_token(logits: list[float], exact: str) -> None:
    label = 0
    found = sequence.token_logp(logits, label)
    assert found.digits(len(exact.strip("-").replace(".", ""))) == exact
    assert _inside(sequence.token_logps(np.array([logits]), np.array([label])), (0,), found, LOGP_ERROR)


@pytest.mark.parametrize("compiled_from", [1, 1 << 40], ids=["compiled", "numpy"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_the_certified_arrays_hold_the_exact_numbers(dtype: type, compiled_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LEAST", compiled_from)
    rng = np.random.default_rng(7)
    for level, spread in REGIMES:
        if dtype is np.float16 and abs(level) > 6e4:
            continue
        for columns in (1, 2, 37):
            logits = (rng.normal(level, spread, (3, columns))).astype(dtype)
            labels = rng.integers(0, columns, 3)
            logits[1, labels[1]] = float(logits[1].max()) + 24  # near 0
            if columns > 2:
                logits[2, :2] = -np.inf
            for temperature in (1.0, 0.7):
                _hold(logits, labels, temperature)


def _hold(logits: np.ndarray, labels: np.ndarray, temperature: float) -> None:
    found = sequence.token_logps(logits, labels, temperature)
    tiles = list(sequence.gradient_tiles(logits, labels, temperature))
    for i, label in enumerate(labels):
        row = [float(z) for z in logits[i]]
        assert _inside(found, (i,), sequence.token_logp(row, int(label), temperature), LOGP_ERROR)
        exact = sequence.token_gradient(row, int(label), temperature)
        (tile,) = (tile for tile in tiles if tile.rows.start <= i < tile.rows.stop)
        balls = tile.balls()
        assert all(_inside(balls, (i - tile.rows.start, j), entry, GRADIENT_ERROR) for j, entry in enumerate(exact))


def test_a_vocabulary_of_several_tiles_is_one_sum() -> None:
    columns = 3 * kernel.TILE + 5
    logits = np.zeros((1, columns), dtype=np.float32)
    logits[0, -1] = 8.0
    exact = sequence.token_logp(logits[0].tolist(), columns - 1)
    assert _inside(sequence.token_logps(logits, np.array([columns - 1])), (0,), exact, LOGP_ERROR)
    if compiled.usable(1 << 20):
        wide = np.tile(logits, 2)
        assert compiled.usable(wide.shape[1])
        exact = sequence.token_logp(wide[0].tolist(), 3)
        assert _inside(sequence.token_logps(wide, np.array([3])), (0,), exact, LOGP_ERROR)


def test_a_sequence_is_its_unmasked_tokens() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(0, 3, (4, 6, 11)), rng.integers(0, 11, (4, 6))
    mask = np.arange(6) < np.array([[6], [1], [0], [4]])
    logits[~mask] = np.nan  # a masked NaN is not looked at
    labels[~mask] = -100
    total = sequence.sequence_logps(logits, labels, mask)
    mean = sequence.sequence_logps(logits, labels, mask, average=True)
    for i in range(4):
        rows = logits[i].tolist(), labels[i].tolist(), mask[i].tolist()
        assert _inside(total, (i,), sequence.sequence_logp(*rows), LOGP_ERROR * 1.01)
        assert _inside(mean, (i,), sequence.sequence_logp(*rows, average=True), LOGP_ERROR * 1.01)
    assert np.isnan(mean.head[2])
    assert total.head[2] == 0
    assert total.radius[2] == 0


def test_the_loss_from_logits_is_that_of_the_log_probabilities() -> None:
    chosen = sequence.sequence_logp([[1, 2, 3], [0, 1, 2]], [0, 1])
    rejected = sequence.sequence_logp([[1, 2, 3]], [2])
    assert sequence.loss(chosen, rejected, chosen, rejected).digits(30) == oracle.loss(0, 0, 0, 0).digits(30)
    for smoothing in (0, Fraction(1, 4)):
        options = {"beta": Fraction(1, 2), "label_smoothing": smoothing}
        found = sequence.loss(-1, -4, -3, -2, **options)
        assert found.digits(40) == oracle.loss(-1, -4, -3, -2, **options).digits(40)
        assert sequence.slope(-1, -4, -3, -2, **options).digits(40) == str(
            oracle.gradient(-1, -4, -3, -2, **options).policy_chosen.digits(40)
        )
    certain = sequence.sequence_logp([[5, -math.inf]], [0])
    assert certain.exact == 0
    assert sequence.loss(certain, -math.inf, certain, -1).exact == 0


def test_a_loop_that_no_theorem_ends_gives_up() -> None:
    same = [sequence.sequence_logp([[0, 1]], [0]) for _ in range(2)]
    with pytest.raises(Undecided, match="no theorem"):
        sequence.margin(same[0], -1, same[1], -1).round("binary32")


def test_the_logarithm_does_not_trust_its_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([1.0, 1.5, 7.0, 151936.0])
    exact = [oracle.sequence.Computable(lambda bits, v=v: _log(v, bits)) for v in x]
    found = logarithm((x, np.zeros(4)))
    assert all(_near(found, i, exact[i]) for i in range(4))
    monkeypatch.setattr(np, "log", lambda v: np.full_like(v, 1.0))
    with pytest.raises(ArithmeticError, match="guess"):
        logarithm((x, np.zeros(4)))


def _log(v: float, bits: int) -> tuple[Fraction, Fraction]:
    from oracle.sequence.computable import log1p  # noqa: PLC0415

    return log1p(Fraction(v) - 1, bits) if v != 1 else (Fraction(0), Fraction(0))


def _near(balls: Enclosure, i: int, exact: Computable) -> bool:
    scale = Fraction(2) ** int(balls.exponent[i])
    low, high = exact.ends(100)
    middle, room = (Fraction(balls.head[i]) + Fraction(balls.tail[i])) * scale, Fraction(balls.radius[i]) * scale
    return middle - room <= low <= high <= middle + room and room < 2.0**-60


def test_what_is_refused() -> None:
    logits = np.zeros((2, 3))
    for labels in ([0, 3], [0, -1], [0, -100]):
        with pytest.raises(OutOfRange, match="vocabulary"):
            sequence.token_logps(logits, np.array(labels))
        with pytest.raises(OutOfRange, match="vocabulary"):
            sequence.token_logp([0, 0, 0], labels[1])
    with pytest.raises(ShapeMismatch):
        sequence.token_logps(logits, np.array([0]))
    with pytest.raises(ShapeMismatch):
        sequence.sequence_logps(logits, np.array([0, 1]), np.array([True, True]))
    with pytest.raises(BadArgument, match="labels"):
        sequence.token_logps(logits, np.array([0.0, 1.0]))
    with pytest.raises(BadArgument, match="logits"):
        sequence.token_logps(logits.astype(complex), np.array([0, 1]))
    for temperature, error in ((0.0, OutOfRange), (-1.0, OutOfRange), (math.inf, NotFinite), (1e-300, OutOfRange)):
        with pytest.raises(error, match="temperature"):
            sequence.token_logps(logits, np.array([0, 1]), temperature)
    with pytest.raises(OutOfRange, match="temperature"):
        sequence.token_logps(logits + 1e20, np.array([0, 1]), 0.7)
    assert sequence.token_logps(np.zeros((0, 3)), np.zeros(0, dtype=int)).shape == (0,)
