"""Losses of action units: values by hand, gradients that exist, and cells that do not count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fermobile.errors import InputError
from fermobile.models.keras import keras, tf
from fermobile.training.au_losses import AU_LOSSES, AULoss, asymmetric, au_loss, bce, lsep, precision_recall

UNITS = 4
RATES = np.array([0.05, 0.1, 0.2, 0.4])

LOSSES = {name: au_loss(name, RATES) for name in AU_LOSSES} | {"pooled": au_loss("precision_recall", RATES, True)}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def t(values: object, dtype: type = np.float32) -> tf.Tensor:
    return tf.constant(np.asarray(values, dtype))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.asarray(x, np.float64))))


def cost(loss: AULoss, logits: object, target: object, weight: object) -> tuple[float, np.ndarray]:
    """The value and its gradient by the logits."""
    scores = tf.Variable(np.asarray(logits, np.float32))
    with tf.GradientTape() as tape:
        value = loss(scores, t(target), t(weight))
    return float(value), tape.gradient(value, scores).numpy()


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (12, UNITS)).astype(np.float32)
    target = (rng.random((12, UNITS)) < 0.4).astype(np.float32)
    weight = (rng.random((12, UNITS)) < 0.8).astype(np.float32)
    weight[:2], target[0], target[1] = 1, 0, 1  # a face without a unit, and one that shows them all
    return logits, target, weight


# --- known values ------------------------------------------------------------------------------------------------


def test_bce_is_the_mean_over_labelled_cells() -> None:
    value, _ = cost(bce, [[0.0, 2.0, -1.0]], [[1, 0, 1]], [[1, 1, 0]])
    assert value == pytest.approx((np.log(2) - np.log(1 - sigmoid(2.0))) / 2, rel=1e-6)


def test_weighted_bce_lifts_the_rare_units() -> None:
    loss = au_loss("weighted_bce", np.array([0.1, 0.4]))  # 10 and 2.5 of 12.5, times two units
    value, gradient = cost(loss, [[0.0, 0.0]], [[1, 1]], [[1, 1]])
    assert value == pytest.approx((1.6 + 0.4) * np.log(2) / 2, rel=1e-6)
    assert gradient[0, 0] / gradient[0, 1] == pytest.approx(4)
    equal = au_loss("weighted_bce", np.array([0.3, 0.3]))
    args = ([[1.0, -2.0]], [[1, 0]], [[1, 1]])
    assert cost(equal, *args)[0] == pytest.approx(cost(bce, *args)[0])


def test_lsep_is_the_sum_over_pairs(batch: tuple[np.ndarray, ...]) -> None:
    logits, target, weight = batch
    rows = []
    for f, y, w in zip(logits.astype(float), target, weight, strict=True):
        absent, present = f[(w > 0) & (y == 0)], f[(w > 0) & (y == 1)]
        rows.append(np.log(1 + sum(np.exp(v - u) for v in absent for u in present)) if w.any() else np.nan)
    ranking = cost(lsep, *batch)[0] - cost(bce, *batch)[0]
    assert ranking == pytest.approx(np.nanmean(rows), rel=1e-4)


def test_precision_times_recall_by_hand() -> None:
    # p = .5 everywhere.  Unit 1: TP .5, FP .5, FN .5: P = R = .5.  Unit 2: TP 1, FP 0, FN 1: P = 1, R = .5.
    target = [[1, 1], [0, 1]]
    zeros, ones = np.zeros((2, 2)), np.ones((2, 2))
    assert cost(precision_recall(), zeros, target, ones)[0] == pytest.approx(1 - (0.25 + 0.5) / 2, abs=1e-6)
    # Together: TP 1.5, FP .5, FN 1.5.
    assert cost(precision_recall(pooled=True), zeros, target, ones)[0] == pytest.approx(1 - 0.75 * 0.5, abs=1e-6)


def test_precision_times_recall_of_sure_scores_is_that_of_the_decisions() -> None:
    logits = np.array([[40, 40], [40, -40], [-40, -40], [40, -40.0]])
    target = np.array([[1, 1], [0, 1], [1, 0], [1, 0]])  # unit 1: P 2/3, R 2/3; unit 2: P 1, R 1/2
    value, _ = cost(precision_recall(), logits, target, np.ones((4, 2)))
    assert value == pytest.approx(1 - (4 / 9 + 1 / 2) / 2, abs=1e-6)


def test_asymmetric_by_its_formula(batch: tuple[np.ndarray, ...]) -> None:
    logits, target, weight = batch
    p = sigmoid(logits)
    q = np.maximum(p - 0.05, 0)
    each = np.where(target == 1, -(1 - p) * np.log(p), -(q**4) * np.log(1 - q))
    assert cost(asymmetric, *batch)[0] == pytest.approx(each[weight > 0].mean(), rel=1e-5)
    assert cost(asymmetric, [[-3.0]], [[0]], [[1]]) == (0, np.zeros((1, 1)))  # p = .047 is below the clip


# --- gradients ---------------------------------------------------------------------------------------------------


@every_loss
def test_gradients_are_those_of_finite_differences(loss: AULoss, batch: tuple[np.ndarray, ...]) -> None:
    logits, target, weight = batch
    _, gradient = cost(loss, *batch)
    step = 0.02
    for cell in [(0, 1), (3, 0), (5, 2), (7, 3), (11, 1)]:
        up, down = logits.copy(), logits.copy()
        up[cell] += step
        down[cell] -= step
        slope = (cost(loss, up, target, weight)[0] - cost(loss, down, target, weight)[0]) / (2 * step)
        assert gradient[cell] == pytest.approx(slope, abs=2e-4), cell


@every_loss
def test_descending_the_gradient_finds_the_labels(loss: AULoss, batch: tuple[np.ndarray, ...]) -> None:
    logits, target, weight = batch
    scores, adam = tf.Variable(logits), keras.optimizers.Adam(0.1)

    @tf.function
    def descend(steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                value = loss(scores, target, weight)
            adam.apply_gradients([(tape.gradient(value, scores), scores)])

    adam.build([scores])
    descend(tf.constant(300))
    assert cost(loss, scores, target, weight)[0] < cost(loss, logits, target, weight)[0] / 5
    assert ((scores.numpy() > 0) == (target > 0))[weight > 0].mean() > 0.95


def test_lsep_alone_has_no_gradient_without_a_positive_but_its_bce_has() -> None:
    args = ([[0.5, -0.5]], [[0, 0]], [[1, 1]])
    value, gradient = cost(lsep, *args)
    plain, of_plain = cost(bce, *args)
    assert value == pytest.approx(plain) and gradient == pytest.approx(of_plain)


# --- what does not count -------------------------------------------------------------------------------------------


@every_loss
def test_unlabelled_cells_change_nothing(loss: AULoss, batch: tuple[np.ndarray, ...]) -> None:
    logits, target, weight = batch
    value, gradient = cost(loss, *batch)
    assert (gradient[weight == 0] == 0).all()
    others = np.where(weight == 0, 7.0, logits), np.where(weight == 0, 1 - target, target), weight
    again, same = cost(loss, *others)
    assert again == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(same, gradient, rtol=1e-5, atol=1e-8)


@every_loss
def test_a_batch_without_labels_costs_nothing(loss: AULoss) -> None:
    value, gradient = cost(loss, np.ones((3, UNITS)), np.zeros((3, UNITS)), np.zeros((3, UNITS)))
    assert value == 0 and (gradient == 0).all()


@every_loss
def test_a_batch_without_a_positive_is_finite(loss: AULoss) -> None:
    value, gradient = cost(loss, np.zeros((3, UNITS)), np.zeros((3, UNITS)), np.ones((3, UNITS)))
    assert np.isfinite(value) and np.isfinite(gradient).all() and (gradient >= 0).all()


@pytest.mark.parametrize("pooled", [False, True])
def test_precision_recall_costs_nothing_without_a_positive(pooled: bool) -> None:
    value, gradient = cost(precision_recall(pooled), [[3.0, -1.0]], [[0, 0]], [[1, 1]])
    assert value == 0 and (gradient == 0).all()


def test_a_unit_that_is_absent_from_the_batch_is_left_out_per_unit_and_counts_pooled() -> None:
    logits, target, ones = [[1.0, 2.0], [-1.0, 0.5]], [[1, 0], [0, 0]], np.ones((2, 2))
    value, gradient = cost(precision_recall(), logits, target, ones)
    alone, _ = cost(precision_recall(), [[1.0], [-1.0]], [[1], [0]], np.ones((2, 1)))
    assert value == pytest.approx(alone) and (gradient[:, 1] == 0).all()
    pooled, gradient = cost(precision_recall(pooled=True), logits, target, ones)
    assert pooled > alone and (gradient[:, 1] > 0).all()  # less of the absent unit makes precision better


# --- numbers that are hard to bear ---------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("size", [30.0, 88.0, 103.0, 6e4])  # exp(88) is the last in float32; 65,504 in float16
def test_extreme_scores_are_finite(loss: AULoss, size: float) -> None:
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 0, 1], [-1, 1])).reshape(4, -1).T
    for target in (signs > 0, signs < 0, np.zeros_like(signs), np.ones_like(signs)):
        value, gradient = cost(loss, size * signs, target, np.ones_like(signs))
        assert np.isfinite(value) and np.isfinite(gradient).all()
    value, gradient = cost(loss, np.full((3, UNITS), -size), np.ones((3, UNITS)), np.ones((3, UNITS)))
    assert value > 0.4 and np.isfinite(gradient).all()  # all of them wrong


@every_loss
def test_half_precision_is_computed_in_single(loss: AULoss, batch: tuple[np.ndarray, ...]) -> None:
    logits = batch[0].astype(np.float16)
    half = loss(t(logits, np.float16), t(batch[1], np.float16), t(batch[2], np.float16))
    assert half.dtype == tf.float32
    assert float(half) == float(loss(t(logits), t(batch[1]), t(batch[2])))


cells = arrays.arrays(np.float32, (5, UNITS), elements=st.floats(-80, 80, width=32))
bits = arrays.arrays(np.float32, (5, UNITS), elements=st.sampled_from([0.0, 1.0]))


@every_loss
@given(logits=cells, target=bits, weight=bits, seed=st.integers(0, 99))
def test_any_batch_is_finite_not_negative_and_has_no_order(
    loss: AULoss, logits: np.ndarray, target: np.ndarray, weight: np.ndarray, seed: int
) -> None:
    value, gradient = cost(loss, logits, target, weight)
    assert np.isfinite(value) and value >= 0 and np.isfinite(gradient).all()
    order = np.random.default_rng(seed).permutation(5)
    other, moved = cost(loss, logits[order], target[order], weight[order])
    assert other == pytest.approx(value, rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(moved, gradient[order], rtol=1e-3, atol=1e-6)


# --- by name -------------------------------------------------------------------------------------------------------


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"'focal'; choose from: bce, weighted_bce, lsep, precision_recall, asymmetric"
    ):
        au_loss("focal", RATES)


def test_only_counts_can_be_pooled() -> None:
    with pytest.raises(InputError, match="only precision_recall can be pooled, not bce"):
        au_loss("bce", RATES, pooled=True)


def test_weights_need_a_positive_of_every_unit() -> None:
    with pytest.raises(InputError, match="number 2, 3 of 3 never occurs"):
        au_loss("weighted_bce", np.array([0.2, 0.0, np.nan]))
