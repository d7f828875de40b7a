"""Training end to end on patterns that a tiny network learns in seconds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.manifest import Dataset
from fermobile.errors import DatasetError, InputError, OutputExistsError, RunError
from fermobile.training.recipe import Recipe, recipe_from_dict
from fermobile.training.runs import Run
from fermobile.training.scoring import predict_rows
from fermobile.training.transfer import train

RECIPE = recipe_from_dict(
    {
        "name": "tiny",
        "tasks": ["emotion", "au"],
        "network": {"alpha": 0.25, "size": 32, "weights": "none"},
        "head": {"epochs": 2, "batch": 16, "views": 1},
        "tune": {"epochs": 2, "batch": 16, "learning_rate": 0.003},
        "augment": {"shift": 0.02, "rotate": 2.0, "flip": False},
        "ema": 0.9,
        "seed": 3,
    }
)

#: Trains with a checkpoint after every batch and dies by SIGKILL behind the second one of stage 2.
_TRAIN_AND_DIE = """
import json, os, pathlib, signal, sys
from fermobile.data.manifest import Dataset
from fermobile.models.keras import tf
from fermobile.training import loop, transfer
from fermobile.training.recipe import recipe_from_dict

save, saves = tf.train.CheckpointManager.save, []

def save_and_die(manager, *args, **kwargs):
    path = save(manager, *args, **kwargs)
    saves.append(manager.directory)
    if sum(s.endswith("tune") for s in saves) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return path

tf.train.CheckpointManager.save = save_and_die
loop._SAVE_EVERY = -1.0
recipe = recipe_from_dict(json.loads(pathlib.Path(sys.argv[1]).read_text()))
transfer.train(recipe, Dataset(sys.argv[2]), pathlib.Path(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def run(patterns: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(RECIPE, patterns, tmp_path_factory.mktemp("runs") / "whole")


def test_a_run_folder_says_what_made_it(run: Run, patterns: Dataset) -> None:
    assert {p.name for p in run.folder.iterdir()} == {
        "run.json", "contract.json", "metrics.jsonl", "model.weights.h5", "logs",
    }  # fmt: skip
    assert [(r["stage"], r["epoch"]) for r in run.metrics()] == [("head", 1), ("head", 2), ("tune", 1), ("tune", 2)]
    assert run.contract.provenance["dataset"]["sha256"] == patterns.sha256
    assert run.contract.crop == patterns.info.crop and run.recipe == RECIPE and not run.quantized
    assert set(run.contract.thresholds) == {"AU4", "AU12"}


def test_the_reloaded_model_has_both_heads_and_answers_alike_in_any_batch(run: Run, patterns: Dataset) -> None:
    rows = patterns.indices("val")
    model = run.load_model()
    whole = predict_rows(model, patterns, rows, run.contract)
    assert whole["emotion"].shape == (len(rows), 3) and whole["au"].shape == (len(rows), 2)
    np.testing.assert_allclose(whole["emotion"].sum(axis=1), 1, rtol=1e-5)
    # Predictions depend neither on the batch's size nor on its order.
    single = predict_rows(model, patterns, rows[::-1], run.contract, batch=1)
    np.testing.assert_allclose(single["emotion"][::-1], whole["emotion"], atol=1e-5)


def test_the_same_seed_gives_the_same_run(run: Run, patterns: Dataset, tmp_path: Path) -> None:
    again = train(RECIPE, patterns, tmp_path / "again")
    assert _figures(again.folder) == _figures(run.folder)
    for a, b in zip(again.load_model().get_weights(), run.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_killed_run_resumes_to_the_same_numbers(run: Run, patterns: Dataset, tmp_path: Path) -> None:
    folder, recipe = tmp_path / "killed", tmp_path / "recipe.json"
    recipe.write_text(json.dumps(RECIPE.to_dict()))
    process = subprocess.run(
        [sys.executable, "-c", _TRAIN_AND_DIE, str(recipe), str(patterns.folder), str(folder)], check=False
    )
    assert process.returncode == -signal.SIGKILL
    assert [json.loads(line)["stage"] for line in (folder / "metrics.jsonl").read_text().splitlines()] == ["head"] * 2
    with pytest.raises(RunError, match="not finished"):
        Run.open(folder)
    resumed = train(RECIPE, patterns, folder, resume=True)
    assert _figures(resumed.folder) == _figures(run.folder)
    for a, b in zip(resumed.load_model().get_weights(), run.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_existing_run_is_neither_overwritten_nor_resumed_with_another_recipe(run: Run, patterns: Dataset) -> None:
    with pytest.raises(OutputExistsError):
        train(RECIPE, patterns, run.folder)
    with pytest.raises(RunError, match="another recipe"):
        train(RECIPE.override(seed=9), patterns, run.folder, resume=True)
    assert train(RECIPE, patterns, run.folder, resume=True).weights_sha256 == run.weights_sha256


def test_force_replaces_run_folders_only(patterns: Dataset, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds no run\.json"):
        train(RECIPE, patterns, tmp_path, force=True)
    assert (tmp_path / "precious.txt").exists()


def test_weights_can_come_from_a_run_of_another_size(run: Run, patterns: Dataset, tmp_path: Path) -> None:
    recipe = RECIPE.override(
        **{"network.weights": str(run.folder), "network.size": 64, "head.epochs": 0, "tune.epochs": 1}
    )
    assert train(recipe, patterns, tmp_path / "larger").contract.input.size == 64


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network.weights": "nowhere.h5"}, InputError, "choose 'imagenet', 'faces', 'none'"),
        ({"tune.unfreeze": "block_99"}, InputError, "no layer of the network; for example: all, conv_pw_1"),
        ({"network.backbone": "resnet"}, InputError, "mobilenet_v1, mobilenet_v2"),
    ],
)
def test_wrong_choices_name_the_valid_ones(
    patterns: Dataset, tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(RECIPE.override(**changes, **{"head.epochs": 0}), patterns, tmp_path / "x")


def test_a_set_without_the_labels_of_a_task_is_refused(tmp_path: Path, patterns: Dataset) -> None:
    from fermobile.data.manifest import DatasetInfo, write_dataset

    with write_dataset(tmp_path / "d", DatasetInfo("d", ("neutral",))) as writer:
        for split in ("train", "val"):
            writer.add_array(np.zeros((32, 32), np.uint8), split=split, emotion="neutral")
    with pytest.raises(DatasetError, match="has no au labels"):
        train(Recipe("r", tasks=("au",)), Dataset(tmp_path / "d"), tmp_path / "x")


def _figures(folder: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
