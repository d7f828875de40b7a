"""The landmarks and blendshapes of a cropped face, by MediaPipe's FaceLandmarker (a file that the user gives).

Grishchenko et al. 2023, "Blendshapes GHUM: real-time monocular facial blendshape prediction".
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import ModelFileError
from ..stderr import silenced_stderr
from .geometry import with_air
from .mediapipe_import import import_mediapipe


@dataclass(frozen=True)
class Landmarks:
    """What the landmarker sees in one face.

    Attributes:
        points: float32 (478, 2), x then y, in one unit on both axes; MediaPipe's face mesh, then the irises.
        blendshapes: 0..1 each, by their ARKit names (``mouthSmileLeft`` …), 52 in all.
    """

    points: np.ndarray
    blendshapes: Mapping[str, float]


class Landmarker:
    """Finds the landmarks of faces; holds native models, so close it or use it in a ``with`` block.

    Args:
        path: ``face_landmarker.task``, as Google publishes it for MediaPipe Tasks.
    Raises:
        ModelFileError: the file is missing, or is no face landmarker with blendshapes.
        MissingExtraError: mediapipe is not installed.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file; give MediaPipe's face_landmarker.task")
        self._mp = mp = import_mediapipe()
        vision = mp.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=mp.tasks.BaseOptions(model_asset_path=str(path)), output_face_blendshapes=True
        )
        with silenced_stderr():
            try:
                self._model: Any = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError):  # what MediaPipe says names files inside the bundle, not what is wrong
                raise ModelFileError(
                    f"{path} is not a face landmarker with blendshapes; give MediaPipe's face_landmarker.task"
                ) from None
            self.find(np.zeros((8, 8, 3), np.uint8))  # the first call logs too

    def find(self, face: np.ndarray) -> Landmarks | None:
        """The landmarks of a cropped face, uint8 RGB (H, W, 3); None where none are found."""
        view = with_air(face)
        seen = self._model.detect(self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=view))
        if not seen.face_landmarks:
            return None
        points = np.array([(p.x, p.y) for p in seen.face_landmarks[0]], np.float32)
        return Landmarks(points, {c.category_name: c.score for c in seen.face_blendshapes[0]})

    def close(self) -> None:
        """Free the native models; harmless when done twice."""
        with contextlib.suppress(ValueError):  # closed before
            self._model.close()

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
