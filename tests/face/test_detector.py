"""Faces are found once each, near and far, upright and rolled, and nothing is found where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fermobile.errors import ImageError
from fermobile.face.detector import Detector, Face, _merge

#: Pupils of the portrait, read off by eye: the subject's right and left.
PUPILS = np.array([[203.5, 106.0], [246.5, 107.5]])


def _assert_portrait(face: Face, scale: float = 1.0, offset: tuple[float, float] = (0, 0)) -> None:
    """The face is the portrait's, found where it is: within a tenth of the eye distance."""
    expected = PUPILS * scale + offset
    error = np.hypot(*(face.keypoints[:2] - expected).T)
    assert error.max() < 0.1 * np.hypot(*(expected[1] - expected[0]))


def test_one_face(detector: Detector, portrait: np.ndarray) -> None:
    (face,) = detector.detect(portrait)
    _assert_portrait(face)
    x, y, width, height = face.box
    assert face.area == width * height
    assert 0.8 < face.score <= 1
    assert face.keypoints.dtype == np.float32
    assert face.keypoints.shape == (6, 2)
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.keypoints
    assert x < right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0] < x + width
    assert y < right_eye[1] < nose[1] < mouth[1] < y + height


@pytest.mark.parametrize(
    "image",
    [
        np.full((512, 512, 3), 127, np.uint8),
        np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((1, 3000, 3), np.uint8),
        np.full((1400, 900, 3), 127, np.uint8),
    ],
    ids=["blank", "noise", "1x1", "line", "large"],
)
def test_no_face(detector: Detector, image: np.ndarray) -> None:
    assert detector.detect(image) == []


@pytest.mark.parametrize("times", [2, 4])
def test_every_small_face_once(detector: Detector, portrait: np.ndarray, times: int) -> None:
    faces = detector.detect(np.tile(portrait, (times, times, 1)))
    assert len(faces) == times * times
    places = {tuple(int(v) for v in face.keypoints[2] // 512) for face in faces}
    assert len(places) == times * times
    for face in faces:
        _assert_portrait(face, offset=tuple(face.keypoints[2] // 512 * 512))
    assert [f.area for f in faces] == sorted((f.area for f in faces), reverse=True)


def test_a_face_at_the_side_of_a_wide_picture(detector: Detector, portrait: np.ndarray) -> None:
    (face,) = detector.detect(np.concatenate([np.zeros((512, 1500, 3), np.uint8), portrait], axis=1))
    _assert_portrait(face, offset=(1500, 0))


def test_a_large_and_a_small_face_largest_first(detector: Detector, portrait: np.ndarray) -> None:
    picture = np.full((1500, 1500, 3), 90, np.uint8)
    picture[:1024, :1024] = cv2.resize(portrait, (1024, 1024))
    picture[1100:1356, 1200:1456] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    large, small = detector.detect(picture)
    _assert_portrait(large, scale=2)
    _assert_portrait(small, scale=0.5, offset=(1200, 1100))


@pytest.mark.parametrize("size", [128, 300, 1024, 2048])
def test_the_size_of_the_photo_hardly_moves_the_eyes(detector: Detector, portrait: np.ndarray, size: int) -> None:
    resized = cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA)
    (face,) = detector.detect(resized)
    _assert_portrait(face, scale=size / 512)


def test_distance_hardly_changes_the_eye_distance(detector: Detector, portrait: np.ndarray) -> None:
    """The reason for the close-up: without it, it is 9 % off here."""
    head = portrait[20:220, 125:325]
    near, far = detector.detect(head)[0].keypoints, detector.detect(portrait)[0].keypoints
    assert np.hypot(*(far[1] - far[0])) == pytest.approx(np.hypot(*(near[1] - near[0])), rel=0.03)


@pytest.mark.parametrize("degrees", [30, 60, 90, 120, 180, 210, 270, 300, 330])
def test_a_rolled_face_has_its_eyes_where_they_are(detector: Detector, portrait: np.ndarray, degrees: int) -> None:
    """The detector itself takes a face on its head for a standing one; its mouth would be the eyes."""
    head = portrait[10:240, 110:340]
    turn = cv2.getRotationMatrix2D((115, 100), degrees, 1.0)
    turn[:, 2] += (135, 150)
    rolled = cv2.warpAffine(head, turn, (500, 500), borderMode=cv2.BORDER_REPLICATE)
    (face,) = detector.detect(rolled)
    eyes = (PUPILS - (110, 10)) @ turn[:, :2].T + turn[:, 2]
    error = np.hypot(*(face.keypoints[:2] - eyes).T)
    assert error.max() < 0.1 * np.hypot(*(PUPILS[1] - PUPILS[0]))


def test_what_is_not_seen_close_up_is_no_face(
    detector: Detector, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Detector, "_close_up", lambda *_: None)
    assert detector.detect(portrait) == []


def test_a_tiny_picture(detector: Detector, portrait: np.ndarray) -> None:
    (face,) = detector.detect(cv2.resize(portrait, (48, 48), interpolation=cv2.INTER_AREA))
    assert np.abs(face.keypoints[:2] - PUPILS * 48 / 512).max() < 1  # pixel; the eyes are 4 apart


def test_without_tiles_small_faces_are_left_out(portrait: np.ndarray) -> None:
    with Detector(tile=False) as detector:
        assert len(detector.detect(portrait)) == 1
        assert detector.detect(np.tile(portrait, (4, 4, 1))) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_only_rgb_bytes(detector: Detector, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match="uint8"):
        detector.detect(image)


def test_merging_keeps_the_best_of_overlapping_boxes() -> None:
    points = np.zeros((6, 2), np.float32)
    worse = Face((0, 0, 100, 100), 0.6, points)
    best = Face((10, 5, 100, 100), 0.9, points)
    other = Face((90, 0, 100, 100), 0.7, points)
    assert _merge([worse, best, other]) == [best, other]
