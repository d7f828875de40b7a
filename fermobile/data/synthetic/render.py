"""Drawing one face: flat parts, the textured mesh, and the camera's traces."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import NamedTuple

import cv2
import numpy as np

from ...contract import CropSpec
from .details import draw_eyes, draw_lashes, draw_mouth, draw_neck
from .expressions import UNITS, Expression
from .head import AXIS_Z, Head
from .raster import cover, interpolate, vertex_normals
from .scene import Camera, PhotoFraming, Scene, light_at
from .skin import fold_shade, paint_subject
from .subjects import Subject

_SUPERSAMPLE = 1.5


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
    camera = Camera(scene)
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


def _draw_mesh(
    canvas: np.ndarray,
    camera: Camera,
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
        outwards: np.ndarray = neutral - np.array([0.0, -0.4, AXIS_Z], np.float32)
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
