from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.fingerprints import fingerprints, shared_images
from fermobile.data.images import encode_image
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset


@pytest.fixture
def write(tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Callable[..., Dataset]:
    """``write("name", [(seed, gain), …])`` writes one image file each."""

    def write(name: str, images: list[tuple[int, float]]) -> Dataset:
        with write_dataset(tmp_path / name, DatasetInfo(name)) as writer:
            for i, (seed, gain) in enumerate(images):
                image = (smooth_image(seed, channels=3) * gain).astype(np.uint8)
                writer.add_file(f"{i}.png", encode_image(image, ".png"), split="train")
        return Dataset(tmp_path / name)

    return write


def test_shared_images_are_equal_ones_near_ones_and_copies_of_near_ones(write: Callable[..., Dataset]) -> None:
    first = write("first", [(1, 1), (2, 1), (1, 1), (3, 1)])
    second = write("second", [(9, 1), (2, 0.8), (3, 1), (2, 0.8), (2, 0.7), (8, 1), (8, 1)])
    pairs = shared_images(fingerprints(first, first.indices()), fingerprints(second, second.indices()))
    assert pairs.tolist() == [[1, 1], [3, 2], [1, 3], [1, 4]]


def test_rows_are_those_of_the_dataset(write: Callable[..., Dataset]) -> None:
    first, second = write("first", [(1, 1), (2, 1)]), write("second", [(9, 1), (8, 1), (2, 1)])
    prints = fingerprints(second, np.array([2, 0]))
    assert prints.rows.tolist() == [2, 0]
    assert shared_images(fingerprints(first, np.array([1])), prints).tolist() == [[1, 2]]
    nothing = np.empty(0, np.int64)
    assert shared_images(fingerprints(first, nothing), prints).shape == (0, 2)
    assert shared_images(prints, fingerprints(first, nothing)).shape == (0, 2)


def test_an_unreadable_image_is_told_and_left_out(write: Callable[..., Dataset]) -> None:
    dataset = write("set", [(1, 1), (2, 1), (3, 1)])
    (dataset.folder / "images/1.png").write_bytes(b"")
    told: list[int] = []
    prints = fingerprints(dataset, dataset.indices(), told.append)
    assert (prints.rows.tolist(), len(prints.digests), prints.thumbnails.shape) == ([0, 2], 2, (2, 256))
    assert list(prints.unreadable) == [1] and "the file is empty" in prints.unreadable[1]
    assert sum(told) == 3
