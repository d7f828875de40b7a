from __future__ import annotations

import numpy as np
import pytest

from fermobile.models.keras import keras
from fermobile.models.network import NetworkSpec, build_network
from fermobile.models.rewrites import fold_head, level_depthwise

UNITS = {"emotion": 2, "au": 3}


def network(backbone: str = "mobilenet_v1") -> keras.Model:
    """Every BatchNormalization has statistics of its own, as after training."""
    keras.utils.set_random_seed(0)
    alpha = 0.35 if backbone.startswith("mobilenet") else 1.0
    model = build_network(NetworkSpec(backbone, alpha, 32, ("neutral", "happiness"), ("AU4", "AU12", "AU25")))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape).astype(np.float32) for w in layer.get_weights()])
    return model


X = np.random.default_rng(1).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)


def answers(model: keras.Model) -> np.ndarray:
    return np.concatenate([o.numpy() for o in model(X)], axis=1)


def temper(model: keras.Model) -> None:
    """Scale the last layers so that no score is so near 0 or 1 that a difference could hide there."""
    for head in UNITS:
        layer = model.get_layer(f"{head}_logits")
        kernel, bias = layer.get_weights()
        largest = np.abs(keras.Model(model.input, layer.output)(X)).max()
        layer.set_weights([kernel * 3 / largest, bias * 3 / largest])


@pytest.mark.parametrize("backbone", ["mobilenet_v1", "resnet18", "awei"])
def test_the_folded_head_is_the_same_function(backbone: str) -> None:
    model = network(backbone)
    temper(model)
    np.testing.assert_allclose(answers(model), answers(fold_head(model, UNITS)), atol=2e-6)


@pytest.mark.parametrize("backbone", ["mobilenet_v1", "mobilenet_v2"])
def test_levelled_kernels_are_the_same_function(backbone: str) -> None:
    model = network(backbone)
    depthwise = [layer for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    weak = depthwise[3].get_weights()[0]
    weak[:, :, 0] = 0  # a dead channel
    weak[:, :, 1] *= 1e-3
    depthwise[3].set_weights([weak])
    before = answers(model)
    level_depthwise(model)
    np.testing.assert_allclose(answers(model), before, atol=5e-6)
    for layer in depthwise:
        largest = np.abs(layer.get_weights()[0]).max(axis=(0, 1, 3))
        dead = 1 if layer is depthwise[3] else 0
        assert sorted(largest) == pytest.approx([0] * dead + [1] * (len(largest) - dead))
