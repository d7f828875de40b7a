from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from fermobile.evaluation.drift import f1_changes, flip_matrix, one_hot, score_drift
from fermobile.evaluation.metrics import precision_recall_f1


def test_drift_of_emotions_by_hand() -> None:
    before = np.array([[0.9, 0.1], [0.6, 0.4]], np.float32)
    after = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    drift = score_drift(before, after)
    assert (drift.max_abs, drift.mean_abs, drift.agreement, drift.n) == (
        pytest.approx(0.2), pytest.approx(0.1), 0.5, 2,
    )  # fmt: skip
    assert drift.cosine == pytest.approx((1 + 0.48 / 0.52) / 2)
    np.testing.assert_array_equal(flip_matrix(before, after), [[1, 1], [0, 0]])


def test_action_units_agree_by_their_thresholds() -> None:
    before, after = np.array([[0.4, 0.9], [0.4, 0.9]]), np.array([[0.6, 0.9], [0.2, 0.9]])
    assert score_drift(before, after, [0.5, 0.5]).agreement == 0.5  # of the first, on which they differ most
    assert score_drift(before, after, [0.7, 0.5]).agreement == 1.0


def test_the_paired_interval_is_that_of_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    reference = np.where(rng.random(200) < 0.9, truth, 1 - truth).astype(bool)
    candidate = np.where(rng.random(200) < 0.1, ~reference, reference)
    change = f1_changes(truth[:, None].astype(float), reference[:, None], candidate[:, None], ["AU1"]).per_label["AU1"]

    def f1(t: np.ndarray, s: np.ndarray) -> float:
        return float(precision_recall_f1((t & s).sum(), s.sum(), t.sum())[2])

    low, high = bootstrap(
        (truth.astype(bool), reference, candidate), lambda t, a, b: f1(t, b) - f1(t, a),
        n_resamples=1000, paired=True, vectorized=False, method="percentile", rng=0,
    ).confidence_interval  # fmt: skip
    assert change.reference == pytest.approx(f1(truth.astype(bool), reference))
    assert change.drop == pytest.approx(f1(truth.astype(bool), reference) - f1(truth.astype(bool), candidate))
    assert (change.low, change.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_a_model_against_itself_changes_nothing_for_certain() -> None:
    said = np.random.default_rng(1).random((50, 3)) > 0.5
    changes = f1_changes(one_hot(np.arange(50) % 3, 3), said, said, ["a", "b", "c"])
    assert (changes.mean.drop, changes.mean.low, changes.mean.high) == (0, 0, 0)


def test_labels_without_a_positive_are_left_out_and_masked_cells_do_not_count() -> None:
    truth = np.array([[1.0, 0.0], [np.nan, 0.0], [0.0, np.nan]])
    changes = f1_changes(
        truth, np.ones((3, 2), bool), np.array([[True, True], [False, True], [True, True]]), ["a", "b"]
    )
    assert list(changes.per_label) == ["a"]
    assert changes.per_label["a"].support == 1
    assert changes.mean.drop == pytest.approx(0)


def test_one_hot_of_unlabelled_rows_is_nan() -> None:
    np.testing.assert_array_equal(one_hot(np.array([1, -1]), 2), [[0, 1], [np.nan, np.nan]])
