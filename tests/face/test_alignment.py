"""The eyes of an aligned face lie where the crop says, whatever the photo."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.contract import CropSpec
from fermobile.errors import FaceGeometryError
from fermobile.face.alignment import DEFAULT_CROP, align_face, eye_transform, map_points

CROPS = st.builds(CropSpec, eye_distance=st.floats(0.2, 0.6), eye_y=st.floats(0.25, 0.6))


def _eyes(center: tuple[float, float], distance: float, degrees: float) -> np.ndarray:
    """Right and left eye, (2, 2)."""
    half = distance / 2 * np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    return np.array([center - half, center + half])


def _photo(eyes: np.ndarray, side: int = 400) -> np.ndarray:
    """A red spot at the right eye and a blue one at the left, soft, on black; continuous coordinates."""
    distance = np.hypot(*(eyes[1] - eyes[0]))
    y, x = np.mgrid[:side, :side] + 0.5
    photo = np.zeros((side, side, 3))
    for channel, (eye_x, eye_y) in zip((0, 2), eyes, strict=True):
        photo[..., channel] = 255 * np.exp(-((x - eye_x) ** 2 + (y - eye_y) ** 2) / (2 * (0.1 * distance) ** 2))
    return photo.round().astype(np.uint8)


def _centroid(channel: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: channel.shape[0], : channel.shape[1]] + 0.5
    weight = channel.astype(float)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@given(
    crop=CROPS,
    size=st.integers(16, 512),
    center=st.tuples(st.floats(-50, 4000), st.floats(-50, 4000)),
    distance=st.floats(8, 2000),
    degrees=st.floats(-180, 180),
)
def test_transform_puts_the_eyes_where_the_crop_says(
    crop: CropSpec, size: int, center: tuple[float, float], distance: float, degrees: float
) -> None:
    eyes = _eyes(center, distance * 1.001, degrees)
    expected = [[0.5 - crop.eye_distance / 2, crop.eye_y], [0.5 + crop.eye_distance / 2, crop.eye_y]]
    np.testing.assert_allclose(map_points(eye_transform(eyes, crop, size), eyes) / size, expected, atol=1e-6)


@given(
    crop=CROPS,
    size=st.sampled_from([48, 96, 224]),
    center=st.tuples(st.floats(170, 230), st.floats(170, 230)),
    distance=st.floats(20, 200),
    degrees=st.floats(-180, 180),
)
def test_eyes_land_within_half_a_pixel(
    crop: CropSpec, size: int, center: tuple[float, float], distance: float, degrees: float
) -> None:
    eyes = _eyes(center, distance, degrees)
    face = align_face(_photo(eyes), eyes, crop, size)
    assert face.shape == (size, size, 3)
    assert face.dtype == np.uint8
    for channel, side in ((0, -1), (2, 1)):  # red stays red: the crop is RGB like the photo
        expected = np.array([0.5 + side * crop.eye_distance / 2, crop.eye_y]) * size
        # a spot that the crop's edge cuts has another centroid
        if np.all(np.abs(expected - size / 2) < size / 2 - 0.35 * crop.eye_distance * size):
            assert np.hypot(*(_centroid(face[..., channel]) - expected)) < 0.5


@pytest.mark.parametrize("degrees", [-150, -45, -10, 30, 90])
def test_a_rolled_photo_gives_the_same_crop(portrait: np.ndarray, degrees: float) -> None:
    eyes = np.array([[204.4, 103.7], [246.9, 105.8]])
    center = eyes.mean(axis=0)
    turn = cv2.getRotationMatrix2D((center[0] - 0.5, center[1] - 0.5), degrees, 1.0)
    rolled = cv2.warpAffine(portrait, turn, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rolled_eyes = (eyes - center) @ turn[:, :2].T + center
    straight = align_face(portrait, eyes, DEFAULT_CROP, 96).astype(int)
    again = align_face(rolled, rolled_eyes, DEFAULT_CROP, 96).astype(int)
    assert np.abs(straight - again).mean() < 4


def test_a_much_larger_face_is_averaged_not_sampled() -> None:
    photo = np.zeros((1600, 1600, 3), np.uint8)
    photo[::2, ::2] = photo[1::2, 1::2] = 255  # sampling gives black and white, averaging grey
    face = align_face(photo, _eyes((800, 640), 592, 7), DEFAULT_CROP, 96)
    assert np.abs(face.astype(int) - 128).max() < 20


def test_beyond_the_edge_the_last_pixels_go_on() -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[:, :50] = (10, 20, 30)
    photo[:, 50:] = (200, 100, 50)
    face = align_face(photo, _eyes((50, 50), 90, 0), CropSpec(0.3, 0.5), 60)
    assert face[5, 5].tolist() == face[30, 0].tolist() == [10, 20, 30]
    assert face[55, 55].tolist() == [200, 100, 50]


def test_a_panorama_wider_than_opencv_warps() -> None:
    photo = np.zeros((60, 40_000, 3), np.uint8)
    photo[:, 39_000:] = 200
    assert (align_face(photo, _eyes((39_500, 30), 20, 0), DEFAULT_CROP, 48) == 200).all()


def test_a_face_outside_the_photo_is_its_edge() -> None:
    photo = np.full((50, 50, 3), 7, np.uint8)
    assert (align_face(photo, _eyes((900, -400), 20, 15), DEFAULT_CROP, 32) == 7).all()


@pytest.mark.parametrize(
    ("eyes", "why"),
    [
        ([[10, 10], [17.9, 10]], "7.9 pixels apart"),
        ([[10, 10], [10, 10]], "0.0 pixels apart"),
        ([[10, 10], [np.nan, 10]], "no finite position"),
        ([[-np.inf, 10], [10, 10]], "no finite position"),
        ([[-1e9, 10], [1e9, 10]], "further apart than the photo"),
    ],
)
def test_impossible_eyes_are_refused(eyes: list[list[float]], why: str) -> None:
    with pytest.raises(FaceGeometryError, match=why):
        align_face(np.zeros((60, 80, 3), np.uint8), np.array(eyes), DEFAULT_CROP, 96)
