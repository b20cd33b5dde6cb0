"""Student's t distribution, for intervals around a mean of few numbers."""

from __future__ import annotations

import math


def t_distribution(t: float, degrees: int) -> float:
    """How much of the distribution lies between -t and t, for t of at least 0.

    The finite sums for whole degrees of freedom (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3
    and 26.7.4).
    """
    angle = math.atan(t / math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for i in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine * cosine * (i - 1) / i
        total += term
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def t_quantile(confidence: float, degrees: int) -> float:
    """The t between whose negative and itself so much of the distribution lies."""
    low, high = 0.0, 1.0
    while t_distribution(high, degrees) < confidence:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if t_distribution(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2
