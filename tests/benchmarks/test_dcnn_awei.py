from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

Load = Callable[[str], ModuleType]
_TINY = {
    "network.backbone": "mobilenet_v1",
    "network.alpha": 0.25,
    "network.size": 32,
    "tune.epochs": 1,
    "tune.batch": 8,
}


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    info = DatasetInfo("faces", ("neutral", "happiness"), licence="CC0")
    with write_dataset(tmp_path / "faces", info) as writer:
        for i in range(48):
            image = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            split = ("train", "train", "val", "test")[i % 4]
            writer.add_array(image, split=split, emotion=info.emotions[i // 4 % 2])
    return Dataset(tmp_path / "faces")


def test_a_part_keeps_all_but_training_faces(script: Load, data: Dataset, tmp_path: Path) -> None:
    part = script("papers/dcnn_awei.py").part(data, 10, tmp_path)
    assert [len(part.indices(split)) for split in ("train", "val", "test")] == [10, 12, 12]
    shown = {image.tobytes() for image in map(part.image, part.indices("train"))}
    assert shown <= {image.tobytes() for image in map(data.image, data.indices("train"))}
    for split in ("val", "test"):
        for a, b in zip(part.indices(split), data.indices(split), strict=True):
            np.testing.assert_array_equal(part.image(a), data.image(b))
            assert part.emotion[a] == data.emotion[b]


@pytest.mark.slow
def test_a_system_runs_once_after_those_that_it_starts_from(
    script: Load, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = script("papers/dcnn_awei.py")
    monkeypatch.setattr(bench, "Record", lambda table: script("papers/record.py").Record(table, tmp_path / "rows"))
    tiny = {"ResNet-18": bench.System("dcnn", "resnet18_fer2013", _TINY)}
    tiny["then SCN"] = bench.System("dcnn", "resnet18_self_cure", _TINY, {"network.weights": "ResNet-18"})
    monkeypatch.setattr(bench, "SYSTEMS", tiny)
    folder = bench.finish("then SCN", data, tmp_path)
    written = (tmp_path / "rows" / "dcnn.jsonl").read_text()
    assert bench.finish("then SCN", data, tmp_path) == folder
    rows = script("papers/record.py").Record("dcnn", tmp_path / "rows").rows()
    assert (tmp_path / "rows" / "dcnn.jsonl").read_text() == written
    assert [(row["setting"]["system"], row["setting"]["faces"]) for row in rows] == [
        ("ResNet-18", 24),
        ("then SCN", 24),
    ]
    assert [row["figures"]["test"]["n"] for row in rows] == [12, 12]


def test_every_system_has_a_valid_recipe(script: Load, tmp_path: Path) -> None:
    bench = script("papers/dcnn_awei.py")
    for system in bench.SYSTEMS.values():
        assert set(system.runs.values()) <= set(bench.SYSTEMS)
        recipe = bench.recipe_of(system, dict.fromkeys(system.runs, tmp_path))
        assert recipe.network.weights in ("none", str(tmp_path))
