"""Images no two of which look alike, of three emotions that their colour tells, and a network that tells colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.models.keras import keras

EMOTIONS = ("neutral", "happiness", "surprise")
CROP = CropSpec(0.4, 0.4)


def picture(seed: int, kind: int) -> np.ndarray:
    """A smooth random picture in red, green or blue, uint8 (32, 32, 3)."""
    coarse = np.random.default_rng(seed).integers(40, 256, (6, 6)).astype(np.float32)
    grey = cv2.resize(coarse, (32, 32), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    return (grey[..., None] * np.where(np.arange(3) == kind, 1.0, 0.3)).astype(np.uint8)


def write_colours(
    folder: Path, images: Sequence[tuple[int, int]], splits: Sequence[str], crop: CropSpec | None = CROP,
    emotions: Sequence[str] = EMOTIONS, labelled: bool = True,
    wrong: Mapping[int, str] | None = None,
) -> Dataset:  # fmt: skip
    """A dataset of (seed, kind) pictures; row i is of ``splits[i % len(splits)]``.

    ``wrong`` gives some rows another label than that of their colour.
    """
    info = DatasetInfo(folder.name, tuple(emotions) if labelled else (), licence="CC0", crop=crop)
    with write_dataset(folder, info) as writer:
        for i, (seed, kind) in enumerate(images):
            emotion = (wrong or {}).get(i, emotions[kind]) if labelled else ""
            writer.add_array(picture(seed, kind), split=splits[i % len(splits)], subject=f"s{seed}", emotion=emotion)
    return Dataset(folder)


def colour_network(sharpness: float) -> keras.Model:
    """Emotion scores of normalised images (N, 32, 32, 3): the softmax of ``sharpness`` times the mean colour."""
    image = keras.Input((32, 32, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, keras.layers.Softmax(name="emotion")(mean * sharpness))


def colour_scores(dataset: Dataset, rows: np.ndarray, sharpness: float) -> np.ndarray:
    """The same by numpy, float64 (N, 3)."""
    means = np.array([(dataset.image(int(row)) / 127.5 - 1).mean(axis=(0, 1)) for row in rows])
    scores = np.exp(sharpness * means)
    return scores / scores.sum(axis=1, keepdims=True)
