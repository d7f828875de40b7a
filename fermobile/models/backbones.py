"""Backbones by name: networks without their top, input RGB in [-1, 1].

One that was published for other values begins with a fixed 1x1 convolution that makes them (:data:`_INPUTS`), so that
the contract's normalisation is the same for every model.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError, ModelFileError
from .awei import awei
from .keras import keras
from .resnet import resnet18


@dataclass(frozen=True)
class Backbone:
    """How a backbone is built, and where its weights are.

    Attributes:
        network: a constructor of Keras Applications; a function from images to the feature map where ``imagenet`` is
            empty.
        input: which values it was published for, a key of :data:`_INPUTS`, or "signed" for [-1, 1].
        imagenet: alphas with published ImageNet weights -> pattern of the file's name in Keras's cache.
        scales: whether it has a width multiplier alpha.
        quantizes: whether tfmot can train it quantized; it knows no BatchNormalization ahead of its convolution.
    """

    network: Callable[..., keras.Model]
    input: str
    imagenet: Mapping[float, str] = field(default_factory=dict)
    scales: bool = False
    quantizes: bool = True


_V1 = {0.25: "mobilenet_2_5_*", 0.5: "mobilenet_5_0_*", 0.75: "mobilenet_7_5_*", 1.0: "mobilenet_1_0_*"}
_V2 = {a: f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{a}_*" for a in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)}
_ENDING = "_weights_tf_dim_ordering_tf_kernels_notop.h5"

BACKBONES = {
    "mobilenet_v1": Backbone(
        keras.applications.MobileNet, "signed", {a: f"{p}_tf_no_top.h5" for a, p in _V1.items()}, scales=True
    ),
    "mobilenet_v2": Backbone(
        keras.applications.MobileNetV2, "signed", {a: f"{p}_no_top.h5" for a, p in _V2.items()}, scales=True
    ),
    "densenet121": Backbone(keras.applications.DenseNet121, "torch", {1.0: f"densenet121{_ENDING}"}, quantizes=False),
    "densenet201": Backbone(keras.applications.DenseNet201, "torch", {1.0: f"densenet201{_ENDING}"}, quantizes=False),
    "resnet18": Backbone(resnet18, "torch"),
    "vgg16": Backbone(keras.applications.VGG16, "caffe", {1.0: f"vgg16{_ENDING}"}),
    "awei": Backbone(awei, "unit"),
}

#: MobileNet-v2 was published with 0.999, which keeps two thirds of ImageNet's statistics over 400 steps of fine-tuning.
_MOMENTUM = 0.99

_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

#: input -> kernel (RGB in, channels out) and bias that make its values of RGB in [-1, 1]
_INPUTS = {
    "unit": (np.eye(3) / 2, np.full(3, 0.5)),  # [0, 1]
    "torch": (np.diag(0.5 / _STD), (0.5 - _MEAN) / _STD),  # [0, 1], less ImageNet's mean, by its deviation
    "caffe": (127.5 * np.eye(3)[::-1], 127.5 - np.array([103.939, 116.779, 123.68])),  # BGR bytes less their mean
}

#: (name, alpha) -> backbone weights that come with the package, trained on faces; assets/README.md says how.
_FACES = {("mobilenet_v1", 0.25): "mobilenet_v1_0.25_faces.h5"}


def build_backbone(
    name: str, alpha: float, size: int, weights: str | None, images: keras.KerasTensor | None = None
) -> keras.Model:
    """A backbone whose output is its last feature map, (N, size/32, size/32, channels).

    Args:
        name: a key of :data:`BACKBONES`.
        alpha: width multiplier, 0.25 to 1.0 (1.4 for v2); 1.0 for the networks that have none.
        size: input side in pixels, 96 to 224 in the papers; any multiple of 32 from 32 up works.
        weights: "imagenet"; "faces", which comes with the package for :data:`_FACES`; the path of a Keras "no_top"
            weights file; or None for random weights.
        images: the tensor it reads, (N, size, size, 3); None makes a new input.

    Raises:
        InputError: unknown name or alpha, or the ImageNet weights are neither cached nor downloadable.
        ModelFileError: the weights file does not fit.
    """
    if name not in BACKBONES:
        raise InputError(f"unknown backbone {name!r}; choose from: {', '.join(BACKBONES)}")
    backbone = BACKBONES[name]
    if not backbone.scales and alpha != 1:
        scaling = ", ".join(n for n, b in BACKBONES.items() if b.scales)
        raise InputError(f"{name} has no width multiplier: alpha must be 1.0, not {alpha} (those that have: {scaling})")
    if not 0.1 <= alpha <= 1.4:
        raise InputError(f"alpha {alpha} is not in 0.1..1.4")
    named = {"imagenet": _imagenet_file, "faces": _faces_file}
    path = named[weights](name, alpha) if weights in named else weights
    images = keras.Input((size, size, 3)) if images is None else images
    published = _published_input(name, images)
    if backbone.imagenet:
        width = {"alpha": alpha} if backbone.scales else {}
        output = backbone.network(input_tensor=published, include_top=False, weights=None, **width).output
    else:
        output = backbone.network(published)
    if path is not None:
        try:
            keras.Model(published, output).load_weights(str(path))
        except (OSError, ValueError) as error:
            raise ModelFileError(
                f"{path} does not fit {name} with alpha {alpha}: {str(error).splitlines()[0]}"
            ) from None
    model = keras.Model(images, output, name=name)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MOMENTUM)
    return model


def _published_input(name: str, images: keras.KerasTensor) -> keras.KerasTensor:
    """Images in [-1, 1] as the backbone was published for."""
    if BACKBONES[name].input == "signed":
        return images
    kernel, bias = _INPUTS[BACKBONES[name].input]
    layer = keras.layers.Conv2D(3, 1, trainable=False, name=f"{name}_input")
    converted = layer(images)
    layer.set_weights([kernel[None, None], bias])
    return converted


def _faces_file(name: str, alpha: float) -> Path:
    if (name, alpha) not in _FACES:
        known = ", ".join(f"{n} with alpha {a}" for n, a in _FACES)
        raise InputError(f"there are no 'faces' weights for {name} with alpha {alpha}; there are for: {known}")
    return Path(__file__).parents[1] / "assets" / _FACES[name, alpha]


def _imagenet_file(name: str, alpha: float) -> Path:
    """The ImageNet weights in Keras's cache (convolutions do not depend on the input size), or downloaded there."""
    backbone = BACKBONES[name]
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    if not backbone.imagenet:
        raise InputError(
            f"Keras publishes no ImageNet weights for {name}. Choose weights = 'none', or a weights file or run folder"
        )
    if alpha not in backbone.imagenet:
        raise InputError(
            f"there are no ImageNet weights for {name} with alpha {alpha}; published: "
            f"{', '.join(map(str, backbone.imagenet))}. Choose one of them, or weights = 'none', or a weights file"
        )
    pattern = backbone.imagenet[alpha]
    found = sorted(cache.glob(pattern))
    if found:
        return found[-1]
    width = {"alpha": alpha} if backbone.scales else {}
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress on stdout, where --json is read
            backbone.network(input_shape=(224, 224, 3), include_top=False, weights="imagenet", **width)
    except Exception as error:
        raise InputError(
            f"the ImageNet weights of {name} (alpha {alpha}) are not in {cache} and could not be downloaded "
            f"({type(error).__name__}). Put a file {pattern} there (the environment variable KERAS_HOME moves the "
            "cache), or pass a weights file with --weights PATH, or train from random weights with --weights none"
        ) from None
    found = sorted(cache.glob(pattern)) or sorted((Path.home() / ".keras" / "models").glob(pattern))
    if not found:
        raise InputError(f"Keras downloaded the weights of {name}, but not to {cache}")
    return found[-1]
