"""A run on a fold stays on that fold: in run.json and the contract, when resumed, quantized, exported and verified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fermobile.data.info import set_folds
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.errors import DatasetError, RunError
from fermobile.export.stages import select_faces
from fermobile.training.quantization_aware import quantize
from fermobile.training.recipe import recipe_from_dict
from fermobile.training.runs import Run
from fermobile.training.transfer import train

RECIPE = recipe_from_dict(
    {
        "name": "tiny",
        "tasks": ["emotion"],
        "network": {"alpha": 0.25, "size": 32, "weights": "none"},
        "head": {"epochs": 0},
        "tune": {"epochs": 1, "batch": 16},
        "quantize": {"epochs": 1, "batch": 16},
    }
)


@pytest.fixture(scope="module")
def folder(patterns: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 people, one image each, in three folds."""
    folder = shutil.copytree(patterns.folder, tmp_path_factory.mktemp("folds") / "set")
    set_folds(folder, tuple(tuple(f"s{i}" for i in range(first, 96, 3)) for first in range(3)))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(RECIPE, Dataset(folder, fold=2), tmp_path_factory.mktemp("runs") / "run")


def test_the_run_and_its_contract_name_the_fold(run: Run, folder: Path) -> None:
    assert run.info["dataset"] == Dataset(folder, fold=2).origin | {"path": str(folder.resolve())}
    assert run.info["dataset"]["fold"] == run.contract.provenance["dataset"]["fold"] == 2


def test_its_test_faces_are_those_of_the_fold(run: Run, folder: Path) -> None:
    faces = select_faces(Dataset(folder), "test", run.contract)
    assert set(faces.dataset.subject[faces.rows]) == set(Dataset(folder).info.folds[1])


def test_it_is_quantized_on_the_same_fold(run: Run, folder: Path, tmp_path: Path) -> None:
    quantized = quantize(run, Dataset(folder), tmp_path / "q")
    assert quantized.info["dataset"] == run.info["dataset"]


def test_it_is_resumed_on_no_other_fold(run: Run, folder: Path) -> None:
    assert train(RECIPE, Dataset(folder, fold=2), run.folder, resume=True).weights_sha256 == run.weights_sha256
    for other in (Dataset(folder), Dataset(folder, fold=1)):
        with pytest.raises(RunError, match=r"was started with another dataset or fold \(patterns, fold 2\)"):
            train(RECIPE, other, run.folder, resume=True)


def test_a_run_on_the_sets_own_splits_names_no_fold(folder: Path, tmp_path: Path) -> None:
    train(RECIPE, Dataset(folder), tmp_path / "run")
    assert "fold" not in json.loads((tmp_path / "run" / "run.json").read_text())["dataset"]


def test_subjects_on_both_sides_are_refused_before_anything_is_written(tmp_path: Path, folder: Path) -> None:
    source = Dataset(folder)
    with write_dataset(tmp_path / "d", DatasetInfo("d", source.info.emotions)) as writer:
        for i in range(24):
            emotion = source.info.emotions[i % 3]
            writer.add_array(source.image(i), split=("train", "val")[i % 2], subject=f"s{i // 2}", emotion=emotion)
    with pytest.raises(DatasetError, match=r"12 subject\(s\) are in more than one split \(s0: train, val\)"):
        train(RECIPE, Dataset(tmp_path / "d"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
