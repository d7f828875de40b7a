"""Awei (Liu 2023): five convolutions with a residual jump over all of them, and the features of a frozen VGG-16."""

from __future__ import annotations

from .keras import keras

_FILTERS = (32, 64, 128, 256, 512)


def awei(x: keras.KerasTensor) -> keras.KerasTensor:
    """The feature map (N, size/32, size/32, 512) of images (N, size, size, 3).

    Each 3x3 convolution is followed by ReLU and 2x2 max pooling.  The jump is max pooled 32x32 *before* its 3x3
    convolution, not behind it: the weights are as many, and no map of 512 channels at full size is computed.
    """
    jump = keras.layers.MaxPooling2D(32, name="awei_jump_pool")(x)
    jump = keras.layers.Conv2D(512, 3, padding="same", name="awei_jump")(jump)
    for i, filters in enumerate(_FILTERS, start=1):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"awei_conv{i}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"awei_pool{i}")(x)
    return keras.layers.Add(name="awei_add")([x, jump])


def awei_features(x: keras.KerasTensor, vgg: keras.KerasTensor | None) -> keras.KerasTensor:
    """The feature map flattened, with VGG-16's of the same shape added where there is one."""
    if vgg is None:
        return keras.layers.Flatten(name="head_features")(x)
    flat = [keras.layers.Flatten(name="head_flatten")(x), keras.layers.Flatten(name="head_flatten_vgg")(vgg)]
    return keras.layers.Add(name="head_features")(flat)


def awei_head(features: keras.KerasTensor, dropout: keras.layers.Dropout) -> keras.KerasTensor:
    """Dropout and a dense layer of 1792 (ReLU: the paper names no activation); the labels' dense layer follows."""
    return keras.layers.Dense(1792, activation="relu", name="head_dense")(dropout(features))
