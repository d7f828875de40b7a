from __future__ import annotations

import numpy as np
import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.errors import DatasetError
from fermobile.export.calibration_set import balanced_rows, draw_calibration_set

CONTRACT = ModelContract("m", ("neutral", "anger"), (), InputSpec(16))


def write(folder, train: int, test: int = 5) -> Dataset:
    rng = np.random.default_rng(0)
    with write_dataset(folder, DatasetInfo("d", ("neutral", "anger"))) as writer:
        for i in range(train + test):
            split = "train" if i < train else "test"
            value = rng.integers(60, 90) if split == "train" else 250  # test images are the only bright ones
            image = np.full((16, 16), value, np.uint8)
            writer.add_array(image, split=split, emotion="anger" if i % 10 == 0 else "neutral")
    return Dataset(folder)


def test_a_small_train_split_is_refused(tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"99 images; a calibration set needs at least 100"):
        draw_calibration_set(write(tmp_path / "d", 99), CONTRACT)


def test_it_never_holds_test_images_and_reaches_black_and_white(tmp_path) -> None:
    drawn = draw_calibration_set(write(tmp_path / "d", 120, test=200), CONTRACT)
    assert drawn.inputs.shape == (120, 16, 16, 3)
    assert drawn.inputs.dtype == np.float32
    assert (drawn.inputs.min(), drawn.inputs.max()) == (-1.0, 1.0)
    assert drawn.inputs[1:].max() < 0
    assert drawn.provenance()["split"] == "train"


def test_the_hash_speaks_of_the_images_chosen(tmp_path) -> None:
    data = write(tmp_path / "d", 150)
    assert draw_calibration_set(data, CONTRACT).sha256 == draw_calibration_set(data, CONTRACT).sha256
    assert draw_calibration_set(data, CONTRACT).sha256 != draw_calibration_set(data, CONTRACT, count=110).sha256


def test_classes_take_turns_until_they_run_out() -> None:
    classes = ["a"] * 100 + ["b"] * 10 + ["c"] * 40
    chosen = np.array(classes)[balanced_rows(classes, 60)]
    assert {name: int((chosen == name).sum()) for name in "abc"} == {"a": 25, "b": 10, "c": 25}
    np.testing.assert_array_equal(balanced_rows(classes, 60), balanced_rows(classes, 60))
    assert len(balanced_rows(classes, 1000)) == 150
