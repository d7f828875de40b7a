from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

Load = Callable[[str], ModuleType]
EMOTIONS = ("neutral", "happiness")


def row(accuracy: float, **f1: float) -> dict[str, Any]:
    same = dict.fromkeys(("macro_f1", "weighted_f1", "mean_recall"), accuracy)
    return {"figures": {"val": {"accuracy": accuracy, **same, "per_class_f1": f1}}}


def test_gains_are_between_means_and_the_classes_that_lost_are_named(script: Load) -> None:
    module = script("papers/pseudo_labels.py")
    before = [row(0.5, neutral=0.6, fear=0.4), row(0.7, neutral=0.8, fear=0.2)]
    lines = list(module.compared(before, [row(0.65, neutral=0.75, fear=0.25)], "val"))
    assert lines[0] == "accuracy 0.600 -> 0.650 (+5.0 points)"
    assert lines[-2:] == ["fear       0.300 -> 0.250", "lost: fear (-5.0 points)"]
    assert list(module.compared(before, before, "val"))[-1] == "lost: none"


@pytest.fixture
def faces(tmp_path: Path) -> Dataset:
    """Smooth random pictures, dark or bright by their emotion."""
    rng = np.random.default_rng(0)
    info = DatasetInfo("faces", EMOTIONS, (), EMOTIONS, "CC0", crop=CropSpec(0.4, 0.4))
    with write_dataset(tmp_path / "faces", info) as writer:
        for i in range(120):
            coarse = rng.integers(0, 120, (6, 6)).astype(np.float32) + 130 * (i % 2)
            image = cv2.resize(coarse, (32, 32), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
            votes = tuple(float(k == i % 2) for k in range(2))
            split = ("train", "train", "train", "val", "test")[i // 2 % 5]
            writer.add_array(image, split=split, emotion=EMOTIONS[i % 2], votes=votes)
    return Dataset(tmp_path / "faces")


def test_a_part_keeps_its_labels_and_the_pool_has_none(script: Load, faces: Dataset, tmp_path: Path) -> None:
    module = script("papers/pseudo_labels.py")
    experiment = module.Experiment(faces, tmp_path / "work", None, 0.25, ("val",))
    labelled, pool = experiment.datasets()
    assert [len(labelled.indices(split)) for split in ("train", "val", "test")] == [18, 24, 24] and len(pool) == 54
    assert all(pool.emotion == "") and not pool.info.vote_emotions
    train = {faces.image(i).tobytes() for i in faces.indices("train")}
    shown = [d.image(i).tobytes() for d in (labelled, pool) for i in d.indices("train")]
    assert len(set(shown)) == len(shown) == len(train) and set(shown) == train


@pytest.mark.slow
def test_both_methods_run_and_a_finished_row_is_not_run_again(
    script: Load, faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script("papers/pseudo_labels.py")
    tiny: Mapping[str, Any] = {
        "network": {"alpha": 0.25, "size": 32, "weights": "faces"},
        "head": {"epochs": 30, "learning_rate": 0.05, "batch": 6, "views": 0},
        "tune": {"learning_rate": 1e-5, "batch": 6},
    }
    monkeypatch.setattr(module, "RECIPE", {**module.RECIPE, **tiny})
    monkeypatch.setattr(module, "EPOCHS", {0.25: 1})
    monkeypatch.setattr(module, "TEACHERS", 2)
    monkeypatch.setattr(module, "WITH_POOL", {"tune.epochs": 1, "tune.batch": 8})
    work = tmp_path / "work"
    monkeypatch.setattr("sys.argv", f"pseudo_labels.py {faces.folder} --work {work} --dev --shares 0.25".split())
    module.main()
    written = (work / "pseudo_labels.jsonl").read_text()
    module.main()
    assert (work / "pseudo_labels.jsonl").read_text() == written
    rows = [json.loads(line) for line in written.splitlines()]
    assert [found["setting"]["method"] for found in rows] == [module.ALONE] * 2 + [module.SURE, module.TAUGHT]
    assert all(found["figures"]["val"]["n"] == 24 and "test" not in found["figures"] for found in rows)
    made = rows[-1]["figures"]["pseudo_labels"]
    assert 0 < made["accepted"] <= made["pool"] == 54 and 0 <= made["precision"] <= 1
