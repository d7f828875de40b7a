from __future__ import annotations

import numpy as np
import pytest

from fermobile.models.keras import tf
from fermobile.training.losses import emotion_loss, taught_au_loss, taught_emotion_loss


def t(values: object) -> tf.Tensor:
    return tf.constant(np.asarray(values, np.float32))


def test_known_values() -> None:
    # Uniform scores against a one-hot: ln C.
    assert float(emotion_loss(t([[0, 0, 0, 0]]), t([[1, 0, 0, 0]]), t([1]))) == pytest.approx(np.log(4))
    # Entropy of the target where scores equal it.
    p = np.array([0.7, 0.2, 0.1])
    assert float(emotion_loss(t([np.log(p)]), t([p]), t([1]))) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)


def test_masked_rows_change_neither_loss_nor_gradient() -> None:
    scores = tf.Variable([[1.0, -1.0], [50.0, -50.0]])
    with tf.GradientTape() as tape:
        loss = emotion_loss(scores, t([[1, 0], [0, 0]]), t([1, 0]))
    assert float(loss) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)
    np.testing.assert_array_equal(tape.gradient(loss, scores).numpy()[1], [0, 0])


def test_a_batch_without_labels_costs_nothing_and_is_finite() -> None:
    scores = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        value = emotion_loss(scores, t([[0, 0], [0, 0]]), t([0, 0]))
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, scores).numpy(), np.zeros((2, 2)))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_student_that_answers_as_its_teacher_has_no_gradient(temperature: float) -> None:
    teacher = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
    scores = tf.Variable(teacher)
    with tf.GradientTape() as tape:
        loss = taught_emotion_loss(scores, tf.nn.softmax(teacher / temperature), temperature)
    np.testing.assert_allclose(tape.gradient(loss, scores).numpy(), 0, atol=1e-6)
    units = tf.Variable(teacher)
    with tf.GradientTape() as tape:
        loss = taught_au_loss(units, tf.sigmoid(teacher / temperature), temperature)
    np.testing.assert_allclose(tape.gradient(loss, units).numpy(), 0, atol=1e-6)


def test_temperature_does_not_shrink_the_gradient() -> None:
    """Hinton et al. 2015: with T² the gradient tends to (student − teacher logits) / classes as T grows."""
    student, teacher = np.array([[0.3, -0.3]], np.float32), np.array([[-0.2, 0.2]], np.float32)
    scores, temperature = tf.Variable(student), 100.0
    with tf.GradientTape() as tape:
        loss = taught_emotion_loss(scores, tf.nn.softmax(teacher / temperature), temperature)
    np.testing.assert_allclose(tape.gradient(loss, scores).numpy(), (student - teacher) / 2, rtol=1e-2)


def test_rows_that_nobody_teaches_cost_nothing() -> None:
    scores = tf.Variable([[1.0, -1.0], [50.0, -50.0]])
    with tf.GradientTape() as tape:
        loss = taught_emotion_loss(scores, t([[1, 0], [0, 0]]), 1.0) + taught_au_loss(
            scores, t([[1, 0], [np.nan, np.nan]]), 1.0
        )
    gradient = tape.gradient(loss, scores).numpy()
    assert np.isfinite(gradient).all() and (gradient[1] == 0).all() and (gradient[0] != 0).all()
