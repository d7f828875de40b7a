"""Pose, light, background and framing of one render, and the drawing itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np

from ...contract import CropSpec
from .details import draw_eyes, draw_lashes, draw_mouth, draw_neck
from .expressions import UNITS, Expression
from .head import AXIS_Z, Head
from .raster import cover, interpolate, vertex_normals
from .skin import add_folds, paint_subject
from .subjects import Subject

_PIVOT = np.array([0.0, 0.0, AXIS_Z], np.float32)
_CAMERA = 7.0  # distance in eye-corner distances, about 65 cm
_SUPERSAMPLE = 2


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


def render(
    head: Head,
    subject: Subject,
    expression: Expression,
    scene: Scene,
    framing: CropSpec | PhotoFraming,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one face.

    Returns:
        uint8 RGB (size, size, 3), and the six keypoints, float32 (6, 2) pixels: right eye, left eye, nose tip,
        mouth, right ear, left ear.
    """
    neutral = head.neutral(subject.shape)
    vertices = neutral + head.displacement(expression.activation)
    outwards = vertices - np.array([0.0, -0.4, AXIS_Z], np.float32)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    volume = 0.0 if subject.hair_style == "bald" else subject.hair_volume
    vertices = vertices + outwards * (head.hair_weight * volume)[:, None]

    camera = _Camera(scene)
    posed = camera.pose(vertices)
    keypoints = camera.project(camera.pose(_keypoints_3d(head, vertices)))
    camera.frame(framing, keypoints[0], keypoints[1], size)
    canvas = _background(scene.seed, size * _SUPERSAMPLE)
    draw_neck(canvas, camera, subject, scene)
    draw_eyes(canvas, camera, head, neutral, posed, subject, scene)
    draw_mouth(canvas, camera, head, neutral, posed, expression, scene)
    _draw_mesh(canvas, camera, head, posed, subject, expression, scene)
    draw_lashes(canvas, camera, head, posed, subject)
    image = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return _develop(image, scene), (camera.project(camera.pose(_keypoints_3d(head, vertices))) / _SUPERSAMPLE)


def _keypoints_3d(head: Head, vertices: np.ndarray) -> np.ndarray:
    """Eye centres (between the corners: they do not move with the lids), nose, mouth and ears, (6, 3)."""
    r = head.regions
    middle = r["lips_upper"].shape[1] // 2
    mouth = (vertices[r["lips_upper"][-1][middle]] + vertices[r["lips_lower"][-1][middle]]) / 2
    eyes = vertices[r["eye_corners"]].mean(axis=1)
    return np.concatenate([eyes, vertices[r["nose"]], mouth[None], vertices[r["ears"]]])


class _Camera:
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

    def frame(self, framing: CropSpec | PhotoFraming, right_eye: np.ndarray, left_eye: np.ndarray, size: int) -> None:
        """Fix where the head lies on the canvas; the eyes are given unframed."""
        side = size * _SUPERSAMPLE
        if isinstance(framing, PhotoFraming):
            self._linear = np.eye(2, dtype=np.float32) * np.float32(framing.scale * side)
            self._offset = np.array(framing.centre, np.float32) * side
            return
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


def _draw_mesh(
    canvas: np.ndarray,
    camera: _Camera,
    head: Head,
    posed: np.ndarray,
    subject: Subject,
    expression: Expression,
    scene: Scene,
) -> None:
    """Rasterise the head over the canvas: texture times light plus a little gloss."""
    points = camera.project(posed)
    triangles = head.triangles
    if subject.hair_style == "long":
        triangles = triangles[~np.isin(triangles[:, 0], head.ear_vertices)]
    normals = vertex_normals(posed, triangles)
    half = scene.light + np.array([0, 0, -1], np.float32)
    gloss = np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** 14
    values = np.column_stack([head.uv, light_at(normals, scene), gloss * 26 * scene.key]).astype(np.float32)
    height, width = canvas.shape[:2]
    seen = cover(points, posed[:, 2], triangles, height, width)
    pixels, attributes = interpolate(seen, points, triangles, values)
    maps = np.zeros((4, height * width), np.float32)
    maps[:, pixels] = attributes.T
    u, v, shade, shine = maps.reshape(4, height, width)
    texture = add_folds(_texture(subject), expression.activation, UNITS)
    skin = cv2.remap(texture, u - 0.5, v - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lit = cv2.multiply(skin, cv2.merge([shade] * 3), dtype=cv2.CV_32F)
    lit += shine[..., None]
    np.copyto(canvas, np.clip(lit, 0, 255).astype(np.uint8), where=(seen >= 0)[..., None])


def light_at(normals: np.ndarray, scene: Scene) -> np.ndarray:
    """Key light, light from everywhere, and less of it from below, float32 (N,)."""
    return np.asarray(
        scene.ambient * (1 - 0.18 * normals[:, 1]) + scene.key * np.clip(normals @ scene.light, 0, 1), np.float32
    )


_textures: OrderedDict[str, tuple[Subject, np.ndarray]] = OrderedDict()


def _texture(subject: Subject) -> np.ndarray:
    """The subject's painted texture; the last few are kept, because a person's faces come one after another."""
    known = _textures.get(subject.name)
    if known is None or known[0] is not subject:
        known = _textures[subject.name] = (subject, paint_subject(subject))
        if len(_textures) > 8:
            _textures.popitem(last=False)
    return known[1]


def _background(seed: int, side: int) -> np.ndarray:
    """A blurred room: a gradient and a few soft patches, uint8 RGB."""
    rng = np.random.default_rng([seed, 7])
    base = rng.uniform(30, 220, 3)
    coarse = base + rng.normal(0, rng.uniform(5, 35), (3, 3, 3)) + rng.normal(0, 12, (3, 3, 1))
    room = cv2.resize(coarse.astype(np.float32), (24, 24), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(0, 4)):
        x, y, w, h = rng.integers(0, 24, 4)
        room[y : y + h // 2 + 2, x : x + w // 2 + 2] = rng.uniform(20, 235, 3)
    room = np.clip(room, 0, 255).astype(np.uint8)
    return cv2.resize(room, (side, side), interpolation=cv2.INTER_LINEAR)


def _develop(image: np.ndarray, scene: Scene) -> np.ndarray:
    """White balance, lens blur and sensor noise."""
    out = image.astype(np.float32) * scene.tint
    if scene.blur > 0.25:
        out = cv2.GaussianBlur(out, (0, 0), scene.blur)
    if scene.noise:
        rng = np.random.default_rng([scene.seed, 8])
        out += rng.standard_normal(out.shape, np.float32) * np.float32(scene.noise)
    return np.asarray(np.clip(out + 0.5, 0, 255).astype(np.uint8))
