from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fermobile.data.ledger import Ledger
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

Load = Callable[[str], ModuleType]

NEUTRAL, HAPPY = "neutral", "happiness"


def write(folder: Path, classes: tuple[str, ...], *faces: tuple[str, str]) -> Dataset:
    """Training faces of (given label, true label)."""
    with write_dataset(folder, DatasetInfo("d", classes, (), classes)) as writer:
        for given, truth in faces:
            votes = tuple(float(name == truth) for name in classes) if truth else ()
            writer.add_array(np.zeros((8, 8), np.uint8), split="train", emotion=given, votes=votes)
    return Dataset(folder)


def test_precision_and_recall_of_the_relabels(script: Load, tmp_path: Path) -> None:
    module = script("papers/self_cure.py")
    faces = [
        (HAPPY, NEUTRAL),  # wrong, mended
        (HAPPY, NEUTRAL),  # wrong, left
        (HAPPY, NEUTRAL),  # wrong, made wrong in another way
        (HAPPY, HAPPY),  # right, spoilt
        (HAPPY, ""),  # relabelled, but nobody knows the truth
        (HAPPY, HAPPY),  # relabelled, and back again
    ]
    data = write(tmp_path / "d", module.CLASSES, *faces)
    ledger = Ledger(tmp_path / "relabels.csv")
    moves = [(0, NEUTRAL), (2, "fear"), (3, NEUTRAL), (4, NEUTRAL), (5, NEUTRAL)]
    for row, label in moves:
        ledger.record(1, 1, [data.paths[row]], [HAPPY], [label], [0.5])
    ledger.record(2, 1, [data.paths[5]], [NEUTRAL], [HAPPY], [0.5])
    found = module.relabels(data, ledger)
    assert found["relabelled"] == 4
    assert found["relabel_precision"] == pytest.approx(1 / 3)  # of the first, third and fourth face, the first
    assert found["relabel_recall"] == pytest.approx(1 / 3)  # of three wrong ones
    assert found["relabelled_although_right"] == pytest.approx(1 / 3)


def test_no_relabels_have_no_precision(script: Load, tmp_path: Path) -> None:
    module = script("papers/self_cure.py")
    found = module.relabels(write(tmp_path / "d", module.CLASSES, (HAPPY, NEUTRAL)), Ledger(tmp_path / "relabels.csv"))
    assert found["relabelled"] == 0 and found["relabel_precision"] is None


def test_noise_moves_labels_and_never_the_truth_or_the_test_part(
    script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script("papers/self_cure.py")
    rng = np.random.default_rng(0)
    faces = [
        (rng.integers(0, 256, (48, 48)).astype(np.uint8), split, NEUTRAL, NEUTRAL)
        for split in ["train"] * 900 + ["val"] * 100
    ]
    monkeypatch.setattr(module, "faces_and_truth", lambda folder: faces)
    data = module.noisy(tmp_path, tmp_path, 0.3, seed=0)
    # The source's only held-out part is the test part; validation is taken from the training part, with its noise.
    moved = {split: (data.emotion[data.indices(split)] != NEUTRAL).mean() for split in ("train", "val", "test")}
    assert moved["test"] == 0 and moved["train"] == pytest.approx(0.3, abs=0.05) and 0.1 < moved["val"] < 0.5
    assert (module.truths(data) == module.CLASSES.index(NEUTRAL)).all()
