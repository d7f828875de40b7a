"""``fermobile data import``: result on stdout, clear errors, exit code 2, nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small fer2013.csv of three parts."""
    rng = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for i, usage in enumerate(["Training"] * 4 + ["PublicTest", "PrivateTest"]):
        lines.append(f"{i % 7},{' '.join(map(str, rng.integers(0, 256, 2304)))},{usage}")
    folder = tmp_path / "fer"
    folder.mkdir()
    (folder / "fer2013.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_it_says_what_it_did(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    result = fermobile("data", "import", "fer2013", source, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "train: 4 (happiness 1, anger 1, disgust 1, fear 1)" in result.stdout
    assert "splits: the source's own splits" in result.stdout
    assert f"wrote 6 samples to {tmp_path / 'out'}" in result.stdout
    assert result.stderr == ""


def test_json(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    result = fermobile("data", "import", "fer2013", source, "--out", tmp_path / "out", "--json")
    summary = json.loads(result.stdout)
    assert summary["samples"] == 6
    assert summary["counts"]["test"] == {"surprise": 1}


def test_unknown_reader(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    result = fermobile("data", "import", "rafdb", source, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "choose from: fer2013, ferplus, raf-db" in result.stderr


def test_truncated_file(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    path = source / "fer2013.csv"
    path.write_bytes(path.read_bytes()[:-1000])
    result = fermobile("data", "import", "fer2013", source, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert f"{path}, line 7" in result.stderr
    assert "cut off" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["fer"]


def test_rejects_are_announced(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    with (source / "fer2013.csv").open("a") as stream:
        stream.write("0,1 2 3,Training\n")
    command = ["data", "import", "fer2013", source, "--out", tmp_path / "out"]
    stopped = fermobile(*command)
    assert stopped.exit_code == 2
    assert "1 of 7 samples are broken, more than 5.0%" in stopped.stderr
    assert not (tmp_path / "out").exists()
    result = fermobile(*command, "--max-rejects", "0.2")
    assert result.exit_code == 0
    assert f"rejected: 1 broken samples, listed in {tmp_path / 'out' / 'rejects.csv'}" in result.stdout


def test_existing_output(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    command = ("data", "import", "fer2013", source, "--out", tmp_path / "out")
    assert fermobile(*command).exit_code == 0
    (tmp_path / "out" / "stale").touch()
    result = fermobile(*command)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert (tmp_path / "out" / "stale").exists()
    assert fermobile(*command, "--force").exit_code == 0
    assert not (tmp_path / "out" / "stale").exists()


def test_action_units_folds_and_notes_are_printed(fermobile: Callable[..., Any], tmp_path: Path) -> None:
    import cv2

    for i, subject in enumerate(("F001", "F003", "F004")):
        for folder in (f"AUCoding/AU_OCC/{subject}_T1", f"frames/{subject}/T1"):
            (tmp_path / "bp4d" / folder).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"bp4d/AUCoding/AU_OCC/{subject}_T1.csv").write_text("0,1,2,30\n5,1,9,0\n6,0,9,0\n")
        (tmp_path / "bp4d/frames" / subject / "T1").mkdir()
        for frame in (5, 6):
            image = np.random.default_rng([i, frame]).integers(0, 256, (32, 32, 3), np.uint8)
            cv2.imwrite(str(tmp_path / f"bp4d/frames/{subject}/T1/{frame:04}.jpg"), image)
    command = ["data", "import", "bp4d", tmp_path / "bp4d", "--out", tmp_path / "out"]
    said = fermobile(*command).stdout.splitlines()
    assert "folds: 3 of the official protocol, which test 2, 2, 2 images" in said
    assert "AU1: 3 of 6 (50.0%) positive" in said
    assert not any(line.startswith("AU2") for line in said)  # nowhere labelled
    assert "note: action units left out, as fermobile does not know them: 30 (in 3 files)" in said
    assert "dropped: 3 not one of every 2 frames" in fermobile(*command, "--every", "2", "--force").stdout


def test_single_images_are_all_taken(fermobile: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    result = fermobile("data", "import", "fer2013", source, "--out", tmp_path / "out", "--every", "2")
    assert result.exit_code == 2
    assert "fer2013 holds single images; one in 2 is taken only of: disfa, bp4d" in result.stderr
