"""Percentile bootstrap: how much a figure would move with another draw of test images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Resamples and coverage used everywhere.
RESAMPLES = 1000
LEVEL = 0.95


def bootstrap_interval(
    statistic: Callable[..., float], *arrays: np.ndarray, n: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of ``statistic(*arrays)`` (Efron 1979), rows drawn together with replacement.

    Args:
        statistic: called with resampled arrays, returns one number.
        arrays: equally long along the first axis; paired rows stay paired.
        n: resamples.
        seed: the same seed gives the same interval.
    Returns:
        (low, high).
    """
    rng = np.random.default_rng(seed)
    rows = len(arrays[0])
    values = np.array([statistic(*(a[pick] for a in arrays)) for pick in rng.integers(0, rows, (n, rows))])
    low, high = interval(values)
    return float(low), float(high)


def resample_counts(rows: int, n: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each row is drawn in each resample: float32 (n, rows).

    Any statistic of sums over rows is then a matrix product, which is what makes a thousand resamples cheap.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((n, rows), np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, rows, rows), minlength=rows)
    return counts


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The central 95 % of the resampled values along the first axis; NaN values are left out."""
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return low, high
