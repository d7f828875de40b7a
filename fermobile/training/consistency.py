"""Erasing attention consistency against noisy labels (EAC; Zhang et al. 2022, "Learn From All").

A network that fits a wrong label does so by what is peculiar to one view of the face.  It is asked to look at the
same places of a face and of its mirror image, while random erasing (``augment.erase``) keeps it from looking at one
place only: CE + λ · MSE(CAM(x), flip(CAM(flip x))), equation 3 with λ = 5.
"""

from __future__ import annotations

from collections.abc import Callable

from ..models.keras import keras, tf


def activation_maps(norm: keras.layers.BatchNormalization, logits: keras.layers.Dense) -> Callable:
    """A function from the last feature map (N, h, w, C) to class activation maps (N, h, w, classes).

    Zhou et al. 2016, with the head's BatchNormalization and ReLU before its dense layer applied at every place
    (with the moving statistics, as in inference).  The maps teach what is seen, not what it means, so the head gets no
    gradient from them, as in the authors' code: they would agree the better, the smaller its weights.
    """
    gamma, beta, kernel = norm.gamma, norm.beta, logits.kernel

    def maps(features: tf.Tensor) -> tf.Tensor:
        scale = tf.stop_gradient(gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon))
        active = tf.nn.relu((features - norm.moving_mean) * scale + tf.stop_gradient(beta))
        return tf.einsum("nhwc,ck->nhwk", active, tf.stop_gradient(kernel))

    return maps


def consistency_loss(maps: tf.Tensor) -> tf.Tensor:
    """Mean squared difference between maps of faces and of their mirror images: maps (2B, h, w, classes); a scalar.

    Args:
        maps: those of B faces, then those of their mirror images.
    """
    own, mirrored = tf.split(maps, 2)
    return tf.reduce_mean(tf.square(own - tf.reverse(mirrored, axis=[2])))
