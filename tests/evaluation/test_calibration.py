from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.evaluation.calibration import apply_temperature, expected_calibration_error, fit_temperature


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are right about themselves: labels are drawn from them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 5))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random(n)[:, None] > scores.cumsum(axis=1)).sum(axis=1)
    return scores.astype(np.float32), np.minimum(labels, 4)


def test_calibration_error_by_hand() -> None:
    # bins (0.6, 0.667]: 0.65 and 0.65, one right of two -> gap 0.15; (0.933, 1]: 1.0, right -> gap 0
    scores = np.array([[0.65, 0.35], [0.35, 0.65], [1.0, 0.0], [0.5, 0.5]], np.float32)
    assert expected_calibration_error(scores, np.array([0, 0, 0, -1])) == pytest.approx(2 / 3 * 0.15, abs=1e-6)


def test_honest_scores_have_a_small_error_and_a_temperature_of_one() -> None:
    scores, labels = drawn(20_000, seed=1)
    assert expected_calibration_error(scores, labels) < 0.015
    assert fit_temperature(scores, labels) == pytest.approx(1.0, abs=0.05)


@given(st.floats(0.4, 3.0))
def test_the_temperature_undoes_over_and_under_confidence(temperature: float) -> None:
    scores, labels = drawn(3000, seed=2)
    honest = fit_temperature(scores, labels)
    bent = apply_temperature(scores, 1 / temperature)
    assert fit_temperature(bent, labels) == pytest.approx(honest * temperature, rel=0.02)


def test_the_temperature_is_where_the_likelihood_is_highest() -> None:
    scores, labels = drawn(2000, seed=3)
    bent = apply_temperature(scores, 0.6)

    def loss(temperature: float) -> float:
        return float(-np.log(apply_temperature(bent, temperature)[np.arange(2000), labels]).mean())

    best = fit_temperature(bent, labels)
    assert all(loss(best) <= loss(best * factor) for factor in (0.9, 0.98, 1.02, 1.1))


def test_applying_keeps_order_sum_and_exact_zeros() -> None:
    scores = np.array([[0.7, 0.3, 0.0]], np.float32)
    warm = apply_temperature(scores, 2.0)
    assert warm.sum() == pytest.approx(1.0)
    assert warm[0, 0] > warm[0, 1] > warm[0, 2] == 0
    assert apply_temperature(scores, 1.0) is scores


def test_unlabelled_rows_count_for_nothing() -> None:
    scores, labels = drawn(500, seed=4)
    hidden = labels.copy()
    hidden[::2] = -1
    assert fit_temperature(scores, hidden) == fit_temperature(scores[1::2], labels[1::2])
    assert expected_calibration_error(scores, hidden) == expected_calibration_error(scores[1::2], labels[1::2])
    assert fit_temperature(scores, np.full(500, -1)) == 1.0
    assert expected_calibration_error(scores, np.full(500, -1)) == 0.0
