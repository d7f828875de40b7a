"""The images that set the ranges of a post-training-quantized model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..contract import ModelContract
from ..data.images import normalise, resize_square
from ..data.manifest import Dataset
from ..errors import DatasetError

#: Fewer images than this say too little about the ranges of hidden layers.
MINIMUM = 100
DEFAULT = 256
_SEED = 0


@dataclass(frozen=True)
class CalibrationSet:
    """Images of a train split, as many of each class as there are.

    Attributes:
        inputs: float32 (N, size, size, 3), as the contract's input.
        sha256: over the rows chosen and their pixels.
        dataset: name of the dataset.
        dataset_sha256: its content hash.
    """

    inputs: np.ndarray
    sha256: str
    dataset: str
    dataset_sha256: str

    def provenance(self) -> dict[str, object]:
        """What the contract remembers of it."""
        return {
            "images": len(self.inputs),
            "sha256": self.sha256,
            "dataset": self.dataset,
            "dataset_sha256": self.dataset_sha256,
            "split": "train",
        }


def draw_calibration_set(dataset: Dataset, contract: ModelContract, count: int = DEFAULT) -> CalibrationSet:
    """Draw a class-balanced calibration set from the train split, never from val or test.

    Two pixels of the first image are set to black and white: the calibrator takes the input's range from the
    extremes it sees, and a uint8 pixel must be the input byte as it is.

    Raises:
        DatasetError: the train split has fewer than 100 images.
    """
    rows = dataset.indices("train")
    if len(rows) < MINIMUM:
        raise DatasetError(
            f"{dataset.folder}: the train split has {len(rows)} images; a calibration set needs at least {MINIMUM}"
        )
    chosen = balanced_rows(dataset.emotion[rows].astype(str), count)
    digest = hashlib.sha256()
    images = []
    for row in rows[chosen]:
        image = resize_square(dataset.image(int(row)), contract.input.size)
        digest.update(dataset.paths[row].encode() + b"\0" + image.tobytes())
        images.append(image)
    pixels = np.stack(images)
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    return CalibrationSet(normalise(pixels, contract.input), digest.hexdigest(), dataset.info.name, dataset.sha256)


def balanced_rows(classes: Sequence[str] | np.ndarray, count: int) -> np.ndarray:
    """Up to ``count`` positions, taking turns between the classes until one after the other is used up.

    Returns:
        int64, sorted; the same input gives the same rows.
    """
    rng = np.random.default_rng(_SEED)
    turn = np.empty(len(classes), np.int64)
    for name in sorted(set(classes)):
        members = np.flatnonzero(np.asarray(classes) == name)
        turn[members] = rng.permutation(len(members))
    order = np.lexsort((rng.permutation(len(classes)), turn))
    return np.sort(order[:count])
