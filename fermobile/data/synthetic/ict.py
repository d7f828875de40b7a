"""ICT-FaceKit's head (Li et al. 2020, "Learning formation of physically-based face attributes"; MIT licence).

A finer mesh than the built-in one, which a user downloads.  Its blendshapes carry the same action units; its
vertices are laid on the built-in head's texture by a thin-plate spline between 68 landmarks, so skin, brows,
hair and folds are painted by the same code.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import InputError
from .expressions import PARTING, UNITS
from .head import AXIS_Z, EAR_PATCH, load_face_mesh, smoothstep, texture_coordinates
from .skin import spline

_VERTICES = 11248  # face, head and neck come first; sockets, teeth and eyeballs, which we draw flat, follow
_IDENTITIES = 40
_RELAXED_LIDS = 0.2  # its neutral face stares
_SCALE = 1 / 8.92  # outer eye corners are 8.92 cm apart

# Landmarks in the order of the 300-W annotation (Sagonas et al. 2013): vertices of ICT-FaceKit …
_ICT_LANDMARKS = np.array(
    [1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443,
     268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509,
     978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360,
     1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
     5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841,
     5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966]
)  # fmt: skip
# … and of MediaPipe's mesh.
_MESH_LANDMARKS = np.array(
    [127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
     70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
     168, 197, 5, 4, 98, 97, 2, 326, 327,
     33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
     61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
     78, 81, 13, 311, 308, 402, 14, 178]
)  # fmt: skip

#: Blendshapes of each action unit at full intensity; a name ending in "_" exists for both sides.
_BLENDSHAPES: Mapping[str, Mapping[str, float]] = {
    "AU1": {"browInnerUp_": 1.6},
    "AU2": {"browOuterUp_": 1.4},
    "AU4": {"browDown_": 1.5},
    "AU5": {"eyeWide_": 1.5},
    "AU6": {"cheekSquint_": 0.8, "cheekRaiser_": 0.8},
    "AU7": {"eyeSquint_": 1.5},
    "AU9": {"noseSneer_": 1.3, "browDown_": 0.5},
    "AU10": {"noseSneer_": 0.4, "mouthShrugUpper": 0.7},
    "AU12": {"mouthSmile_": 1.0},
    "AU14": {"mouthDimple_": 1.3},
    "AU15": {"mouthFrown_": 1.7},
    "AU16": {"mouthLowerDown_": 1.3},
    "AU17": {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.5},
    "AU20": {"mouthStretch_": 1.3},
    "AU23": {"mouthPucker": 0.35, "mouthRollUpper": 0.35, "mouthRollLower": 0.35},
    "AU24": {"mouthPress_": 1.0, "mouthRollUpper": 0.5, "mouthRollLower": 0.5},
    "AU25": {"mouthLowerDown_": 0.7, "mouthUpperUp_": 0.4},
    "AU26": {"jawOpen": 0.40},
    "AU27": {"jawOpen": 0.85},
    "AU43": {"eyeBlink_": 0.95},
}


class IctHead:
    """ICT-FaceKit's face, head and neck as a :class:`~fermobile.data.synthetic.head.Head`."""

    licence = "face shape of ICT-FaceKit (Li et al. 2020, University of Southern California), MIT"

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._neutral = _convert(arrays["neutral"])
        identity = _convert(arrays["identity"][:_IDENTITIES])
        self.identities = len(identity)
        self._identity = identity.reshape(self.identities, -1)
        shapes = dict(zip(arrays["expr_names"].tolist(), _convert(arrays["expr"]), strict=True))
        self._neutral += _RELAXED_LIDS * (shapes["eyeBlink_L"] + shapes["eyeBlink_R"])
        self._fields = _fields(shapes, self._neutral)
        self.triangles = _triangles(arrays["faces"])
        on_mesh = _register(self._neutral)
        self.uv = texture_coordinates(on_mesh)
        _lay_ears(self.uv, self._neutral)
        angle = np.abs(np.arctan2(on_mesh[:, 0], AXIS_Z - on_mesh[:, 2]))
        hairline = -0.95 + 0.9 * smoothstep((angle - 0.9) / 0.6)
        ears = _ears(self._neutral)
        self.hair_weight = (smoothstep((hairline - on_mesh[:, 1]) / 0.25) * ~ears).astype(np.float32)
        self.ear_vertices = np.flatnonzero(ears)
        self.regions: Mapping[str, np.ndarray] = self._regions(on_mesh)

    def neutral(self, coefficients: np.ndarray) -> np.ndarray:
        shape = coefficients[: self.identities].astype(np.float32) @ self._identity
        return np.asarray(self._neutral + shape.reshape(-1, 3), np.float32)

    def displacement(self, activation: np.ndarray) -> np.ndarray:
        weights = activation.astype(np.float32).ravel()
        active = np.flatnonzero(weights)
        return np.asarray(np.tensordot(weights[active], self._fields[active], 1), np.float32)

    def _regions(self, on_mesh: np.ndarray) -> dict[str, np.ndarray]:
        mark = _ICT_LANDMARKS
        ears = load_face_mesh().mean[[[234, 127], [454, 356]]].mean(axis=1)
        nearest = np.argmin(((on_mesh[None] - ears[:, None]) ** 2).sum(-1), axis=1)
        out = {
            "eye_corners": mark[[[36, 39], [42, 45]]],
            "nose": mark[[[30]]],
            "ears": nearest[:, None],
            "lips_upper": mark[[[60, 61, 62, 63, 64]]],
            "lips_lower": mark[[[60, 67, 66, 65, 64]]],
        }
        lids = {"right": ([36, 37, 38, 39], [36, 41, 40, 39]), "left": ([45, 44, 43, 42], [45, 46, 47, 42])}
        for side, (upper, lower) in lids.items():
            out[f"{side}_eye_upper"] = self._along(mark[upper])
            out[f"{side}_eye_lower"] = self._along(mark[lower])
        return out

    def _along(self, marks: np.ndarray) -> np.ndarray:
        """Nine vertices along the curve through some landmarks."""
        curve = spline(self._neutral[marks])
        curve = curve[np.linspace(0, len(curve) - 1, 9).round().astype(int)]
        return np.argmin(((self._neutral[None] - curve[:, None]) ** 2).sum(-1), axis=1)


def _convert(points: np.ndarray) -> np.ndarray:
    """ICT-FaceKit's centimetres (y up, z to the viewer) to our axes and unit, origin as in the measured face."""
    return np.asarray(points[..., :_VERTICES, :], np.float32) * np.array([_SCALE, -_SCALE, -_SCALE], np.float32)


def _fields(shapes: Mapping[str, np.ndarray], neutral: np.ndarray) -> np.ndarray:
    """Displacements at full intensity, right then left side of each unit, float32 (2 * len(UNITS), V, 3)."""
    fields = []
    for unit in UNITS:
        for side in ("R", "L"):
            parts = [
                amount * (shapes[name + side] if name.endswith("_") else shapes[name] / 2)
                for name, amount in _BLENDSHAPES[unit].items()
            ]
            field = np.sum(parts, axis=0)
            if unit not in PARTING:
                _keep_closed(field, neutral)
            fields.append(field)
    return np.asarray(fields, np.float32)


def _keep_closed(field: np.ndarray, neutral: np.ndarray) -> None:
    """Take back, half on each lip, by how much a unit parts the lips: blendshapes overlook that lips touch."""
    upper, lower = _ICT_LANDMARKS[60:65], _ICT_LANDMARKS[[60, 67, 66, 65, 64]]
    gap = np.maximum(field[lower, 1] - field[upper, 1], 0)
    x, y, z = neutral.T
    line = np.interp(x, neutral[upper, 0], (neutral[upper, 1] + neutral[lower, 1]) / 2)
    weight = np.exp(-0.5 * ((y - line) / 0.06) ** 2) * (z < neutral[_ICT_LANDMARKS[48], 2] + 0.1)
    field[:, 1] += np.where(y < line, 0.5, -0.5) * weight * np.interp(x, neutral[upper, 0], gap)


def _triangles(quads: np.ndarray) -> np.ndarray:
    quads = quads[(quads < _VERTICES).all(axis=1)]
    second = quads[quads[:, 3] >= 0]
    return np.concatenate([quads[:, :3], second[:, [0, 2, 3]]]).astype(np.int32)


def _register(vertices: np.ndarray) -> np.ndarray:
    """Where vertices lie on the measured mean head, by a 3-D thin-plate spline (Bookstein 1989), float32 (V, 3)."""
    source = vertices[_ICT_LANDMARKS].astype(float)
    target = load_face_mesh().mean[_MESH_LANDMARKS].astype(float)
    n = len(source)

    def affine(points: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(points)), points])

    def kernel(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, None] - source[None], axis=2)

    system = np.zeros((n + 4, n + 4))
    system[:n, :n] = kernel(source) - 0.02 * np.eye(n)  # r is conditionally negative definite: minus smooths
    system[:n, n:] = affine(source)
    system[n:, :n] = affine(source).T
    weights = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
    return np.asarray(kernel(vertices) @ weights[:n] + affine(vertices) @ weights[n:], np.float32)


def _ears(vertices: np.ndarray) -> np.ndarray:
    """Which vertices belong to the ears."""
    x, y, z = vertices.T / _SCALE
    return np.asarray((np.abs(x) > 7.6) & (y > -5.5) & (y < 3.5) & (z > -2.0))


def _lay_ears(uv: np.ndarray, vertices: np.ndarray) -> None:
    """The ears have their own patch of the texture."""
    ears = _ears(vertices)
    side = vertices[ears][:, [2, 1]]
    span = (side - side.min(axis=0)) / np.ptp(side, axis=0)
    uv[ears] = span * EAR_PATCH[2:] + EAR_PATCH[:2]


@functools.lru_cache(maxsize=2)
def ict_head(path: str) -> IctHead:
    """Read ICT-FaceKit's light model.

    Raises:
        InputError: the file is missing, unreadable, or not that model.
    """
    hint = "expected the .npz of ICT-FaceKit's light model with neutral, faces, expr, expr_names and identity"
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("neutral", "faces", "expr", "expr_names", "identity")}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {hint}") from None
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]}; {hint}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}; {hint}") from None
    if wrong := _what_is_wrong(arrays):
        raise InputError(f"{path}: {wrong}; {hint}")
    try:
        return IctHead(arrays)
    except np.linalg.LinAlgError:
        raise InputError(f"{path}: the landmarks of neutral lie in one place; {hint}") from None


def _what_is_wrong(arrays: Mapping[str, np.ndarray]) -> str | None:
    """Why these are not the arrays of the model; None when they are."""
    vertices = arrays["neutral"].shape[0] if arrays["neutral"].ndim else 0
    shapes = {"neutral": (3,), "identity": (vertices, 3), "expr": (vertices, 3), "faces": (4,), "expr_names": ()}
    for name, shape in shapes.items():
        array = arrays[name]
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape or not len(array):
            return f"{name} has shape {array.shape}, expected (N{''.join(f', {n}' for n in shape)})"
        kinds = {"faces": "iu", "expr_names": "U"}.get(name, "f")
        if array.dtype.kind not in kinds:
            return f"{name} has dtype {array.dtype}"
        if kinds == "f" and not np.isfinite(array).all():
            return f"{name} holds values that are not finite"
    if vertices < _VERTICES:
        return f"neutral has {vertices} vertices, expected {_VERTICES} or more"
    if len(arrays["expr"]) != len(arrays["expr_names"]):
        return f"expr has {len(arrays['expr'])} shapes, and expr_names {len(arrays['expr_names'])} names"
    needed = {n for m in _BLENDSHAPES.values() for s in m for n in ((s + "L", s + "R") if s[-1] == "_" else (s,))}
    if missing := needed - set(arrays["expr_names"].tolist()):
        return f"no blendshapes {', '.join(sorted(missing))}"
    return None
