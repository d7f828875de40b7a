from __future__ import annotations

import numpy as np
import pytest

from fermobile.models.keras import keras, tf
from fermobile.training.consistency import activation_maps, consistency_loss


def test_mirrored_maps_cost_nothing_and_others_their_mean_squared_difference() -> None:
    own = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    assert float(consistency_loss(tf.constant(np.concatenate([own, own[:, :, ::-1]])))) == 0
    assert float(consistency_loss(tf.constant(np.concatenate([own, own[:, :, ::-1] + 2])))) == pytest.approx(4, 1e-5)


def test_maps_are_the_logits_before_pooling() -> None:
    """Where all places look alike, a map's value plus the bias is the class's logit."""
    features = keras.Input((6,))
    norm, dense = keras.layers.BatchNormalization(), keras.layers.Dense(3)
    model = keras.Model(features, dense(keras.layers.ReLU()(norm(features))))
    rng = np.random.default_rng(1)
    for layer in (norm, dense):
        layer.set_weights([rng.uniform(0.1, 1, w.shape) for w in layer.get_weights()])
    pooled = rng.normal(size=(2, 6)).astype(np.float32)
    maps = activation_maps(norm, dense)(tf.constant(np.tile(pooled[:, None, None], (1, 2, 2, 1))))
    expected = np.tile((model(pooled).numpy() - dense.bias.numpy())[:, None, None], (1, 2, 2, 1))
    np.testing.assert_allclose(maps.numpy(), expected, rtol=1e-4)
