from __future__ import annotations

import numpy as np
import pytest

from fermobile.models.keras import tf
from fermobile.training.losses import au_loss, emotion_loss, total_loss


def t(values: object) -> tf.Tensor:
    return tf.constant(np.asarray(values, np.float32))


def test_known_values() -> None:
    # Uniform scores against a one-hot: ln C.  A zero logit: ln 2.
    assert float(emotion_loss(t([[0, 0, 0, 0]]), t([[1, 0, 0, 0]]), t([1]))) == pytest.approx(np.log(4))
    assert float(au_loss(t([[0, 0]]), t([[1, 0]]), t([[1, 1]]))) == pytest.approx(np.log(2))
    # Entropy of the target where scores equal it.
    p = np.array([0.7, 0.2, 0.1])
    assert float(emotion_loss(t([np.log(p)]), t([p]), t([1]))) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)


def test_masked_rows_change_neither_loss_nor_gradient() -> None:
    scores = tf.Variable([[1.0, -1.0], [50.0, -50.0]])
    with tf.GradientTape() as tape:
        loss = emotion_loss(scores, t([[1, 0], [0, 0]]), t([1, 0]))
    assert float(loss) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)
    np.testing.assert_array_equal(tape.gradient(loss, scores).numpy()[1], [0, 0])


@pytest.mark.parametrize("loss", [emotion_loss, au_loss])
def test_a_batch_without_labels_costs_nothing_and_is_finite(loss: object) -> None:
    weight = t([0, 0]) if loss is emotion_loss else t([[0, 0], [0, 0]])
    scores = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        value = loss(scores, t([[0, 0], [0, 0]]), weight)  # type: ignore[operator]
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, scores).numpy(), np.zeros((2, 2)))


def test_heads_add_up() -> None:
    emotion, au = t([[2.0, 0.0]]), t([[0.5]])
    targets = (t([[1, 0]]), t([1]), t([[1]]), t([[1]]))
    both = total_loss(("emotion", "au"), [emotion, au], targets)
    parts = emotion_loss(emotion, targets[0], targets[1]) + au_loss(au, targets[2], targets[3])
    assert float(both) == pytest.approx(float(parts))
