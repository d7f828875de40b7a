"""Rewrites that leave what a network computes as it is, and make it fit for eight bits."""

from __future__ import annotations

import numpy as np

from .keras import keras
from .network import heads, outputs


def level_depthwise(model: keras.Model) -> None:
    """Scale every depthwise kernel that a BatchNormalization follows to a largest value of 1 per channel, in place.

    tfmot quantizes a depthwise kernel with one scale for all of its channels, whose ranges differ by orders of
    magnitude; the weak channels of a trained MobileNet keep two or three bits (Nagel et al. 2019, section 3).  The
    BatchNormalization takes the factors up, so the network computes the same: with s the factor, its moving mean
    becomes mean / s and its gamma becomes gamma * s.
    """
    for layer in model.layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        before = layer.inbound_nodes[0].inbound_layers
        if not isinstance(before, keras.layers.DepthwiseConv2D):
            continue
        (kernel,) = before.get_weights()  # (height, width, channels, 1); BatchNormalization is its bias
        gamma, beta, mean, variance = layer.get_weights()
        largest = np.abs(kernel).max(axis=(0, 1, 3))
        largest[largest == 0] = 1
        before.set_weights([kernel / largest[:, None]])
        layer.set_weights([gamma * largest, beta, mean / largest, variance])


def fold_head(model: keras.Model, units: dict[str, int]) -> keras.Model:
    """The same function with the head's BatchNormalization as a 1x1 depthwise convolution, without dropout.

    tfmot refuses a BatchNormalization behind Global Average Pooling; written this way every layer of the
    head quantizes and no float island is left.  ``units`` maps each head to its number of labels.
    """
    if any(layer.name == "head_bn" for layer in model.layers):
        x = _folded_norm(model)
    else:  # Awei's head has none
        x = model.get_layer("head_dense")(model.get_layer("head_features").output)
    folded = keras.Model(model.input, outputs(x, units.get("emotion", 0), units.get("au", 0)), name=model.name)
    for head in heads(model):
        folded.get_layer(f"{head}_logits").set_weights(model.get_layer(f"{head}_logits").get_weights())
    return folded


def _folded_norm(model: keras.Model) -> keras.KerasTensor:
    gap, norm = model.get_layer("head_gap"), model.get_layer("head_bn")
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / (variance + norm.epsilon) ** 0.5
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="head_gap")(gap.input)
    depthwise = keras.layers.DepthwiseConv2D(1, use_bias=True, name="head_scale")
    x = keras.layers.ReLU(name="head_relu")(depthwise(x))
    depthwise.set_weights([scale.reshape(1, 1, -1, 1), beta - mean * scale])
    return keras.layers.Flatten(name="head_flatten")(x)
