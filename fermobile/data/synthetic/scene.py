"""What is random about a picture besides person and expression: pose, light and framing; and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...contract import CropSpec
from .head import AXIS_Z

_PIVOT = np.array([0.0, 0.0, AXIS_Z], np.float32)
_CAMERA = 7.0  # distance in eye-corner distances, about 65 cm


@dataclass(frozen=True)
class Scene:
    """What is random about one picture besides the person and the expression.

    Attributes:
        yaw, pitch, roll: head pose, radians; yaw > 0 turns to the viewer's right, pitch > 0 looks down.
        light: unit vector towards the key light, head-independent.
        key, ambient: strength of the key light and of the light from everywhere.
        tint: RGB gain.
        gaze: (x, y) of the eyes, in eye-corner distances.
        noise, blur: of the camera, in grey levels and in output pixels.
        cloth: RGB of the clothes.
        seed: of background and sensor noise.
    """

    yaw: float
    pitch: float
    roll: float
    light: np.ndarray
    key: float
    ambient: float
    tint: np.ndarray
    gaze: tuple[float, float]
    noise: float
    blur: float
    cloth: np.ndarray
    seed: int


def random_scene(rng: np.random.Generator) -> Scene:
    """A head-and-shoulders picture under everyday light."""
    yaw, pitch, roll = np.clip(rng.normal(0, [0.17, 0.09, 0.07]), -0.45, 0.45)
    light = np.array([rng.normal(0, 0.5), rng.normal(-0.45, 0.25), -1.0])
    key = rng.uniform(0.45, 0.85)
    return Scene(
        yaw=float(yaw),
        pitch=float(pitch),
        roll=float(roll),
        light=(light / np.linalg.norm(light)).astype(np.float32),
        key=float(key),
        ambient=float(rng.uniform(0.92, 1.12) - 0.8 * key),
        tint=np.clip(rng.normal(1.0, [0.05, 0.02, 0.06]), 0.85, 1.15).astype(np.float32),
        gaze=(float(np.clip(rng.normal(0, 0.02), -0.04, 0.04)), float(np.clip(rng.normal(0, 0.008), -0.02, 0.02))),
        noise=float(rng.uniform(0.5, 4.0)),
        blur=float(rng.uniform(0.0, 0.6)),
        cloth=rng.uniform(20, 220, 3).astype(np.float32),
        seed=int(rng.integers(2**31)),
    )


def plain_scene() -> Scene:
    """Frontal, soft light: for contact sheets and tests."""
    light = np.array([-0.25, -0.45, -1.0], np.float32)
    return Scene(0, 0, 0, light / np.linalg.norm(light), 0.65, 0.5, np.ones(3, np.float32), (0, 0), 0.0, 0.0,
                 np.array([70, 80, 100], np.float32), 0)  # fmt: skip


@dataclass(frozen=True)
class PhotoFraming:
    """The head somewhere in a square photo: eye-corner distance and position of the face, as fractions of its side."""

    scale: float = 0.34
    centre: tuple[float, float] = (0.5, 0.5)


def random_photo(rng: np.random.Generator) -> PhotoFraming:
    """A head that fills half to three quarters of the photo's height."""
    x, y = np.clip(rng.normal([0.5, 0.48], 0.04), 0.38, 0.62)
    return PhotoFraming(scale=float(rng.uniform(0.22, 0.36)), centre=(float(x), float(y)))


def light_at(normals: np.ndarray, scene: Scene) -> np.ndarray:
    """Key light, light from everywhere, and less of it from below, float32 (N,)."""
    return np.asarray(
        scene.ambient * (1 - 0.18 * normals[:, 1]) + scene.key * np.clip(normals @ scene.light, 0, 1), np.float32
    )


class Camera:
    """Turns points of the head into canvas pixels."""

    def __init__(self, scene: Scene) -> None:
        self.rotation = _rotation(scene.yaw, scene.pitch, scene.roll)
        self.body = _rotation(scene.yaw * 0.3, scene.pitch * 0.2, scene.roll * 0.3)
        self._linear = np.eye(2, dtype=np.float32)
        self._offset = np.zeros(2, np.float32)

    @property
    def scale(self) -> float:
        """Canvas pixels per eye-corner distance."""
        return float(np.hypot(*self._linear[0]))

    def pose(self, points: np.ndarray) -> np.ndarray:
        """Turn points with the head."""
        return np.asarray((points - _PIVOT) @ self.rotation.T + _PIVOT, np.float32)

    def pose_body(self, points: np.ndarray) -> np.ndarray:
        """Turn points with the trunk, which follows the head a little."""
        return np.asarray((points - _PIVOT) @ self.body.T + _PIVOT, np.float32)

    def project(self, posed: np.ndarray) -> np.ndarray:
        """Perspective, then the framing; float32 (N, 2) canvas pixels."""
        flat = posed[:, :2] * (_CAMERA / (_CAMERA + posed[:, 2:]))
        return np.asarray(flat @ self._linear.T + self._offset, np.float32)

    def frame(self, framing: CropSpec | PhotoFraming, anchors: np.ndarray, side: int) -> None:
        """Fix where the head, whose posed keypoints are given, lies on a canvas of ``side`` pixels."""
        if isinstance(framing, PhotoFraming):
            self._linear = np.eye(2, dtype=np.float32) * np.float32(framing.scale * side)
            self._offset = np.array(framing.centre, np.float32) * side
            return
        right_eye, left_eye = self.project(anchors[:2])
        dx, dy = left_eye - right_eye
        scale = framing.eye_distance * side / (dx * dx + dy * dy)
        self._linear = np.array([[dx, dy], [-dy, dx]], np.float32) * np.float32(scale)
        middle = self._linear @ ((left_eye + right_eye) / 2)
        self._offset = np.array([0.5 * side, framing.eye_y * side], np.float32) - middle


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)
