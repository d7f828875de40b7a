from __future__ import annotations

import numpy as np
import pytest

from fermobile.evaluation.bootstrap import interval, resample_counts


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = interval(resample_counts(400) @ values / 400)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_same_seed_gives_the_same_resamples() -> None:
    np.testing.assert_array_equal(resample_counts(50, n=9, seed=3), resample_counts(50, n=9, seed=3))
    assert (resample_counts(50, n=9, seed=3) != resample_counts(50, n=9, seed=4)).any()


def test_counts_draw_every_resample_in_full() -> None:
    counts = resample_counts(37, n=20, seed=5)
    assert counts.shape == (20, 37)
    np.testing.assert_array_equal(counts.sum(axis=1), 37)
    assert abs(counts.mean() - 1) < 1e-6 and counts.std() > 0.8
