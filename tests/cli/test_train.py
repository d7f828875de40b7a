from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.ledger import Ledger
from fermobile.data.manifest import DatasetInfo, write_dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    with write_dataset(tmp_path / "data", DatasetInfo("d", ("neutral", "happiness"))) as writer:
        for i in range(48):
            image = rng.integers(0, 100, (32, 32)).astype(np.uint8) + np.uint8(100 * (i % 2))
            split = ("train", "train", "val")[i % 3]
            writer.add_array(image, split=split, emotion=("neutral", "happiness")[i % 2])
    return tmp_path / "data"


TINY = ["--weights", "none", "--alpha", "0.25", "--size", "32", "--batch", "16", "--epochs", "1", "--head-epochs", "1"]


def test_training_prints_epochs_and_writes_a_run_with_a_report(
    fermobile: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--out", out, "--json", *TINY)
    assert done.exit_code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["stage"] for row in rows] == ["head", "tune"]
    assert (out / "report.html").exists() and (out / "model.weights.h5").exists()
    again = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--out", out, *TINY)
    assert again.exit_code == 2 and "--force" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "--data", "{data}"], "shipped: "),
        (["mobilenet_v1_emotions", "--data", "{data}/none"], "is not a dataset folder"),
        (["mobilenet_v1_emotions", "--data", "{data}", "--size", "100"], "multiple of 32"),
    ],
)
def test_mistakes_end_with_two_before_anything_is_written(
    fermobile: Callable[..., Any], data: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = fermobile("train", *(a.format(data=data) for a in arguments), "--out", tmp_path / "run")
    assert done.exit_code == 2 and message in done.stderr
    assert not (tmp_path / "run").exists()


def test_quantizing_wants_a_finished_run(fermobile: Callable[..., Any], tmp_path: Path) -> None:
    done = fermobile("quantize", tmp_path, "--out", tmp_path / "q")
    assert done.exit_code == 2 and "is not a run folder" in done.stderr
    (tmp_path / "run.json").write_text(json.dumps({"run_version": 99}))
    done = fermobile("quantize", tmp_path, "--out", tmp_path / "q")
    assert done.exit_code == 2 and "run version 99" in done.stderr


def test_a_student_learns_from_a_run_and_self_cure_counts_its_relabels(
    fermobile: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    done = fermobile("train", "mobilenet_v1_self_cure", "--data", data, "--out", tmp_path / "teacher", *TINY)
    assert done.exit_code == 0 and "relabelled 0" in done.stdout, done.stderr
    done = fermobile(
        "train", "mobilenet_v1_emotions", "--data", data, "--teacher", tmp_path / "teacher", "--out",
        tmp_path / "student", *TINY,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    made = json.loads((tmp_path / "student" / "contract.json").read_text())["provenance"]["recipe"]
    assert made["distill"]["teachers"][0].startswith("teacher (sha256 ")
    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--teacher", tmp_path, "--out", tmp_path / "s")
    assert done.exit_code == 2 and "is not a run folder" in done.stderr


def test_labels_that_val_does_not_show_are_named(fermobile: Callable[..., Any], tmp_path: Path) -> None:
    with write_dataset(tmp_path / "data", DatasetInfo("d", ("neutral", "happiness"))) as writer:
        for i in range(32):
            split, emotion = ("val", "neutral") if i < 4 else ("train", ("neutral", "happiness")[i % 2])
            writer.add_array(np.full((32, 32), 8 * i, np.uint8), split=split, emotion=emotion)
    done = fermobile("train", "mobilenet_v1_emotions", "--data", tmp_path / "data", "--out", tmp_path / "run", *TINY)
    assert done.exit_code == 0
    assert "no face of the val split shows happiness: the figures say nothing of them" in done.stderr
    done = fermobile("ledger", tmp_path / "run", "--undo-all")
    assert done.exit_code == 2 and "no label was changed" in done.stderr


def test_undoing_in_a_finished_run_says_that_its_model_stays(
    fermobile: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--out", tmp_path / "run", *TINY)
    assert done.exit_code == 0 and "val split shows" not in done.stderr
    Ledger(tmp_path / "run" / "relabels.csv").record(1, 1, ["shard-0000.npy:0"], ["neutral"], ["happiness"], [0.5])
    done = fermobile("ledger", tmp_path / "run", "--undo-all")
    assert done.exit_code == 0 and "its model stays as it is" in done.stderr
