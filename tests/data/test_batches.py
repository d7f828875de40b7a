from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import InputSpec
from fermobile.data.augment import Augment
from fermobile.data.batches import batches
from fermobile.data.images import normalise, resize_square
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    with write_dataset(tmp_path / "d", DatasetInfo("d", ("neutral",))) as writer:
        for _ in range(7):
            writer.add_array(rng.integers(0, 256, (48, 48)).astype(np.uint8), split="train", emotion="neutral")
    return Dataset(tmp_path / "d")


def test_plain_batches_are_what_every_later_stage_sees(dataset: Dataset) -> None:
    spec, rows = InputSpec(64), np.array([5, 0, 3])
    parts = list(batches(dataset, rows, spec, 2))
    assert [p.numpy().tolist() for p, _ in parts] == [[0, 1], [2]]
    images = np.concatenate([i.numpy() for _, i in parts])
    expected = normalise(np.stack([resize_square(dataset.image(r), 64) for r in rows]), spec)
    np.testing.assert_array_equal(images, expected)


def test_a_view_depends_on_seed_and_row_alone(dataset: Dataset) -> None:
    def views(rows: list[int], batch: int, seed: int) -> dict[int, np.ndarray]:
        found = batches(dataset, np.array(rows), InputSpec(64), batch, Augment(), (seed,))
        return {rows[int(p)]: x for ps, xs in found for p, x in zip(ps.numpy(), xs.numpy(), strict=True)}

    first, second = views([0, 1, 2, 3], 4, 1), views([3, 1], 1, 1)
    for row, image in second.items():
        np.testing.assert_array_equal(image, first[row])
    assert not np.array_equal(views([0], 1, 2)[0], first[0])


def test_the_end_of_an_epoch_does_not_wait_for_tf_datas_tuner(dataset: Dataset) -> None:
    """Its thread looks up at 10 ms, 20 ms, 40 ms … only, and an iterator waits for it when it ends."""
    assert batches(dataset, np.arange(2), InputSpec(size=32), 2).options().autotune.enabled is False
