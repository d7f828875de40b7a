"""The head that is rendered by default: the measured 468-point face, closed to a head with skull and ears.

Coordinates: x right (as the viewer sees it), y down, z away from the viewer; one unit is the distance between
the outer eye corners.  "Right" is the subject's right, at the viewer's left (x < 0).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

MESH_FILE = Path(__file__).with_name("face_mesh_468.npz")

#: Axis of the cylinder on which the texture lies, and centre and radii of the skull's ellipsoid.
AXIS_Z = 0.75
_SKULL_CENTRE = np.array([0.0, -0.5, AXIS_Z], np.float32)
_SKULL_RADII = np.array([0.84, 1.0, 0.95], np.float32)
_SKULL_RINGS = 7

#: Texture: pixels per unit, size, and the y of its first row.
TEXTURE_SCALE = 96
TEXTURE_SHAPE = (256, 328)
_TEXTURE_TOP = -1.65
EAR_PATCH = (2.0, 204.0, 34.0, 50.0)  # x, y, width and height of the patch on which the ears lie


class Head(Protocol):
    """A deformable head: what the renderer needs to know of a mesh."""

    triangles: np.ndarray  #: int32 (T, 3), wound outwards
    uv: np.ndarray  #: float32 (V, 2), texture pixels
    hair_weight: np.ndarray  #: float32 (V,), how far hair lifts a vertex, 0..1
    ear_vertices: np.ndarray  #: indices of the ears' vertices
    regions: Mapping[str, np.ndarray]  #: named vertices: lids, lips, keypoints
    identities: int  #: number of shape coefficients
    licence: str  #: where the shape comes from, and its terms

    def neutral(self, coefficients: np.ndarray) -> np.ndarray:
        """Vertices of a person without expression, float32 (V, 3); coefficients in standard deviations."""
        ...

    def displacement(self, activation: np.ndarray) -> np.ndarray:
        """Change of the vertices, float32 (V, 3), by (A, 2) intensities: right and left side of each AU."""
        ...


def texture_coordinates(vertices: np.ndarray) -> np.ndarray:
    """Cylindrical texture pixels (x, y) of points of the mean head, float32 (V, 2)."""
    angle = np.clip(np.arctan2(vertices[:, 0], AXIS_Z - vertices[:, 2]), -1.9, 1.9)
    x = TEXTURE_SHAPE[1] / 2 + angle * 0.85 * TEXTURE_SCALE
    y = (vertices[:, 1] - _TEXTURE_TOP) * TEXTURE_SCALE
    return np.stack([x, y], axis=1).astype(np.float32)


def smoothstep(t: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


@dataclass(frozen=True)
class FaceMesh:
    """The baked face: mean, modes, triangles, mirror map and named regions."""

    mean: np.ndarray
    identity_modes: np.ndarray
    triangles: np.ndarray
    mirror: np.ndarray
    regions: Mapping[str, np.ndarray]


@functools.cache
def load_face_mesh() -> FaceMesh:
    """Read the package's face mesh."""
    with np.load(MESH_FILE, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    arrays.pop("attribution")
    known = {name: arrays.pop(name) for name in ("mean", "identity_modes", "triangles", "mirror")}
    return FaceMesh(**known, regions=arrays)


class MeasuredHead:
    """The measured face with action-unit fields, closed to a head by rings from its oval to the back."""

    licence = "face shape measured on the Face Research Lab London Set (DeBruine & Jones 2017), CC BY 4.0"

    def __init__(self) -> None:
        from .fields import action_unit_fields

        face = load_face_mesh()
        self.face = face
        self.identities = len(face.identity_modes)
        self._modes = face.identity_modes.reshape(self.identities, -1)
        self._fields = action_unit_fields(face)
        oval = face.regions["oval"]
        skull, ears = _skull_triangles(oval, len(face.mean)), _ear_triangles(len(face.mean) + len(oval) * _SKULL_RINGS)
        mean = self._close(face.mean)
        self.triangles = np.concatenate([face.triangles, _wind(skull, mean), ears]).astype(np.int32)
        self.ear_vertices = np.arange(len(mean) - 26, len(mean))
        self.uv = texture_coordinates(mean)
        self.uv[self.ear_vertices] = np.tile(_ear_texture(), (2, 1))
        ring = np.repeat(np.arange(1, _SKULL_RINGS + 1), len(oval))
        lift = np.zeros(len(mean), np.float32)
        rings = slice(len(face.mean), len(face.mean) + len(ring))
        lift[rings] = np.minimum(ring / 2, 1) * smoothstep((0.1 - mean[rings, 1]) / 0.4)
        self.hair_weight = lift
        self.regions: Mapping[str, np.ndarray] = {
            **face.regions,
            "eye_corners": np.array([[33, 133], [362, 263]]),
            "nose": np.array([[1, 4]]),
            "ears": np.array([[234, 127], [454, 356]]),  # the detector marks a point a little above the tragus
        }

    def neutral(self, coefficients: np.ndarray) -> np.ndarray:
        shape = self.face.mean + (coefficients.astype(np.float32) @ self._modes).reshape(-1, 3)
        upper, lower = self.face.regions["lips_upper"][-1], self.face.regions["lips_lower"][-1]
        shape[upper] = shape[lower] = (shape[upper] + shape[lower]) / 2  # lips touch at rest
        return self._close(shape)

    def displacement(self, activation: np.ndarray) -> np.ndarray:
        weights = activation.astype(np.float32).ravel()
        active = np.flatnonzero(weights)
        face = np.tensordot(weights[active], self._fields[active], 1)
        rings = face[self.face.regions["oval"]]
        follow = [rings * (1 - k / (_SKULL_RINGS + 1)) ** 3 for k in range(1, _SKULL_RINGS + 1)]
        return np.concatenate([face, *follow, np.zeros((26, 3), np.float32)])

    def _close(self, face: np.ndarray) -> np.ndarray:
        """Add skull rings and ears to the 468 points."""
        start = (face[self.face.regions["oval"]] - _SKULL_CENTRE) / _SKULL_RADII
        radius = np.linalg.norm(start, axis=1, keepdims=True)
        direction = start / radius
        back = np.array([0.0, 0.0, 1.0], np.float32)
        angle = np.arccos(np.clip(direction @ back, -1, 1))[:, None]
        rings = []
        for k in range(1, _SKULL_RINGS + 1):
            t = np.float32(k / _SKULL_RINGS)
            ray = (np.sin((1 - t) * angle) * direction + np.sin(t * angle) * back) / np.sin(angle)
            rings.append(_SKULL_CENTRE + _SKULL_RADII * ray * (radius + (1 - radius) * t))
        ears = [_ear(side, face[234 if side < 0 else 454]) for side in (-1, 1)]
        return np.concatenate([face, *rings, *ears]).astype(np.float32)


def _skull_triangles(oval: np.ndarray, first: int) -> np.ndarray:
    n = len(oval)
    rows = [oval] + [np.arange(n) + first + k * n for k in range(_SKULL_RINGS)]
    out = []
    for a, b in itertools.pairwise(rows):
        an, bn = np.roll(a, -1), np.roll(b, -1)
        out += [np.stack([a, an, b], 1), np.stack([an, bn, b], 1)]
    return np.concatenate(out)


def _wind(triangles: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Turn triangles so that their normals point away from the skull's centre."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    inwards = np.einsum("ij,ij->i", np.cross(b - a, c - a), (a + b + c) / 3 - _SKULL_CENTRE) < 0
    return np.where(inwards[:, None], triangles[:, ::-1], triangles)


def _ear_outline() -> np.ndarray:
    """Twelve points of an ear seen from its side: x backwards, y down, from its root; (12, 2)."""
    t = np.arange(12) * (2 * np.pi / 12)
    x, y = 0.13 - 0.15 * np.cos(t), -0.27 * np.sin(t)
    return np.stack([x + 0.05 * (y < 0) * -y, y], axis=1)


def _ear(side: int, root: np.ndarray) -> np.ndarray:
    """A leaf that stands off the head behind ``root`` (the point before the ear), (13, 3)."""
    outline = _ear_outline()
    backwards = np.array([0.55 * side, 0.0, 0.85], np.float32)
    points = root + np.array([-0.01 * side, 0.0, 0.03]) + outline[:, :1] * backwards
    points[:, 1] += outline[:, 1]
    middle = points.mean(axis=0) - np.array([0.05 * side, 0.0, 0.0])
    return np.concatenate([points, middle[None]])


def _ear_triangles(first: int) -> np.ndarray:
    """Both sides of both leaves: an ear is seen from the front and from behind."""
    k = np.arange(12)
    leaf = np.stack([k, (k + 1) % 12, np.full(12, 12)], axis=1) + first
    return np.concatenate([leaf, leaf[:, ::-1], leaf + 13, leaf[:, ::-1] + 13])


def _ear_texture() -> np.ndarray:
    x, y, width, height = EAR_PATCH
    outline = _ear_outline()
    outline = (outline - outline.min(axis=0)) / np.ptp(outline, axis=0)
    points = np.concatenate([outline, outline.mean(axis=0, keepdims=True)])
    return np.asarray(points * (width, height) + (x, y), np.float32)


@functools.cache
def measured_head() -> MeasuredHead:
    """The default head, made once per process."""
    return MeasuredHead()
