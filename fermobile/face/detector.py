"""Faces in a photo: boxes and six keypoints, by the MediaPipe models that come in its wheel (no network).

A photo is looked at up to three times:

1. whole, with the short-range model (2 ms): faces from about a sixth of the photo's side;
2. where that finds nothing, or in a large photo: whole and in overlapping square tiles, with the full-range
   model (5 ms each), for small faces;
3. each face close up, upright and at one scale, with the short-range model again.  Far away, the model's eye
   distance is off by up to a quarter; close up it is not, and a model's crop geometry is measured at this very
   scale.  The model takes a face on its head for one that stands, with a mouth for eyes, but is surer of it when
   the close-up is turned.  A face that is not seen again close up is dropped.

Bazarevsky et al. 2019, "BlazeFace: sub-millisecond neural face detection on mobile GPUs", is the model.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from ..contract import CropSpec
from ..errors import FaceGeometryError, ImageError
from ..stderr import silenced_stderr
from .alignment import DEFAULT_CROP, MIN_EYE_DISTANCE, align_face, eye_transform, map_points
from .mediapipe_import import import_mediapipe

#: A photo with a longer side than this many pixels is searched for small faces even when a large one was found.
LARGE = 1280

#: Lowest confidence of a face, as in MediaPipe.
_MIN_SCORE = 0.5

#: Side of what the models are given at most, twice their input's; more costs time and makes aliasing.
_SHORT_VIEW, _FULL_VIEW = 256, 384

_TILE = 256

#: In the search for small faces the photo is shrunk to these shorter and longer sides first, which shows faces down
#: to a thirtieth of the shorter side.
_SHORTER, _LONGER = 640, 4096

#: Close-up: the default crop with a quarter of its side added all around.
_MARGIN = 0.25
CLOSE_UP = CropSpec(
    eye_distance=DEFAULT_CROP.eye_distance / (1 + 2 * _MARGIN),
    eye_y=(DEFAULT_CROP.eye_y + _MARGIN) / (1 + 2 * _MARGIN),
)
_CLOSE_UP_SIZE = 256

#: Eye distance, and height of the eyes above the middle, of frontal faces in widths of the detector's box (medians on
#: FER2013).
_EYES_IN_BOX, _EYES_ABOVE_CENTRE = 0.43, 0.21

#: Close up the detector scores a standing face higher than this, or higher than the same face turned on its head.
_SURE = 0.8

#: A face that looks rolled by more than this many degrees close up, where it should be upright, is looked at again
#: from its new eyes, so often in all.
_UPRIGHT, _LOOKS = 20.0, 3


@dataclass(frozen=True)
class Face:
    """One face found.

    Attributes:
        box: x, y, width, height in pixels of the photo; may reach beyond its edge.
        score: the detector's confidence, 0 to 1.
        keypoints: float32 (6, 2), pixels, x then y: right eye, left eye, nose, mouth, right ear, left ear
            (the subject's; right is the viewer's left).
    """

    box: tuple[float, float, float, float]
    score: float
    keypoints: np.ndarray

    @property
    def area(self) -> float:
        """Area of the box in pixels."""
        return self.box[2] * self.box[3]


class Detector:
    """Finds faces; holds native models, so close it or use it in a ``with`` block.  Not for several threads at once.

    Args:
        tile: look again for small faces, as the module says; without it a photo takes a constant, short time.
    Raises:
        MissingExtraError: mediapipe is not installed.
    """

    def __init__(self, tile: bool = True) -> None:
        self._tile = tile
        self._short = _ShortRange()
        self._full: _FullRange | None = None  # made when first needed

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces of a uint8 RGB (H, W, 3) image; largest first, [] when there are none.

        Raises:
            ImageError: the array is not such an image.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ImageError(f"the face detector needs uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}")
        seen = [face if _is_tiny(face) else self._confirm(image, face) for face in self._short.find(image)]
        if self._tile and (not any(seen) or max(image.shape[:2]) > LARGE):
            seen += [self._confirm(image, face) for face in _merge(list(self._find_small(image)))]
        faces = [face for face in seen if face is not None]
        return sorted(_merge(faces), key=lambda face: -face.area)

    def _find_small(self, image: np.ndarray) -> Iterator[Face]:
        """Candidates of the full-range model in the whole photo and in its tiles, many of them twice."""
        full = self._full_range()
        yield from full.find(image)
        height, width = image.shape[:2]
        small = _shrink(image, min(1.0, _SHORTER / min(height, width), _LONGER / max(height, width)))
        scale = (width / small.shape[1], height / small.shape[0])
        for x, y in _tile_corners(small.shape[1], small.shape[0]):
            for face in full.find(small[y : y + _TILE, x : x + _TILE]):
                yield _placed(face, scale, (x, y))

    def _confirm(self, image: np.ndarray, face: Face) -> Face | None:
        """The face as seen close up; None when it is not seen there, or never upright."""
        for _ in range(_LOOKS):
            view, seen = face, self._close_up(image, face)
            if seen is None:  # eyes of a face in profile are too close together to tell its size
                view = _with_frontal_eyes(face)
                seen = self._close_up(image, view)
            if seen is None or seen.score < _SURE:
                turned = _turned(_with_frontal_eyes(face))
                other = self._close_up(image, turned)
                if other is not None and (seen is None or other.score > seen.score):
                    view, seen = turned, other
            if seen is None:
                return None
            if abs((_roll(seen) - _roll(view) + 180) % 360 - 180) <= _UPRIGHT:
                return seen
            face = seen
        return None

    def _close_up(self, image: np.ndarray, face: Face) -> Face | None:
        """The face as seen close up, turned by its eyes, in the photo's coordinates; None when it is not seen."""
        try:
            view = align_face(image, face.keypoints, CLOSE_UP, _CLOSE_UP_SIZE)
        except FaceGeometryError:
            return None
        expected = np.array([0.5, CLOSE_UP.eye_y]) * _CLOSE_UP_SIZE
        near = [(_distance(f.keypoints[:2].mean(axis=0), expected), f) for f in self._short.find(view)]
        offset, found = min(near, key=lambda pair: pair[0], default=(np.inf, face))
        if offset > CLOSE_UP.eye_distance * _CLOSE_UP_SIZE:
            return None  # a neighbour
        back = cv2.invertAffineTransform(eye_transform(face.keypoints, CLOSE_UP, _CLOSE_UP_SIZE))
        scale = float(np.hypot(back[0, 0], back[1, 0]))
        centre = map_points(back, _centre(found)[None])[0]
        width, height = found.box[2] * scale, found.box[3] * scale
        return replace(
            found,
            box=(float(centre[0] - width / 2), float(centre[1] - height / 2), width, height),
            keypoints=map_points(back, found.keypoints).astype(np.float32),
        )

    def _full_range(self) -> _FullRange:
        if self._full is None:
            self._full = _FullRange()
        return self._full

    def close(self) -> None:
        """Free the native models; harmless when done twice."""
        self._short.close()
        if self._full is not None:
            self._full.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _ShortRange:
    """The model and API that MediaPipe Tasks has on Android too."""

    def __init__(self) -> None:
        self._mp = mp = import_mediapipe()
        vision = mp.tasks.vision
        path = Path(str(mp.__file__)).parent / "modules/face_detection/face_detection_short_range.tflite"
        options = vision.FaceDetectorOptions(
            base_options=mp.tasks.BaseOptions(model_asset_path=str(path)), min_detection_confidence=_MIN_SCORE
        )
        with silenced_stderr():
            self._model: Any = vision.FaceDetector.create_from_options(options)
            self.find(np.zeros((8, 8, 3), np.uint8))  # the first call logs too

    def find(self, image: np.ndarray) -> list[Face]:
        view = _view(image, _SHORT_VIEW)
        result = self._model.detect(self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=view))
        size = np.array([image.shape[1], image.shape[0]], np.float64)
        shrink = size / [view.shape[1], view.shape[0]]
        faces = []
        for d in result.detections:
            b = d.bounding_box
            box = np.array([b.origin_x, b.origin_y, b.width, b.height]) * np.tile(shrink, 2)
            points = np.array([(k.x, k.y) for k in d.keypoints]) * size
            faces.append(_face(box, d.categories[0].score, points))
        return faces

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # closed before
            self._model.close()


class _FullRange:
    """Only mediapipe's older ``solutions`` run this model; Tasks accepts the file and then fails on every image."""

    def __init__(self) -> None:
        mp = import_mediapipe()
        with silenced_stderr():
            self._model: Any = mp.solutions.face_detection.FaceDetection(
                model_selection=1, min_detection_confidence=_MIN_SCORE
            )
            self.find(np.zeros((8, 8, 3), np.uint8))

    def find(self, image: np.ndarray) -> list[Face]:
        size = np.array([image.shape[1], image.shape[0]], np.float64)
        faces = []
        for d in self._model.process(_view(image, _FULL_VIEW)).detections or []:
            b = d.location_data.relative_bounding_box
            box = np.array([b.xmin, b.ymin, b.width, b.height]) * np.tile(size, 2)
            points = np.array([(k.x, k.y) for k in d.location_data.relative_keypoints]) * size
            faces.append(_face(box, d.score[0], points))
        return faces

    def close(self) -> None:
        with contextlib.suppress(ValueError):
            self._model.close()


def _face(box: np.ndarray, score: float, points: np.ndarray) -> Face:
    x, y, width, height = (float(v) for v in box)
    return Face((x, y, width, height), float(score), points.astype(np.float32))


def _placed(face: Face, scale: tuple[float, float], corner: tuple[int, int]) -> Face:
    """A face of a tile in the coordinates of the photo: the tile's corner is added, then x and y are scaled."""
    x, y, width, height = face.box
    box = ((x + corner[0]) * scale[0], (y + corner[1]) * scale[1], width * scale[0], height * scale[1])
    return Face(box, face.score, ((face.keypoints + corner) * scale).astype(np.float32))


def _shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """The image averaged down; itself, but contiguous, when the scale is 1 or more."""
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _view(image: np.ndarray, longest: int) -> np.ndarray:
    """The image for a model."""
    return _shrink(image, longest / max(image.shape[:2]))


def _tile_corners(width: int, height: int) -> Iterator[tuple[int, int]]:
    """x, y of square tiles that overlap by half, so that each small face is whole in one; none for a small image."""
    if 2 * max(width, height) < 3 * _TILE:
        return  # hardly closer than the whole photo
    for y in np.linspace(0, max(0, height - _TILE), _count(height)).astype(int):
        for x in np.linspace(0, max(0, width - _TILE), _count(width)).astype(int):
            yield int(x), int(y)


def _count(length: int) -> int:
    """Tiles along one side."""
    return 1 + max(0, -(-2 * (length - _TILE) // _TILE))


def _merge(faces: list[Face]) -> list[Face]:
    """The best-scored face of every group whose boxes overlap by 0.3 (intersection over union) or more."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if all(_overlap(face.box, other.box) < 0.3 for other in kept):
            kept.append(face)
    return kept


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def _is_tiny(face: Face) -> bool:
    """Whether a face is too small for a close-up: the caller shall say so."""
    return face.box[2] * _EYES_IN_BOX < MIN_EYE_DISTANCE


def _with_frontal_eyes(face: Face) -> Face:
    """The face with its eyes where its box would have them if it looked ahead, on a line of the same roll."""
    angle = math.radians(_roll(face))
    across, down = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    middle = _centre(face) - _EYES_ABOVE_CENTRE * face.box[2] * down
    half = _EYES_IN_BOX * face.box[2] / 2 * across
    return replace(face, keypoints=np.stack([middle - half, middle + half, *face.keypoints[2:]]).astype(np.float32))


def _turned(face: Face) -> Face:
    """The face upside down in its place."""
    return replace(face, keypoints=(2 * _centre(face) - face.keypoints).astype(np.float32))


def _centre(face: Face) -> np.ndarray:
    x, y, width, height = face.box
    return np.array([x + width / 2, y + height / 2])


def _roll(face: Face) -> float:
    """Angle of the line from the right to the left eye in degrees, clockwise positive."""
    x, y = face.keypoints[1] - face.keypoints[0]
    return math.degrees(math.atan2(y, x))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.hypot(*(a - b)))
