"""The mean over a batch, and its derivatives."""

from __future__ import annotations

import math

from conformance.vectorgen.model import Chapter, Logps, mean

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
