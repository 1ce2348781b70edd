"""The least and the largest mean of a convex loss, of pairs with a given mean logit and share of positive logits."""

from __future__ import annotations

import math

import numpy as np

from conformance.auditing.shapes import Curve
from conformance.auditing.spans import Span
from oracle.formats import Floats


def least_mean(curve: Curve, m: Span, a: Span) -> Floats:
    """The least mean loss with a mean logit within m and a share of positive logits within a."""
    start = float(curve.values(np.zeros(1))[0])
    up, down = a.high, 1 - a.low  # the larger share on m's own side gives the smaller mean
    with np.errstate(all="ignore"):
        at = np.clip(up * max(curve.lowest, 0.0) if curve.lowest < math.inf else np.where(up > 0, np.inf, 0.0), 0, None)
        at = np.minimum(np.maximum(at, np.maximum(m.low, 0.0)), m.high)
        right = np.where(up > 0, up * curve.values(at / np.where(up > 0, up, 1.0)) + (1 - up) * start, start)
        right = np.where((m.high < 0) | ((up <= 0) & (m.low > 0)), np.inf, right)
        at = np.clip(down * min(curve.lowest, 0.0) if curve.lowest > -math.inf else np.where(down > 0, -np.inf, 0.0), None, 0)
        at = np.maximum(np.minimum(at, np.minimum(m.high, 0.0)), m.low)
        left = np.where(down > 0, down * curve.values(at / np.where(down > 0, down, 1.0)) + (1 - down) * start, start)
        left = np.where((m.low > 0) | ((down <= 0) & (m.high < 0)), np.inf, left)
    return np.minimum(right, left)


def most_mean(curve: Curve, m: Span, a: Span) -> Floats:
    """The largest mean loss where every logit is positive, or none is; m may be unknown."""
    start = float(curve.values(np.zeros(1))[0])
    low, high = (np.where(np.isnan(end), far, end) for end, far in ((m.low, -np.inf), (m.high, np.inf)))
    low, high = np.where(a.low >= 1, np.maximum(low, 0.0), low), np.where(a.high <= 0, np.minimum(high, 0.0), high)

    def most(slope: float) -> Floats:
        if slope == 0:
            return np.full(low.shape, start)
        with np.errstate(invalid="ignore"):
            return np.asarray(start + (slope * high if slope > 0 else slope * low))

    return np.where(a.low >= 1, most(curve.slopes[1]), np.where(a.high <= 0, most(curve.slopes[0]), np.inf))
