"""``fermobile data measure`` from the outside."""

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
from fermobile.face.alignment import align_face

CROP = CropSpec(eye_distance=0.33, eye_y=0.43)


@pytest.fixture
def faces(tmp_path: Path, portrait: np.ndarray) -> Path:
    """Twenty crops of one framing that the folder does not know, and one empty image."""
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    face = align_face(portrait, np.array([[203.5, 104.5], [246.5, 106.5]]), CROP, 64)
    with write_dataset(tmp_path / "faces", DatasetInfo("faces", ("happiness", "neutral"))) as writer:
        for _ in range(20):
            writer.add_array(face, split="train", emotion="happiness")
        writer.add_array(np.zeros((64, 64, 3), np.uint8), split="train", emotion="neutral")
    return tmp_path / "faces"


def test_measure_as_text_only_looks(faces: Path, fermobile: Callable[..., Any]) -> None:
    before = (faces / "dataset.json").read_bytes()
    result = fermobile("data", "measure", faces)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "21 images: a face found in 20 (95.2%), 20 of them near-frontal" in result.stdout
    assert "found: neutral 0.0% of 1, happiness 100.0% of 20" in result.stdout
    assert (faces / "dataset.json").read_bytes() == before


def test_measure_writes_the_crop_and_a_sheet(faces: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    digest, sheet = Dataset(faces).sha256, tmp_path / "sheet.png"
    result = fermobile("data", "measure", faces, "--write", "--sheet", sheet, "--json")
    summary = json.loads(result.stdout)
    dataset = Dataset(faces)
    assert dataset.info.crop == CropSpec(**summary["crop"])
    assert dataset.info.crop.eye_distance == pytest.approx(CROP.eye_distance, abs=0.015)
    assert dataset.info.crop.eye_y == pytest.approx(CROP.eye_y, abs=0.015)
    assert dataset.sha256 == digest
    assert summary["found_by_emotion"]["happiness"] == {"images": 20, "found": 20}
    assert set(summary["quartiles"]) == {"eye_distance", "eye_x", "eye_y", "roll"}
    assert cv2.imread(str(sheet)).shape == (768, 768, 3)
    again = fermobile("data", "measure", faces, "--sheet", sheet)
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_an_empty_split(faces: Path, fermobile: Callable[..., Any]) -> None:
    result = fermobile("data", "measure", faces, "--split", "test")
    assert result.exit_code == 2
    assert "test is empty" in result.stderr


def test_an_unreadable_image_is_left_out_and_counted(
    tmp_path: Path, portrait: np.ndarray, fermobile: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    face = align_face(portrait, np.array([[203.5, 104.5], [246.5, 106.5]]), CROP, 64)
    with write_dataset(tmp_path / "faces", DatasetInfo("faces", ("fear",))) as writer:
        writer.add_file("broken.png", b"", split="train", emotion="fear")
        for _ in range(20):
            writer.add_array(face, split="train")
    read: list[int] = []
    image = Dataset.image
    monkeypatch.setattr(Dataset, "image", lambda self, row: read.append(row) or image(self, row))
    result = fermobile("data", "measure", tmp_path / "faces", "--sheet", tmp_path / "sheet.jpg")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        "20 images: a face found in 20" in result.stdout and "left out: 1 images that cannot be read" in result.stdout
    )
    assert read == list(range(21))  # once each, for the sheet too
    assert (tmp_path / "sheet.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_crop_that_is_known_exactly_is_kept(fermobile: Callable[..., Any], faces: Path) -> None:
    path = faces / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "extra": {"framing": "exact", "seed": 1}}))
    refused = fermobile("data", "measure", faces, "--write")
    assert refused.exit_code == 2 and "--force" in refused.stderr
    assert fermobile("data", "measure", faces, "--write", "--force").exit_code == 0
    info = Dataset(faces).info
    assert info.crop is not None and info.extra == {"seed": 1} and not info.exactly_framed
