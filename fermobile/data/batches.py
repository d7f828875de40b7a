"""Images of a dataset as tf.data batches of the contract's float32 input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract import InputSpec
from ..models.keras import tf
from .augment import NONE, Augment, augmented
from .images import normalise, resize_square
from .manifest import Dataset


def view(dataset: Dataset, index: int, size: int, how: Augment, seed: Sequence[int]) -> np.ndarray:
    """One uint8 view (size, size, 3) of row ``index``; ``seed`` and the row alone decide how it is augmented."""
    image = dataset.image(index)
    if how == NONE:
        return resize_square(image, size)
    return augmented(image, size, how, np.random.default_rng([*seed, index]))


def batches(
    dataset: Dataset, rows: np.ndarray, spec: InputSpec, batch: int, how: Augment = NONE, seed: Sequence[int] = (0,)
) -> tf.data.Dataset:
    """Batches (positions int64 (B,), images float32 (B, size, size, 3)) over ``rows`` in their order.

    Args:
        dataset: where the images are.
        rows: row numbers of the dataset, int64.
        spec: size and normalisation.
        batch: images per batch; the last one may be smaller.
        how: augmentation, or :data:`~fermobile.data.augment.NONE` for the image as every later stage sees it.
        seed: with the row number it decides each view.

    Returns:
        A tf.data.Dataset; ``positions`` index into ``rows``.
    """

    def load(positions: np.ndarray) -> np.ndarray:
        images = [view(dataset, int(rows[p]), spec.size, how, seed) for p in positions]
        return normalise(np.stack(images), spec)

    def mapped(positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(load, [positions], tf.float32, stateful=False)
        return positions, tf.ensure_shape(images, (None, spec.size, spec.size, 3))

    # Nothing is left to tune here, and the tuner keeps the end of an epoch waiting for its next round, up to a minute.
    fixed = tf.data.Options()
    fixed.autotune.enabled = False
    source = tf.data.Dataset.from_tensor_slices(np.arange(len(rows), dtype=np.int64)).batch(batch)
    return source.map(mapped, num_parallel_calls=2, deterministic=True).prefetch(2).with_options(fixed)
