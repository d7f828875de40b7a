"""Backbones by name: Keras Applications networks without their top, input RGB in [-1, 1]."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from ..errors import InputError, ModelFileError
from .keras import keras

#: name -> (constructor, alphas with published ImageNet weights, file name pattern in Keras's cache)
BACKBONES = {
    "mobilenet_v1": (
        keras.applications.MobileNet,
        {0.25: "mobilenet_2_5_*", 0.5: "mobilenet_5_0_*", 0.75: "mobilenet_7_5_*", 1.0: "mobilenet_1_0_*"},
        "{alpha}_tf_no_top.h5",
    ),
    "mobilenet_v2": (
        keras.applications.MobileNetV2,
        {a: f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{a}_*" for a in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)},
        "{alpha}_no_top.h5",
    ),
}

#: (name, alpha) -> backbone weights that come with the package, trained on faces; assets/README.md says how.
_FACES = {("mobilenet_v1", 0.25): "mobilenet_v1_0.25_faces.h5"}


def build_backbone(name: str, alpha: float, size: int, weights: str | None) -> keras.Model:
    """A backbone whose output is its last feature map, (N, size/32, size/32, channels).

    Args:
        name: a key of :data:`BACKBONES`.
        alpha: width multiplier, 0.25 to 1.0 (1.4 for v2).
        size: input side in pixels, 96 to 224 in the papers; any multiple of 32 from 32 up works.
        weights: "imagenet"; "faces", which comes with the package for :data:`_FACES`; the path of a Keras "no_top"
            weights file; or None for random weights.

    Raises:
        InputError: unknown name or alpha, or the ImageNet weights are neither cached nor downloadable.
        ModelFileError: the weights file does not fit.
    """
    if name not in BACKBONES:
        raise InputError(f"unknown backbone {name!r}; choose from: {', '.join(BACKBONES)}")
    constructor = BACKBONES[name][0]
    if not 0.1 <= alpha <= 1.4:
        raise InputError(f"alpha {alpha} is not in 0.1..1.4")
    named = {"imagenet": _imagenet_file, "faces": _faces_file}
    path = named[weights](name, alpha) if weights in named else weights
    model = constructor(input_shape=(size, size, 3), alpha=alpha, include_top=False, weights=None)
    if path is not None:
        try:
            model.load_weights(str(path))
        except (OSError, ValueError) as error:
            raise ModelFileError(
                f"{path} does not fit {name} with alpha {alpha}: {str(error).splitlines()[0]}"
            ) from None
    return model


def _faces_file(name: str, alpha: float) -> Path:
    if (name, alpha) not in _FACES:
        known = ", ".join(f"{n} with alpha {a}" for n, a in _FACES)
        raise InputError(f"there are no 'faces' weights for {name} with alpha {alpha}; there are for: {known}")
    return Path(__file__).parents[1] / "assets" / _FACES[name, alpha]


def _imagenet_file(name: str, alpha: float) -> Path:
    """The ImageNet weights in Keras's cache (convolutions do not depend on the input size), or downloaded there."""
    constructor, patterns, ending = BACKBONES[name]
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    if alpha not in patterns:
        raise InputError(
            f"there are no ImageNet weights for {name} with alpha {alpha}; published: "
            f"{', '.join(map(str, patterns))}. Choose one of them, or weights = 'none', or a weights file"
        )
    pattern = ending.format(alpha=patterns[alpha])
    found = sorted(cache.glob(pattern))
    if found:
        return found[-1]
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress on stdout, where --json is read
            constructor(input_shape=(224, 224, 3), alpha=alpha, include_top=False, weights="imagenet")
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
