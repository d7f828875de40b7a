from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

TINY = ["--weights", "none", "--alpha", "0.25", "--size", "32", "--epochs", "0", "--head-epochs", "2"]


def write(folder: Path, seeds: range, splits: tuple[str, ...], labelled: bool = True) -> Path:
    """Noise that is dark or bright; no two images look alike."""
    info = DatasetInfo(folder.name, ("neutral", "happiness") if labelled else ())
    with write_dataset(folder, info) as writer:
        for seed in seeds:
            image = np.random.default_rng(seed).integers(0, 100, (32, 32)).astype(np.uint8) + np.uint8(150 * (seed % 2))
            emotion = ("neutral", "happiness")[seed % 2] if labelled else ""
            writer.add_array(image, split=splits[seed % len(splits)], emotion=emotion)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pseudo") / "data", range(60), ("train", "train", "val"))


def test_labelling_then_training_on_both(fermobile: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    run, out, second = tmp_path / "run", tmp_path / "out", tmp_path / "second"
    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--out", run, *TINY)
    assert done.exit_code == 0, done.stderr
    pool = write(tmp_path / "pool", range(100, 140), ("test",), labelled=False)
    done = fermobile("pseudo-label", run, "--pool", pool, "--out", out, "--floor", "0.5", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faces"] == 40 and found["accepted"] == len(Dataset(out)) > 0
    shown = fermobile("pseudo-label", run, "--pool", pool, "--out", tmp_path / "again", "--floor", "0.5")
    assert f"accepted {found['accepted']} of 40 faces" in shown.stdout.replace("\n", " ")
    done = fermobile("ledger", out, "--json")
    assert json.loads(done.stdout)["changes"] == found["accepted"]

    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--add", out, "--out", second, *TINY)
    assert done.exit_code == 0, done.stderr
    info = json.loads((second / "run.json").read_text())["dataset"]
    assert [part["path"] for part in info["added"]] == [str(out)]
    done = fermobile("pseudo-label", second, run, "--pool", data, "--out", tmp_path / "third")
    assert done.exit_code == 2 and "20 of 60 images" in done.stderr and "--leave-out-overlap" in done.stderr


@pytest.mark.slow
def test_later_stages_open_all_sets_again(fermobile: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more", range(200, 300), ("train",))
    run, file = tmp_path / "run", tmp_path / "m.tflite"
    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--add", more, "--out", run, *TINY)
    assert done.exit_code == 0, done.stderr
    # Only with the added hundred are there enough training faces to calibrate by.
    done = fermobile("export", run, "--int8", "-o", file, "--json")
    assert done.exit_code == 0, done.stderr
    trained = json.loads((run / "run.json").read_text())["dataset"]
    assert json.loads(done.stdout)["provenance"]["calibration_set"]["dataset_sha256"] == trained["sha256"]
    done = fermobile("verify", file, "--against", run, "--split", "val", "--json", "--max-f1-drop", "1")
    assert json.loads(done.stdout)["dataset"]["sha256"] == Dataset(data).sha256
    more.rename(tmp_path / "elsewhere")
    done = fermobile("quantize", run, "--out", tmp_path / "again")
    assert done.exit_code == 2 and f"{more} is not a dataset folder" in done.stderr


def test_adding_a_set_that_holds_validation_faces_is_refused(
    fermobile: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    trap = write(tmp_path / "trap", range(59, 70), ("train",))  # 59 is a validation face
    done = fermobile("train", "mobilenet_v1_emotions", "--data", data, "--add", trap, "--out", tmp_path / "run", *TINY)
    assert done.exit_code == 2 and "1 train images of" in done.stderr and "= val shard-0000.npy:59" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_no_run_or_no_dataset_is_said_before_anything(
    fermobile: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    done = fermobile("pseudo-label", data, "--pool", data, "--out", tmp_path / "out")
    assert done.exit_code == 2 and "is not a run folder" in done.stderr
    done = fermobile("pseudo-label", data, "--pool", data, "--out", data)
    assert done.exit_code == 2 and "--force" in done.stderr
