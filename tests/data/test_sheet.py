"""The contact sheet shows the right faces in the right places."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.data.sheet import contact_sheet


def flat(level: int) -> np.ndarray:
    return np.full((16, 16), level, np.uint8)


def levels(cells: np.ndarray) -> set[int]:
    return set(np.unique(cells).tolist())


def test_rows_are_classes_and_columns_splits(tmp_path: Path) -> None:
    info = DatasetInfo("s", emotions=("fear", "anger"), action_units=("AU12",))
    with write_dataset(tmp_path / "s", info) as writer:
        for _ in range(3):
            writer.add_array(flat(60), split="train", emotion="fear")
            writer.add_array(flat(120), split="test", emotion="anger", aus={"AU12": 1})
        writer.add_array(flat(180), split="train", emotion="anger", aus={"AU12": 0})
    sheet = contact_sheet(Dataset(tmp_path / "s"), per_class=2)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (22 + 3 * 64, 110 + 2 * 144, 3)
    fear, anger, smile = (sheet[22 + 64 * i : 22 + 64 * (i + 1), 110:] for i in range(3))
    assert (levels(fear[:, :128]), levels(fear[:, 144:])) == ({60}, {255})
    assert levels(anger[:, :64]) == {180}
    assert levels(anger[:, 144:272]) == {120}
    assert (levels(smile[:, :144]), levels(smile[:, 144:272])) == ({255}, {120})


def test_unreadable_faces_and_unlabelled_sets(tmp_path: Path) -> None:
    with write_dataset(tmp_path / "s", DatasetInfo("s")) as writer:
        writer.add_file("broken.png", b"", split="val")
        writer.add_array(flat(90), split="val")
    sheet = contact_sheet(Dataset(tmp_path / "s"), per_class=2)
    assert levels(sheet[22:, 110:174]) == {90}
    assert levels(sheet[22:, 174:]) == {255}
