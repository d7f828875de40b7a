"""``fermobile data label-aus`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.data.synthetic.dataset import render_photo


@pytest.fixture
def task(shared: Path) -> Path:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    return shared / "mediapipe" / "face_landmarker.task"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two smiling faces and a blank image."""
    with write_dataset(tmp_path / "faces", DatasetInfo("faces")) as writer:
        for i in (0, 1):
            writer.add_array(render_photo(5, 12 * i, 128, emotion="happiness").image, split="train")
        writer.add_array(np.full((48, 48, 3), 90, np.uint8), split="train")
    return tmp_path / "faces"


def test_labels_as_text(faces: Path, task: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    result = fermobile("data", "label-aus", faces, "--landmarker", task, "--out", out, "--workers", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "AU12          2        0           1\n" in result.stdout
    assert result.stdout.endswith(f"saw a face in 2 of 3 images; wrote {out}\n")
    assert Dataset(out).info.action_units[0] == "AU1"


def test_labels_as_json(faces: Path, task: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    command = ("data", "label-aus", faces, "--landmarker", task, "-o", tmp_path / "out", "--workers", 1, "--json")
    summary = json.loads(fermobile(*command).stdout)
    assert (summary["images"], summary["found"], summary["kept"]) == (3, 2, 0)
    assert summary["units"]["AU12"] == {"present": 2, "absent": 0, "unlabelled": 1}
    taken = fermobile(*command)
    assert taken.exit_code == 2 and "exists already" in taken.stderr
    assert fermobile(*command, "--force").exit_code == 0


def test_a_missing_landmarker(faces: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    result = fermobile("data", "label-aus", faces, "--landmarker", tmp_path / "no.task", "--out", tmp_path / "out")
    assert result.exit_code == 2 and "no.task: no such file; give MediaPipe's face_landmarker.task" in result.stderr
    assert not (tmp_path / "out").exists()
