"""The framing of cropped faces is measured, and is what the crops were made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.errors import DatasetError
from fermobile.face.alignment import DEFAULT_CROP, align_face
from fermobile.face.detector import Detector
from fermobile.face.geometry import draw_measurement, eye_geometry, measure_crop


def _crops(portrait: np.ndarray, detector: Detector, crop: CropSpec, count: int) -> list[np.ndarray]:
    """The portrait's face in crops of one framing, of several sizes, every other one mirrored."""
    eyes = detector.detect(portrait)[0].keypoints
    sizes = (48, 64, 96, 160)
    faces = [align_face(portrait, eyes, crop, sizes[i % len(sizes)]) for i in range(count)]
    return [face[:, ::-1].copy() if i % 2 else face for i, face in enumerate(faces)]


@pytest.mark.parametrize("crop", [DEFAULT_CROP, CropSpec(eye_distance=0.30, eye_y=0.45)])
def test_the_framing_of_aligned_crops_is_measured(portrait: np.ndarray, detector: Detector, crop: CropSpec) -> None:
    result = measure_crop(_crops(portrait, detector, crop, 20), detector)
    assert result.crop.eye_distance == pytest.approx(crop.eye_distance, abs=0.015)
    assert result.crop.eye_y == pytest.approx(crop.eye_y, abs=0.015)
    assert result.quartiles["eye_x"][1] == pytest.approx(0.5, abs=0.01)
    assert result.quartiles["roll"][1] == pytest.approx(0, abs=3)
    assert result.found.all()
    assert result.frontal.all()


def test_images_without_a_face_are_counted(portrait: np.ndarray, detector: Detector) -> None:
    faces = _crops(portrait, detector, DEFAULT_CROP, 20)
    blank = np.full((48, 48, 3), 100, np.uint8)
    result = measure_crop([blank, *faces, blank], detector)
    assert result.found.tolist() == [False, *[True] * 20, False]
    assert result.frontal.tolist() == result.found.tolist()


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_faces_are_refused(detector: Detector, count: int) -> None:
    with pytest.raises(DatasetError, match=f"found in 0 of {count} images"):
        measure_crop([np.zeros((48, 48, 3), np.uint8)] * count, detector)


def test_eye_geometry_of_known_points() -> None:
    face = np.zeros((6, 2), np.float32)
    face[:3] = (0.2, 0.4), (0.6, 0.7), (0.4 + 0.08, 0.55 + 0.06)  # 3-4-5 triangle; nose a fifth off along the line
    shape = eye_geometry(face[None])
    assert shape["eye_distance"][0] == pytest.approx(0.5)
    assert (shape["eye_x"][0], shape["eye_y"][0]) == (pytest.approx(0.4), pytest.approx(0.55))
    assert shape["roll"][0] == pytest.approx(36.87, abs=0.01)
    assert shape["turn"][0] == pytest.approx(0.2)


def test_faces_in_too_few_of_the_images_are_refused(portrait: np.ndarray, detector: Detector) -> None:
    empty = [np.full((64, 64, 3), 90, np.uint8)] * 21
    with pytest.raises(DatasetError, match=r"found in 20 of 41 images.*at least 50%"):
        measure_crop([*_crops(portrait, detector, DEFAULT_CROP, 20), *empty], detector)


def test_the_sheet_marks_the_eyes(portrait: np.ndarray, detector: Detector) -> None:
    faces = _crops(portrait, detector, DEFAULT_CROP, 20)
    sheet = draw_measurement(measure_crop(faces, detector))
    assert (sheet.shape, sheet.dtype) == ((768, 768, 3), np.uint8)
    assert np.abs(sheet[307, 242].astype(int) - 255).max() < 30  # the white cross at (0.315, 0.40)


def test_fer2013_is_framed_as_the_default_crop(shared: Path, detector: Detector) -> None:
    with np.load(shared / "data" / "fer2013_plus.npz") as source:
        images = source["images"][source["usage"] == "Training"]
    chosen = images[np.random.default_rng(1).choice(len(images), 120, replace=False)]
    result = measure_crop(np.repeat(chosen[..., None], 3, axis=3), detector)
    assert result.found.mean() > 0.92
    assert result.crop.eye_distance == pytest.approx(DEFAULT_CROP.eye_distance, abs=0.02)
    assert result.crop.eye_y == pytest.approx(DEFAULT_CROP.eye_y, abs=0.02)
