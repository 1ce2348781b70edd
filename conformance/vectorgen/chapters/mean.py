"""The mean over a batch, and its derivatives."""

from __future__ import annotations

import math

from conformance.vectorgen.model import Chapter, Logps, mean
from conformance.vectorgen.notes import note

_GOLDEN: list[Logps] = [(-10.0, -12.0, -11.0, -11.0), (-20.0, -25.0, -19.0, -19.0), (-5.0, -9.0, -5.0, -5.0)]
_MIXED: list[Logps] = [
    (-20.0, -27.0, -22.0, -24.0),
    (-31.0, -25.0, -30.0, -28.0),
    (-12.0, -18.0, -16.0, -15.0),
    (-40.0, -38.0, -37.0, -38.5),
    (-17.0, -29.0, -16.0, -19.0),
]
_NINE: list[Logps] = [
    *_MIXED,
    (-6.0, -8.5, -7.0, -7.5),
    (-55.0, -51.0, -52.0, -53.0),
    (-9.0, -24.0, -11.0, -13.0),
    (-71.0, -60.0, -66.0, -67.0),
]
_LOST: list[Logps] = [(-30.0, -20.0, -22.0, -24.0), (-44.0, -31.0, -30.0, -33.0)]
_VANISHED: list[Logps] = [(-16.0, -16384.0, -16.0, -16.0), (-8.0, -8192.0, -8.0, -8.0)]
_ALL = ("SumForMean", "WrongDivisor", "NotAMean")

NOTES = {
    "SumForMean": note(
        "wrong reduction",
        "The sum where the mean is due, in the value or in the gradient alone.",
        "The learning rate grows with the batch size.",
        "huggingface/trl/issues/2615",
        "meta-pytorch/torchtune/issues/1291",
    ),
    "WrongDivisor": note(
        "wrong reduction",
        "The sum divided by n - 1, or by 2n, the number of rows.",
        "The loss at the reference is not ln 2, and the learning rate is off by a factor.",
        "huggingface/trl/issues/2617",
    ),
    "ChunkedMean": note(
        "wrong reduction",
        "The mean of the means of chunks, the last of them shorter.",
        "Pairs in a short last batch count more than the others.",
        "unslothai/unsloth/issues/1178",
        "huggingface/trl/pull/5710",
    ),
    "NotAMean": note(
        "wrong reduction",
        "The median, or the largest loss, where the mean is due.",
        "All but one pair of a batch teach nothing.",
    ),
    "ZerosLeftOut": note(
        "wrong reduction",
        "The mean over the losses that are not 0.",
        "As pairs are won the loss rises: those that are learned drop out of the mean.",
    ),
    "NanLeftOut": note(
        "wrong reduction",
        "NaN losses are left out of the mean.",
        "A broken model is averaged away.",
        "huggingface/trl/issues/1199",
    ),
    "NarrowSum": note(
        "narrow format",
        "The losses are summed in a narrower format than their own.",
        "The mean has two digits, and with many pairs it stops growing.",
    ),
}

CHAPTER = Chapter(
    "mean",
    "The mean of the losses of a batch, and its derivatives in each pair's log-probabilities. No batch has margins that sum "
    "to 0: there the means with and without label smoothing agree.",
    (
        mean("a batch of one", logps=_GOLDEN[:1]),
        mean("a batch of two lost pairs", *_ALL, logps=_LOST, beta=0.5),
        mean("the golden example, three pairs", *_ALL, logps=_GOLDEN),
        mean("the golden example, eps 0.1", *_ALL, "SmoothingIgnored", logps=_GOLDEN, eps=0.1),
        mean("five pairs: one more than a vector of four", *_ALL, "ChunkedMean", logps=_MIXED, beta=0.5),
        mean("five pairs, eps 0.2", *_ALL, "ChunkedMean", "SmoothingIgnored", logps=_MIXED, beta=0.5, eps=0.2),
        mean("four won pairs and a lost one", *_ALL, "ChunkedMean", logps=[*[_GOLDEN[1]] * 4, _LOST[0]], beta=1.0),
        mean("nine pairs", *_ALL, "NarrowSum", "ChunkedMean", logps=_NINE, beta=0.5),
        mean("nine pairs, beta 0.1", *_ALL, "NarrowSum", logps=_NINE),
        mean("seventeen pairs", *_ALL, "NarrowSum", logps=[*_NINE, *reversed(_NINE[:8])], beta=0.25),
        mean("two of five losses underflow", "ZerosLeftOut", "WrongDivisor", logps=[*_GOLDEN, *_VANISHED], beta=1.0),
        mean("a NaN among three pairs", "NanLeftOut", logps=[_GOLDEN[0], (math.nan, *_GOLDEN[1][1:]), _GOLDEN[2]]),
        mean("a NaN in the last reference", "NanLeftOut", logps=[*_GOLDEN[:2], (*_GOLDEN[2][:3], math.nan)]),
    ),
    kind="mean",
)
