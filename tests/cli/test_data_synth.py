"""``fermobile data synth`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.manifest import Dataset

Run = Callable[..., Any]


def test_it_writes_a_dataset_and_says_what(fermobile: Run, tmp_path: Path) -> None:
    result = fermobile("data", "synth", "--out", tmp_path / "set", "--count", 40, "--size", 24, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    assert "40 faces of 4 people" in result.stdout and "train 16, val 12, test 12" in result.stdout
    assert len(Dataset(tmp_path / "set")) == 40


def test_json_is_one_object(fermobile: Run, tmp_path: Path) -> None:
    result = fermobile("data", "synth", "--out", tmp_path / "set", "--count", 14, "--size", 16, "--seed", 3, "--json")
    summary = json.loads(result.stdout)
    assert summary["count"] == 14 and summary["subjects"] == 2
    assert summary["splits"] == {"train": 12, "val": 2, "test": 0}
    assert summary["sha256"] == Dataset(tmp_path / "set").sha256
    assert summary["emotions"]["neutral"] >= 1 and summary["action_units"]["AU12"] >= 1


def test_the_sheet_is_a_picture(fermobile: Run, tmp_path: Path) -> None:
    import cv2

    sheet = tmp_path / "sheet.png"
    result = fermobile("data", "synth", "--out", tmp_path / "set", "--count", 1, "--size", 16, "--sheet", sheet)
    assert result.exit_code == 0, result.stderr
    image = cv2.imread(str(sheet))
    assert image is not None and image.shape[1] == 8 * 160


@pytest.mark.parametrize(
    ("name", "said"), [("set", "is the dataset folder too"), ("a.txt", "choose from: .jpg"), ("dir", "is a folder")]
)
def test_a_sheet_that_cannot_be_written_stops_before_the_work(
    fermobile: Run, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "dir").mkdir()
    result = fermobile("data", "synth", "--out", tmp_path / "set", "--count", 1, "--sheet", tmp_path / name)
    assert result.exit_code == 2 and said in result.stderr
    assert not (tmp_path / "set").exists()


def test_existing_output_is_kept(fermobile: Run, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("keep")
    result = fermobile("data", "synth", "--out", tmp_path / "set", "--count", 1)
    assert result.exit_code == 2 and "--force" in result.stderr
    assert (tmp_path / "set" / "mine.txt").read_text() == "keep"


def test_a_missing_mesh_is_named(fermobile: Run, tmp_path: Path) -> None:
    result = fermobile("data", "synth", "--out", tmp_path / "set", "--count", 1, "--mesh", f"ict:{tmp_path}/no.npz")
    assert result.exit_code == 2 and "no.npz: no such file" in result.stderr
    assert not (tmp_path / "set").exists()


def test_help_has_an_example(fermobile: Run) -> None:
    assert "Example:" in fermobile("data", "synth", "--help").stdout


def test_rates_give_action_units_alone(fermobile: Run, tmp_path: Path) -> None:
    result = fermobile(
        "data", "synth", "--out", tmp_path / "set", "--count", 20, "--size", 16, "--rates", "disfa", "--json"
    )
    summary = json.loads(result.stdout)
    assert summary["emotions"] == {} and list(summary["action_units"])[:3] == ["AU1", "AU2", "AU4"]
    wrong = fermobile("data", "synth", "--out", tmp_path / "no", "--count", 20, "--rates", "bp4d")
    assert wrong.exit_code == 2 and "choose from: disfa" in wrong.stderr


def test_faces_are_framed_as_asked(fermobile: Run, tmp_path: Path) -> None:
    asked = ("--count", 3, "--size", 64, "--eye-distance", 0.4, "--eye-y", 0.45)
    assert fermobile("data", "synth", "--out", tmp_path / "set", *asked).exit_code == 0
    data = Dataset(tmp_path / "set")
    assert data.info.crop is not None and (data.info.crop.eye_distance, data.info.crop.eye_y) == (0.4, 0.45)
    assert data.info.source.endswith("--eye-distance 0.4 --eye-y 0.45")
    eyes = data.keypoints[:, :2] / 64
    np.testing.assert_allclose(np.hypot(*(eyes[:, 1] - eyes[:, 0]).T), 0.4, atol=0.01)
    np.testing.assert_allclose(eyes[..., 1], 0.45, atol=0.01)
