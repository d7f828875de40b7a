"""Losses on raw scores (logits), masked where a row is unlabelled."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.keras import tf


def emotion_loss(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Weighted cross-entropy with soft targets: logits and target (B, C), weight (B,); a scalar."""
    each = tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits)
    return tf.math.divide_no_nan(tf.reduce_sum(each * weight), tf.reduce_sum(tf.cast(weight > 0, tf.float32)))


def au_loss(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Weighted binary cross-entropy over the labelled cells: all (B, A); a scalar."""
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    return tf.math.divide_no_nan(tf.reduce_sum(each * weight), tf.reduce_sum(tf.cast(weight > 0, tf.float32)))


def total_loss(heads: Sequence[str], logits: Sequence[tf.Tensor], targets: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of the heads' losses.

    Args:
        heads: "emotion" and/or "au", in the order of ``logits``.
        logits: one (B, labels) tensor per head.
        targets: emotion (B, C), emotion weight (B,), AU (B, A), AU weight (B, A).
    """
    emotion, emotion_weight, au, au_weight = targets
    loss = tf.constant(0.0)
    for head, scores in zip(heads, logits, strict=True):
        if head == "emotion":
            loss += emotion_loss(scores, emotion, emotion_weight)
        else:
            loss += au_loss(scores, au, au_weight)
    return loss
