"""Fingerprints of many images, and which images of one set another set holds too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..errors import DatasetError, ImageError
from . import duplicates
from .manifest import Dataset

_BATCH = 1024


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of those images that can be read, see :mod:`fermobile.data.duplicates`.

    Attributes:
        rows: their row numbers in the dataset, int64 (N,); the others are aligned with it.
        digests: of their pixels.
        thumbnails: uint8 (N, 256).
        unreadable: row number -> why it cannot be read.
    """

    rows: np.ndarray
    digests: list[bytes]
    thumbnails: np.ndarray
    unreadable: dict[int, str]


def fingerprints(dataset: Dataset, rows: np.ndarray, advance: Callable[[int], None] = lambda n: None) -> Fingerprints:
    """Read the images of ``rows``; ``advance`` is told the images done."""

    def fingerprint(row: int) -> tuple[bytes, np.ndarray] | str:
        try:
            image = dataset.image(row)
        except (ImageError, DatasetError) as error:
            return str(error)
        return duplicates.digest(image), duplicates.thumbnail(image)

    read: list[int] = []
    digests: list[bytes] = []
    unreadable: dict[int, str] = {}
    thumbnails = np.empty((len(rows), duplicates.THUMBNAIL_SIZE), np.uint8)
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH].tolist()
            for row, result in zip(batch, pool.map(fingerprint, batch), strict=True):
                if isinstance(result, str):
                    unreadable[row] = result
                    continue
                thumbnails[len(read)] = result[1]
                read.append(row)
                digests.append(result[0])
            advance(len(batch))
    return Fingerprints(np.array(read, np.int64), digests, thumbnails[: len(read)], unreadable)


def shared_images(first: Fingerprints, second: Fingerprints) -> np.ndarray:
    """Pairs of equal or near-duplicate images of two sets.

    Returns:
        int64 (M, 2): a row of ``first`` and a row of ``second``, one pair for each image of ``second`` that ``first``
        holds too, in the order of ``second``.
    """
    count = len(first.rows)
    copies, near = duplicates.duplicate_pairs(
        [*first.digests, *second.digests], np.concatenate([first.thumbnails, second.thumbnails])
    )
    original = np.arange(count + len(second.rows))
    original[copies[:, 1]] = copies[:, 0]  # the first equal image; images of ``first`` come first
    partner = np.where(original < count, original, -1)
    for a, b in near.tolist():  # near duplicates are told among the first ones only, so for their copies too
        if a < count <= b:
            partner[b] = a
    second_original = original[count:]
    found = partner[second_original]
    chosen = np.flatnonzero(found >= 0)
    return np.stack([first.rows[found[chosen]], second.rows[chosen]], axis=1)
