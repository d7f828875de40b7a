"""Percentile bootstrap: how much a figure would move with another draw of test images."""

from __future__ import annotations

import numpy as np

#: Resamples and coverage used everywhere.
RESAMPLES = 1000
LEVEL = 0.95


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
