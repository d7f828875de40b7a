"""From the two eyes of a face to the upright square crop that a model's contract asks for.

Coordinates are continuous: (0, 0) is the outer corner of the first pixel and (W, H) that of the last, so that
a fraction of the image's side means the same at every resolution.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..contract import CropSpec
from ..data.readers import fer2013
from ..errors import FaceGeometryError

#: Framing of FER2013, as ``fermobile data measure`` finds it on its training images; the default for new sets,
#: so that models trained on either can be compared.
DEFAULT_CROP = fer2013.CROP

#: Eyes closer than this cannot tell the roll of a face: one pixel of error turns it by 7 degrees.
MIN_EYE_DISTANCE = 8.0


def eye_transform(keypoints: np.ndarray, crop: CropSpec, size: int) -> np.ndarray:
    """The similarity transform that takes a photo's coordinates to the crop's.

    Args:
        keypoints: (2 or more, 2), pixels, x then y: right eye, left eye (the subject's; right is the viewer's left).
        crop: where the eyes shall lie.
        size: side of the crop in pixels.
    Returns:
        float64 (2, 3), for continuous coordinates.
    Raises:
        FaceGeometryError: the eyes are closer than 8 pixels, or not finite numbers.
    """
    right, left = np.asarray(keypoints, np.float64)[:2]
    dx, dy = left - right
    distance = math.hypot(dx, dy)
    if not math.isfinite(distance):
        raise FaceGeometryError("the eyes have no finite position")
    if distance < MIN_EYE_DISTANCE:
        raise FaceGeometryError(f"the eyes are {distance:.1f} pixels apart; at least {MIN_EYE_DISTANCE:g} are needed")
    scale = crop.eye_distance * size / distance
    cos, sin = scale * dx / distance, scale * dy / distance
    linear = np.array([[cos, sin], [-sin, cos]])
    target = np.array([0.5 * size, crop.eye_y * size])
    return np.column_stack([linear, target - linear @ (right + left) / 2])


def align_face(image: np.ndarray, keypoints: np.ndarray, crop: CropSpec, size: int) -> np.ndarray:
    """Warp one face upright by the similarity transform that levels the eyes.

    A face larger than the crop is averaged down, not sampled; beyond the photo's edge its last pixels go on.

    Args:
        image: uint8 RGB, (H, W, 3).
        keypoints: (2 or more, 2), pixels, x then y: right eye, left eye.
        crop: where the eyes shall lie.
        size: side of the crop in pixels.
    Returns:
        uint8 RGB, (size, size, 3).
    Raises:
        FaceGeometryError: the eyes are closer than 8 pixels, further apart than the photo is wide, or not finite.
    """
    matrix = eye_transform(keypoints, crop, size)
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    height, width = image.shape[:2]
    if crop.eye_distance * size / scale > math.hypot(width, height):
        raise FaceGeometryError("the eyes are further apart than the photo is wide")
    image, matrix = _cut(image, matrix, size)
    # Drawing at a whole multiple at which no pixel of the photo is skipped, then averaging, is free of aliasing.
    multiple = math.ceil(1 / scale)
    matrix = matrix * multiple
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from the first pixel's centre
    side = size * multiple
    warped = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped if multiple == 1 else cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


def map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 2) through an affine (2, 3) transform, float64."""
    return np.asarray(np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2])


def _cut(image: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo that the crop needs, and the transform from there: warpAffine stops at 32,767 pixels."""
    corners = map_points(cv2.invertAffineTransform(matrix), np.array([[0, 0], [size, 0], [0, size], [size, size]]))
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)) - 2, 0, limits - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 2, low + 1, limits).astype(int)
    shifted = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ low])
    return image[low[1] : high[1], low[0] : high[0]], shifted
