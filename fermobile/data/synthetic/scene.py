"""Pose, light, background and framing of one render, and the drawing itself."""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from ...contract import CropSpec
from .details import draw_eyes, draw_lashes, draw_mouth, draw_neck
from .expressions import UNITS, Expression
from .head import AXIS_Z, Head
from .raster import cover, interpolate, vertex_normals
from .skin import fold_shade, paint_subject
from .subjects import Subject

_PIVOT = np.array([0.0, 0.0, AXIS_Z], np.float32)
_CAMERA = 7.0  # distance in eye-corner distances, about 65 cm
_SUPERSAMPLE = 1.5


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
    person = _person(head, subject)
    vertices = person.neutral + head.displacement(expression.activation)
    camera = _Camera(scene)
    anchors = camera.pose(_keypoints_3d(head, vertices))
    canvas = _background(scene.seed, round(size * _SUPERSAMPLE))
    camera.frame(framing, anchors, canvas.shape[0])
    posed = camera.pose(vertices + person.hair)
    draw_neck(canvas, camera, subject, scene)
    draw_eyes(canvas, camera, head, person.neutral, posed, subject, scene)
    draw_mouth(canvas, camera, head, person.neutral, posed, expression, scene)
    _draw_mesh(canvas, camera, head, posed, person, expression, scene)
    draw_lashes(canvas, camera, head, posed, subject)
    keypoints = camera.project(anchors) * np.float32(size / canvas.shape[0])
    return _develop(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), scene), keypoints


def _keypoints_3d(head: Head, vertices: np.ndarray) -> np.ndarray:
    """Eye centres (between the corners: they do not move with the lids), nose, mouth and ears, (6, 3)."""
    r = head.regions
    middle = r["lips_upper"].shape[1] // 2
    mouth = (vertices[r["lips_upper"][-1][middle]] + vertices[r["lips_lower"][-1][middle]]) / 2
    eyes, nose, ears = (vertices[r[name]].mean(axis=1) for name in ("eye_corners", "nose", "ears"))
    return np.concatenate([eyes, nose, mouth[None], ears])


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


def _draw_mesh(
    canvas: np.ndarray,
    camera: _Camera,
    head: Head,
    posed: np.ndarray,
    person: _Person,
    expression: Expression,
    scene: Scene,
) -> None:
    """Rasterise the head over the canvas: texture times light plus a little gloss."""
    points = camera.project(posed)
    triangles = head.triangles
    if person.subject.hair_style == "long":
        triangles = triangles[~np.isin(triangles[:, 0], head.ear_vertices)]
    normals = vertex_normals(posed, triangles)
    half = scene.light + np.array([0, 0, -1], np.float32)
    gloss = np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** 14
    values = np.column_stack([head.uv - 0.5, light_at(normals, scene), gloss * 26 * scene.key]).astype(np.float32)
    seen = cover(points, posed[:, 2], triangles, *canvas.shape[:2])
    u, v, shade, shine = interpolate(seen, points, triangles, values)
    folds = cv2.remap(fold_shade(expression.activation, UNITS), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    skin = cv2.remap(person.texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    skin = _scaled(skin, shade * folds)
    skin = cv2.add(skin, cv2.merge([shine.clip(0, 255).astype(np.uint8)] * 3))
    cv2.copyTo(skin, (seen >= 0).view(np.uint8), canvas)


def _scaled(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """uint8 RGB times a float32 factor per pixel, saturated."""
    return cv2.multiply(image.astype(np.float32), cv2.merge([factor] * 3), dtype=cv2.CV_8U)


def light_at(normals: np.ndarray, scene: Scene) -> np.ndarray:
    """Key light, light from everywhere, and less of it from below, float32 (N,)."""
    return np.asarray(
        scene.ambient * (1 - 0.18 * normals[:, 1]) + scene.key * np.clip(normals @ scene.light, 0, 1), np.float32
    )


class _Person(NamedTuple):
    """What does not change between the pictures of one person."""

    subject: Subject
    neutral: np.ndarray
    hair: np.ndarray  #: (V, 3), how the hair stands off the skull
    texture: np.ndarray


_people: OrderedDict[tuple[int, str], _Person] = OrderedDict()


def _person(head: Head, subject: Subject) -> _Person:
    """The subject on this head; the last few are kept, because a person's faces come one after another."""
    key = (id(head), subject.name)
    known = _people.get(key)
    if known is None or known.subject is not subject:
        neutral = head.neutral(subject.shape)
        outwards = neutral - np.array([0.0, -0.4, AXIS_Z], np.float32)
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
        volume = 0.0 if subject.hair_style == "bald" else subject.hair_volume
        hair = outwards * (head.hair_weight * np.float32(volume))[:, None]
        known = _people[key] = _Person(subject, neutral, hair, paint_subject(subject))
        if len(_people) > 8:
            _people.popitem(last=False)
    return known


def _background(seed: int, side: int) -> np.ndarray:
    """A blurred room: a gradient and a few soft patches, uint8 RGB."""
    rng = np.random.default_rng([seed, 7])
    chroma = rng.uniform(5, 40)

    def colour(*shape: int) -> np.ndarray:
        return np.asarray(rng.uniform(25, 225, (*shape, 1)) + rng.normal(0, chroma, (*shape, 3)))

    base = colour()
    coarse = base + rng.uniform(0.1, 0.6) * (colour(3, 3) - base)
    room = cv2.resize(coarse.astype(np.float32), (24, 24), interpolation=cv2.INTER_CUBIC)
    for x, y, w, h in rng.integers(0, 24, (rng.integers(0, 5), 4)):
        room[y : y + h // 2 + 2, x : x + w // 2 + 2] = colour()
    room = np.clip(room, 0, 255).astype(np.uint8)
    return cv2.resize(room, (side, side), interpolation=cv2.INTER_LINEAR)


@functools.cache
def _grain() -> np.ndarray:
    """Sensor noise to cut pieces from: drawing it anew for each picture would take a tenth of the time."""
    return np.random.default_rng(8).standard_normal(1 << 18, np.float32)


def _develop(image: np.ndarray, scene: Scene) -> np.ndarray:
    """White balance, lens blur and sensor noise."""
    out = image.astype(np.float32) * scene.tint
    if scene.blur > 0.25:
        out = cv2.GaussianBlur(out, (0, 0), scene.blur)
    if scene.noise:
        grain = _grain()
        first = scene.seed % (len(grain) // 2)
        out += np.resize(grain[first : first + out.size], out.shape) * np.float32(scene.noise)
    return np.asarray(np.clip(out + 0.5, 0, 255).astype(np.uint8))
