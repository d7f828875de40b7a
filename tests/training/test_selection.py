from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fermobile.training.selection import adaptive_thresholds, class_quotas, select


def scores(*rows: tuple[int, float]) -> np.ndarray:
    """Three-class scores from (answer, confidence)."""
    out = np.array([[(1 - confidence) / 2] * 3 for _, confidence in rows])
    out[np.arange(len(rows)), [answer for answer, _ in rows]] = [confidence for _, confidence in rows]
    return out


def test_a_threshold_is_097_of_the_mean_confidence_in_recognised_faces() -> None:
    known = scores((0, 0.99), (0, 0.97), (1, 0.5), (1, 0.7), (0, 0.4), (2, 0.9))
    labels = np.array([0, 0, 1, 1, 1, -1])  # the fifth is mistaken, the sixth unlabelled
    thresholds = adaptive_thresholds(known, labels, floor=0.5)
    np.testing.assert_allclose(thresholds, [0.97 * 0.98, 0.97 * 0.6, np.inf])


def test_a_threshold_is_never_below_the_floor() -> None:
    known, labels = scores((0, 0.99), (1, 0.6)), np.array([0, 1])
    np.testing.assert_allclose(adaptive_thresholds(known, labels)[:2], [0.97 * 0.99, 0.8])


def test_a_class_that_is_never_recognised_is_never_believed() -> None:
    known, labels = scores((0, 0.9), (0, 0.9)), np.array([0, 1])
    assert adaptive_thresholds(known, labels)[1] == np.inf
    chosen = select(scores((1, 1.0)), adaptive_thresholds(known, labels), np.array([5, 5, 5]))
    assert len(chosen.rows) == 0 and chosen.predicted.tolist() == [0, 1, 0]


def test_quotas_are_shares_of_the_labelled_set_rounded_up() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] + [-1] * 50)
    assert class_quotas(labels, 3, 1000).tolist() == [600, 300, 100]
    assert class_quotas(labels, 4, 5).tolist() == [3, 2, 1, 0]


def test_the_surest_of_a_class_are_taken_up_to_its_quota() -> None:
    pool = scores((0, 0.9), (0, 0.99), (1, 0.85), (0, 0.95), (1, 0.7), (2, 0.9))
    chosen = select(pool, np.array([0.8, 0.8, 0.95]), np.array([2, 9, 9]))
    assert chosen.rows.tolist() == [1, 2, 3]
    assert chosen.classes.tolist() == [0, 1, 0]
    np.testing.assert_allclose(chosen.margins, [0.19, 0.05, 0.15])
    assert chosen.predicted.tolist() == [3, 2, 1]
    assert chosen.sure.tolist() == [3, 1, 0]
    assert chosen.chosen.tolist() == [2, 1, 0]


@given(
    raw=arrays(np.float64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.floats(0.01, 1)),
    thresholds=arrays(np.float64, 3, elements=st.floats(0.3, 1.1)),
    quotas=arrays(np.int64, 3, elements=st.integers(0, 10)),
)
def test_what_is_left_out_is_unsure_or_no_surer_than_what_is_taken(
    raw: np.ndarray, thresholds: np.ndarray, quotas: np.ndarray
) -> None:
    pool = raw / raw.sum(axis=1, keepdims=True)
    chosen = select(pool, thresholds, quotas)
    assert (chosen.margins >= 0).all() and (chosen.chosen <= quotas).all() and (chosen.sure <= chosen.predicted).all()
    for label in range(3):
        margins = pool.max(axis=1) - thresholds[label]
        others = (pool.argmax(axis=1) == label) & ~np.isin(np.arange(len(pool)), chosen.rows) & (margins >= 0)
        assert not others.any() or chosen.chosen[label] == quotas[label]
        if others.any() and quotas[label]:
            assert margins[others].max() <= chosen.margins[chosen.classes == label].min() + 1e-12
