"""Training end to end on patterns that a tiny network learns in seconds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.errors import DatasetError, InputError, OutputExistsError, RunError
from fermobile.training.recipe import Recipe, recipe_from_dict
from fermobile.training.runs import Run, start_run
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

#: Makes a checkpoint after every batch and dies by SIGKILL behind the second one of a stage.
DYING = """
import json, os, pathlib, signal, sys
from fermobile.data.manifest import Dataset
from fermobile.models.keras import tf
from fermobile.training import loop, quantization_aware, transfer
from fermobile.training.recipe import recipe_from_dict
from fermobile.training.runs import Run

save, saves = tf.train.CheckpointManager.save, []

def save_and_die(manager, *args, **kwargs):
    path = save(manager, *args, **kwargs)
    saves.append(manager.directory)
    if sum(s.endswith(sys.argv[1]) for s in saves) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return path

tf.train.CheckpointManager.save = save_and_die
loop._SAVE_EVERY = -1.0
dataset, folder = Dataset(sys.argv[2]), pathlib.Path(sys.argv[3])
"""

TRAIN = """
transfer.train(recipe_from_dict(json.loads(sys.argv[4])), dataset, folder)
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
    assert_same(again, run)


def test_a_killed_run_resumes_to_the_same_numbers(run: Run, patterns: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    killed(DYING + TRAIN, "tune", patterns, folder, json.dumps(RECIPE.to_dict()))
    assert [json.loads(line)["stage"] for line in (folder / "metrics.jsonl").read_text().splitlines()] == ["head"] * 2
    with pytest.raises(RunError, match="not finished"):
        Run.open(folder)
    resumed = train(RECIPE, patterns, folder, resume=True)
    assert_same(resumed, run)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tune.unfreeze": "block_99"}, "no layer of the network"),
        ({"network.weights": "nowhere.h5"}, "choose 'imagenet', 'faces', 'none'"),
        ({"network.weights": "{run}"}, "which is read for it"),
        ({"network.weights": "{run}/model.weights.h5"}, "which is read for it"),
    ],
)
def test_force_keeps_the_old_run_until_all_is_checked(
    run: Run, patterns: Dataset, changes: dict[str, str], message: str
) -> None:
    recipe = RECIPE.override(**{key: value.format(run=run.folder) for key, value in changes.items()})
    with pytest.raises(InputError, match=message):
        train(recipe, patterns, run.folder, force=True)
    assert Run.open(run.folder).weights_sha256 == run.weights_sha256


def test_force_replaces_a_run(patterns: Dataset, tmp_path: Path) -> None:
    short = RECIPE.override(**{"head.epochs": 1, "tune.epochs": 0})
    train(short, patterns, tmp_path / "run")
    (tmp_path / "run" / "old.txt").touch()
    new = train(short.override(seed=4), patterns, tmp_path / "run", force=True)
    assert new.recipe.seed == 4
    assert not (tmp_path / "run" / "old.txt").exists()


def test_weights_can_come_from_a_run_of_another_size(run: Run, patterns: Dataset, tmp_path: Path) -> None:
    recipe = RECIPE.override(
        **{"network.weights": str(run.folder), "network.size": 64, "head.epochs": 0, "tune.epochs": 1}
    )
    assert train(recipe, patterns, tmp_path / "larger").contract.input.size == 64


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network.weights": "nowhere.h5"}, InputError, "choose 'imagenet', 'faces', 'none'"),
        ({"tune.unfreeze": "block_99"}, InputError, "no layer of the network; for example: all, conv1, conv_pw_1"),
        ({"network.backbone": "resnet"}, InputError, "mobilenet_v1, mobilenet_v2"),
    ],
)
def test_wrong_choices_name_the_valid_ones(
    patterns: Dataset, tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(RECIPE.override(**changes), patterns, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_set_without_the_labels_of_a_task_is_refused(tmp_path: Path, patterns: Dataset) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d", ("neutral",))) as writer:
        for split in ("train", "val"):
            writer.add_array(np.zeros((32, 32), np.uint8), split=split, emotion="neutral")
    with pytest.raises(DatasetError, match="has no au labels"):
        train(Recipe("r", tasks=("au",)), Dataset(tmp_path / "d"), tmp_path / "x")


def test_an_action_unit_that_never_shows_in_training_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d", (), ("AU4", "AU12"))) as writer:
        for i in range(8):
            units = {"AU4": i % 2, "AU12": int(i == 7)}
            writer.add_array(np.zeros((32, 32), np.uint8), split="val" if i > 5 else "train", aus=units)
    recipe = RECIPE.override(tasks=["au"])
    with pytest.raises(DatasetError, match="no training example of AU12; name the others in the recipe's action_units"):
        train(recipe, Dataset(tmp_path / "d"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_recipe_can_name_its_action_units(patterns: Dataset, tmp_path: Path) -> None:
    one = RECIPE.override(**{"action_units": ["AU12"], "tune.epochs": 0, "head.epochs": 1})
    run = train(one, patterns, tmp_path / "one")
    assert run.contract.action_units == ("AU12",)
    with pytest.raises(DatasetError, match="no labels of AU9, which the recipe 'tiny' trains; it has AU4, AU12"):
        train(RECIPE.override(action_units=["AU12", "AU9"]), patterns, tmp_path / "two")
    with pytest.raises(InputError, match="unknown action unit AU99; known: AU1, "):
        RECIPE.override(action_units=["AU99"])


def test_a_val_split_without_the_labels_of_a_task_is_refused_before_training(tmp_path: Path) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d", ("neutral",), ("AU4",))) as writer:
        for i in range(4):
            units = {"AU4": i % 2} if i < 3 else {}
            writer.add_array(
                np.zeros((32, 32), np.uint8), split="train" if i < 3 else "val", emotion="neutral", aus=units
            )
    recipe = RECIPE.override(**{"head.batch": 2, "tune.batch": 2})
    with pytest.raises(DatasetError, match="the split val carries no au label of AU4"):
        train(recipe, Dataset(tmp_path / "d"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": []}, r"run\.json is damaged: it lacks dataset"),
        ({"dataset": {"name": "d", "sha256": 3, "path": "d"}}, r"run\.json is damaged: it lacks dataset\.sha256"),
        ({"recipe": []}, r"run\.json is damaged: it lacks recipe"),
        ({"recipe": {"name": "r", "mood": 1}}, r"run\.json is damaged, or of a newer fermobile: unknown entry mood"),
    ],
)
def test_a_damaged_or_newer_run_is_named(run: Run, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(run.info | changes))
    with pytest.raises(RunError, match=message):
        Run.open(tmp_path / "run")


def test_an_unfinished_run_says_the_command_that_goes_on(run: Run, tmp_path: Path) -> None:
    start_run(
        tmp_path / "q", run.contract, run.recipe, quantized=True, dataset=run.info["dataset"], parent_path="runs/f"
    )
    with pytest.raises(RunError, match=rf"fermobile quantize runs/f --out {tmp_path / 'q'} --resume"):
        Run.open(tmp_path / "q")


def killed(script: str, stage: str, dataset: Dataset, folder: Path, *more: object) -> None:
    """Run a script that dies in the middle of a stage."""
    arguments = [str(a) for a in (stage, dataset.folder, folder, *more)]
    assert subprocess.run([sys.executable, "-c", script, *arguments], check=False).returncode == -signal.SIGKILL


def assert_same(a: Run, b: Run) -> None:
    """Two runs have the same figures and the same weights, to the last bit."""
    assert _figures(a.folder) == _figures(b.folder)
    for one, other in zip(a.load_model().get_weights(), b.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def _figures(folder: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
