"""Losses of the heads on raw scores (logits), masked where a row is unlabelled; those of action units: au_losses."""

from __future__ import annotations

from typing import NamedTuple

from ..models.keras import tf


class TargetTensors(NamedTuple):
    """The targets of a batch, as :class:`fermobile.training.targets.Targets` says them, as tensors."""

    emotion: tf.Tensor
    emotion_weight: tf.Tensor
    au: tf.Tensor
    au_weight: tf.Tensor
    taught_emotion: tf.Tensor
    taught_au: tf.Tensor


def emotion_loss(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Weighted cross-entropy with soft targets: logits and target (B, C), weight (B,); a scalar."""
    each = tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits)
    return tf.math.divide_no_nan(tf.reduce_sum(each * weight), tf.reduce_sum(tf.cast(weight > 0, tf.float32)))


def taught_emotion_loss(logits: tf.Tensor, taught: tf.Tensor, temperature: float) -> tf.Tensor:
    """Cross-entropy against a teacher's softened answers, times T² (Hinton et al. 2015, section 2); a scalar.

    Args:
        logits: (B, C) of the student.
        taught: (B, C), the teacher's probabilities at ``temperature``; rows of zeros were not taught.
        temperature: T, by which the logits are divided too.
    """
    taught_rows = tf.cast(tf.reduce_sum(taught, axis=1) > 0, tf.float32)
    return temperature**2 * emotion_loss(logits / temperature, taught, taught_rows)


def taught_au_loss(logits: tf.Tensor, taught: tf.Tensor, temperature: float) -> tf.Tensor:
    """The same per action unit: a teacher's softened answers in ``taught`` (B, A), NaN where there are none."""
    known = tf.math.is_finite(taught)
    each = tf.nn.sigmoid_cross_entropy_with_logits(tf.where(known, taught, 0.0), logits / temperature)
    weight = tf.cast(known, tf.float32)
    return temperature**2 * tf.math.divide_no_nan(tf.reduce_sum(each * weight), tf.reduce_sum(weight))
