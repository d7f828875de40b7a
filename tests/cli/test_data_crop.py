"""``fermobile data crop`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset


@pytest.fixture
def photos(tmp_path: Path, portrait: np.ndarray) -> Path:
    """Three photos with a face, one without."""
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    with write_dataset(tmp_path / "photos", DatasetInfo("photos")) as writer:
        for side in (300, 400, 500):
            writer.add_array(cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA), split="train")
        writer.add_array(np.full((100, 100, 3), 90, np.uint8), split="train")
    return tmp_path / "photos"


def test_crop_as_text(photos: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    out = tmp_path / "faces"
    result = fermobile("data", "crop", photos, "--out", out, "--max-rejects", 0.3, "--eye-y", 0.42, "--workers", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "rejected: 1 (1 no face found), listed in" in result.stdout
    assert f"wrote 3 faces of 96 pixels to {out}" in result.stdout
    assert Dataset(out).info.crop == CropSpec(0.37, 0.42)


def test_crop_as_json(photos: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    result = fermobile(
        "data", "crop", photos, "-o", tmp_path / "faces", "--max-rejects", 0.3, "--size", 64, "--workers", 1, "--json"
    )
    summary = json.loads(result.stdout)
    assert (summary["written"], summary["size"]) == (3, 64)
    assert summary["rejects"] == [{"where": "shard-0003.npy:0", "reason": "no face found"}]
    assert summary["crop"] == {"eye_distance": 0.37, "eye_y": 0.40}


def test_too_many_rejects(photos: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    result = fermobile("data", "crop", photos, "--out", tmp_path / "faces", "--workers", 1)
    assert result.exit_code == 2
    assert "1 of 4 samples are without a usable face" in result.stderr
    assert not (tmp_path / "faces").exists()


def test_an_existing_folder_is_refused_first(tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "mine.txt").touch()
    result = fermobile("data", "crop", tmp_path / "nowhere", "--out", tmp_path / "faces")
    assert result.exit_code == 2
    assert "--force" in result.stderr


def test_a_folder_that_is_no_dataset(tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    result = fermobile("data", "crop", tmp_path, "--out", tmp_path / "faces")
    assert result.exit_code == 2
    assert "is not a dataset folder" in result.stderr
