"""Metrics against scikit-learn, which is the reference."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.errors import InputError
from fermobile.evaluation.metrics import (
    au_metrics,
    average_precision,
    best_thresholds,
    emotion_metrics,
    pr_curve,
    roc_auc,
)

sk = pytest.importorskip("sklearn.metrics")

NAMES = ("neutral", "happiness", "surprise", "sadness")
UNITS = ("AU1", "AU12")


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_emotion_figures_are_those_of_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(4), n).astype(np.float32)
    labels = rng.integers(-1, 4, n)
    labels[0] = 2
    keep = labels >= 0
    truth, said = labels[keep], scores[keep].argmax(axis=1)
    present = sorted(set(truth))
    found = emotion_metrics(scores, labels, NAMES)
    assert found.n == keep.sum()
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, said))
    options = {"labels": present, "zero_division": 0}
    assert found.macro_f1 == pytest.approx(sk.f1_score(truth, said, average="macro", **options))
    assert found.weighted_f1 == pytest.approx(sk.f1_score(truth, said, average="weighted", **options))
    assert found.mean_recall == pytest.approx(sk.recall_score(truth, said, average="macro", **options))
    np.testing.assert_array_equal(found.confusion, sk.confusion_matrix(truth, said, labels=range(4)))
    precision, recall, f1, support = sk.precision_recall_fscore_support(truth, said, labels=range(4), zero_division=0)
    for i, name in enumerate(NAMES):
        figures = found.per_class[name]
        assert [figures[k] for k in ("precision", "recall", "f1", "support")] == pytest.approx(
            [precision[i], recall[i], f1[i], support[i]]
        )


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans())
def test_action_unit_figures_are_those_of_scikit_learn(seed: int, n: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((n, 2))
    scores = np.round(scores, 1 if coarse else 7).astype(np.float32)  # int8 scores have ties
    labels = rng.choice([0.0, 1.0, np.nan], (n, 2), p=[0.4, 0.4, 0.2])
    labels[0] = 1
    found = au_metrics(scores, labels, UNITS, {"AU1": 0.3})
    f1s = []
    for i, (name, cut) in enumerate(zip(UNITS, (0.3, 0.5), strict=True)):
        keep = np.isfinite(labels[:, i])
        truth, said = labels[keep, i] == 1, scores[keep, i] >= np.float32(cut)
        f1s.append(sk.f1_score(truth, said, zero_division=0))
        figures = found.per_au[name]
        assert figures["f1"] == pytest.approx(f1s[-1])
        assert figures["precision"] == pytest.approx(sk.precision_score(truth, said, zero_division=0))
        assert figures["recall"] == pytest.approx(sk.recall_score(truth, said, zero_division=0))
        assert figures["average_precision"] == pytest.approx(sk.average_precision_score(truth, scores[keep, i]))
        assert figures["positives"] == truth.sum()
    assert found.mean_f1 == pytest.approx(np.mean(f1s))
    known = np.isfinite(labels)
    said = scores >= np.array([0.3, 0.5], np.float32)
    assert found.micro_f1 == pytest.approx(sk.f1_score(labels[known] == 1, said[known], zero_division=0))
    floors = [
        sk.f1_score(column[np.isfinite(column)] == 1, np.ones(int(np.isfinite(column).sum()), bool))
        for column in labels.T
    ]
    assert found.all_positive_f1 == pytest.approx(np.mean(floors))


@given(st.integers(0, 2**32 - 1))
def test_the_curve_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = np.round(rng.random(50), 1), rng.integers(0, 2, 50).astype(float)
    labels[0] = 1
    precision, recall, cuts = pr_curve(scores, labels)
    expected = sk.precision_recall_curve(labels, scores)
    np.testing.assert_allclose(precision, expected[0][:-1][::-1])
    np.testing.assert_allclose(recall, expected[1][:-1][::-1])
    np.testing.assert_allclose(cuts, expected[2][::-1])


@given(st.integers(0, 2**32 - 1))
def test_no_other_threshold_has_a_higher_f1(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 40).astype(float)
    labels[0] = 1
    scores = np.clip(labels * 0.3 + rng.random(40) * 0.7, 0, 1)
    best = best_thresholds(scores[:, None], labels[:, None], ["AU12"])["AU12"]

    def f1(cut: float) -> float:
        return float(sk.f1_score(labels, scores >= cut, zero_division=0))

    assert f1(best) == pytest.approx(max(f1(cut) for cut in [0.0, *scores]))


def test_a_threshold_lies_between_the_scores_it_parts() -> None:
    scores, labels = np.array([[0.1], [0.2], [0.6], [0.9]]), np.array([[0.0], [0.0], [1.0], [1.0]])
    assert best_thresholds(scores, labels, ["AU4"]) == {"AU4": pytest.approx(0.4)}


def test_a_unit_without_a_positive_has_no_threshold() -> None:
    assert best_thresholds(np.full((3, 1), 0.5), np.array([[0.0], [np.nan], [0.0]]), ["AU4"]) == {}
    assert average_precision(np.array([0.5, 0.2]), np.array([0.0, 0.0])) == 0


def test_an_absent_class_is_listed_and_left_out_of_the_mean() -> None:
    scores = np.eye(4, dtype=np.float32)[[0, 1, 0, 3]]
    found = emotion_metrics(scores, np.array([0, 1, 0, 0]), NAMES)
    assert found.absent == ("surprise", "sadness")
    assert found.macro_f1 == pytest.approx((0.8 + 1.0) / 2)
    json.dumps(found.to_dict())


def test_without_any_label_there_is_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="nothing to measure"):
        emotion_metrics(np.ones((2, 4), np.float32) / 4, np.array([-1, -1]), NAMES)
    with pytest.raises(InputError, match="nothing to measure"):
        au_metrics(np.ones((2, 2), np.float32), np.full((2, 2), np.nan), UNITS)


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        emotion_metrics(np.ones((2, 3), np.float32), np.array([0, 1]), NAMES)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans())
def test_the_area_under_the_roc_curve_is_that_of_scikit_learn(seed: int, n: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, 4, n) / 4 if coarse else rng.random(n)).astype(np.float32)
    labels = rng.choice([0.0, 1.0, np.nan], n)
    labels[:2] = 0, 1
    keep = np.isfinite(labels)
    assert roc_auc(scores, labels) == pytest.approx(sk.roc_auc_score(labels[keep], scores[keep]))
    counts = rng.integers(0, 3, (3, n)).astype(np.float32)
    counts[:, :2] = 1
    expected = [sk.roc_auc_score(labels[keep], scores[keep], sample_weight=drawn[keep]) for drawn in counts]
    np.testing.assert_allclose(roc_auc(scores, labels, counts), expected)


def test_an_area_needs_both_classes() -> None:
    scores = np.array([0.1, 0.9])
    assert np.isnan(roc_auc(scores, np.array([1, np.nan])))
    assert np.isnan(roc_auc(scores, np.array([0, 0])))
    assert np.isnan(roc_auc(scores, np.array([np.nan, np.nan])))
    np.testing.assert_array_equal(roc_auc(scores, np.array([0, 1]), np.array([[1, 1], [0, 2]])), [1, np.nan])
