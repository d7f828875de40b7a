"""The texture of a head: skin, lips, brows, hair, and the folds that action units make.

Everything is painted once on the unrolled mean head (see ``head.texture_coordinates``); the mesh then carries
it along, so a brow or a fold moves with the tissue it lies on.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from .head import EAR_PATCH, TEXTURE_SCALE, TEXTURE_SHAPE, load_face_mesh, smoothstep, texture_coordinates
from .raster import SHIFT, fixed_point
from .subjects import Subject

_Points = Sequence[tuple[float, float]]


def texture_points(points: _Points) -> np.ndarray:
    """Texture pixels of points (x, y) on the mean face as seen from the front, float32 (N, 2)."""
    mean = load_face_mesh().mean
    at = np.asarray(points, np.float32)
    away = ((at[:, None] - mean[None, :, :2]) ** 2).sum(-1)
    nearest = np.argsort(away, axis=1)[:, :4]
    weight = 1 / (np.take_along_axis(away, nearest, 1) + 1e-5)
    z = (weight * mean[nearest, 2]).sum(1) / weight.sum(1)
    return texture_coordinates(np.concatenate([at, z[:, None]], axis=1))


def _filled(points: np.ndarray, blur: float) -> np.ndarray:
    """Soft mask of a polygon in texture pixels, float32 0..1."""
    mask = np.zeros(TEXTURE_SHAPE, np.uint8)
    cv2.fillPoly(mask, [fixed_point(points)], (255,), cv2.LINE_AA, SHIFT)
    return _soft(mask, blur)


def _stroked(points: np.ndarray, width: int, blur: float) -> np.ndarray:
    mask = np.zeros(TEXTURE_SHAPE, np.uint8)
    cv2.polylines(mask, [fixed_point(points)], False, (255,), width, cv2.LINE_AA, SHIFT)
    return _soft(mask, blur)


def _soft(mask: np.ndarray, blur: float) -> np.ndarray:
    out = mask.astype(np.float32) / 255
    return cv2.GaussianBlur(out, (0, 0), blur) if blur > 0 else out


def _blob(at: tuple[float, float], reach: tuple[float, float]) -> np.ndarray:
    """A Gaussian spot on the mean face, peak 1."""
    ((cx, cy),) = texture_points([at])
    y, x = np.mgrid[: TEXTURE_SHAPE[0], : TEXTURE_SHAPE[1]].astype(np.float32)
    sx, sy = reach[0] * TEXTURE_SCALE, reach[1] * TEXTURE_SCALE
    return np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)).astype(np.float32)


def _both_sides(right: np.ndarray) -> np.ndarray:
    """A mask painted on the right half, on both halves."""
    return np.maximum(right, right[:, ::-1])


_BEARD = (
    (-0.70, 0.05), (-0.45, 0.25), (-0.3, 0.17), (0.0, 0.18), (0.3, 0.17), (0.45, 0.25),
    (0.70, 0.05), (0.62, 0.5), (0.35, 0.80), (0.0, 0.9), (-0.35, 0.80), (-0.62, 0.5),
)  # fmt: skip


@functools.cache
def regions() -> dict[str, np.ndarray]:
    """Soft masks of fixed regions, float32 0..1, each of TEXTURE_SHAPE."""
    face = load_face_mesh()
    uv, r = texture_coordinates(face.mean), face.regions
    lips = np.concatenate([uv[r["lips_upper"][0]], uv[r["lips_lower"][0][::-1]]])
    out = {"lips": _filled(lips, 0.9), "lips_wide": _filled(lips, 5.0)}
    out["nostrils"] = _both_sides(_blob((-0.085, 0.125), (0.040, 0.014)))
    out["under_nose"] = _blob((0.0, 0.155), (0.13, 0.03))
    out["nose_side"] = _both_sides(_blob((-0.205, 0.06), (0.025, 0.06)))
    out["nose_ridge"] = _filled(texture_points([(-0.03, -0.3), (0.03, -0.3), (0.04, 0.05), (-0.04, 0.05)]), 3.0)
    out["sockets"] = _both_sides(np.maximum(_blob((-0.36, -0.44), (0.16, 0.04)), _blob((-0.16, -0.38), (0.05, 0.07))))
    out["lid_crease"] = _both_sides(_stroked(uv[r["right_lid_upper_1"]], 1, 0.7))
    out["under_eye"] = _both_sides(_stroked(uv[r["right_lid_lower_2"]], 1, 2.0))
    out["under_lip"] = _blob((0.0, 0.56), (0.13, 0.025))
    out["philtrum"] = _blob((0.0, 0.235), (0.018, 0.05))
    out["cheeks"] = _both_sides(_blob((-0.45, 0.08), (0.16, 0.13)))
    beard = _filled(texture_points(_BEARD), 6.0)
    out["beard"] = beard * (1 - out["lips_wide"])
    out["meeting"] = _stroked(uv[r["lips_upper"][-1]], 1, 0.5)
    ear = np.zeros(TEXTURE_SHAPE, np.float32)
    x, y, w, h = (int(v) for v in EAR_PATCH)
    cv2.ellipse(ear, (x + int(w * 0.55), y + int(h * 0.45)), (int(w * 0.22), int(h * 0.28)), 0, 0, 360, (1.0,), -1)
    out["ear_hollow"] = cv2.GaussianBlur(ear, (0, 0), 3)
    out["ear"] = np.zeros(TEXTURE_SHAPE, np.float32)
    out["ear"][y - 3 : y + h + 3, : x + w + 4] = 1
    return out


@functools.cache
def folds() -> dict[tuple[str, int], tuple[tuple[slice, slice], np.ndarray]]:
    """Darkening (positive) and lightening (negative) that a unit makes at full intensity.

    Returns:
        (unit, side) -> (where in the texture, float32 patch); side 0 is the subject's right.
    """
    out = {}
    for unit, parts in _fold_parts().items():
        right = np.zeros(TEXTURE_SHAPE, np.float32)
        for mask, strength in parts:
            right += mask * np.float32(strength)
        fade = smoothstep((TEXTURE_SHAPE[1] / 2 - np.arange(TEXTURE_SHAPE[1]) + 4.5) / 9).astype(np.float32)
        right = right * fade
        for side, full in enumerate((right, right[:, ::-1])):
            rows, columns = np.flatnonzero((abs(full) > 0.004).any(1)), np.flatnonzero((abs(full) > 0.004).any(0))
            where = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            out[unit, side] = (where, np.ascontiguousarray(full[where]))
    return out


def _fold_parts() -> dict[str, list[tuple[np.ndarray, float]]]:
    """The folds of every unit on the right side: (mask, strength)."""

    def line(points: _Points, width: int = 1, blur: float = 1.1) -> np.ndarray:
        mask = _stroked(spline(texture_points(points)), width, blur)
        return mask / max(float(mask.max()), 1e-6)

    forehead_middle = [line([(-0.30, y + 0.02), (-0.15, y - 0.01), (0.0, y)]) for y in (-0.82, -0.75, -0.68)]
    forehead_side = [line([(-0.62, y + 0.05), (-0.48, y - 0.01), (-0.30, y)]) for y in (-0.83, -0.76, -0.69)]
    nasolabial = [(-0.235, 0.02), (-0.29, 0.10), (-0.36, 0.20), (-0.40, 0.31), (-0.405, 0.38)]
    return {
        "AU1": [(m, 0.34) for m in forehead_middle],
        "AU2": [(m, 0.30) for m in forehead_side],
        "AU4": [
            (line([(-0.055, -0.64), (-0.05, -0.56), (-0.065, -0.46)], 2, 1.2), 0.50),
            (line([(-0.10, -0.62), (-0.115, -0.54)], 1, 1.2), 0.20),
            (_blob((0.0, -0.54), (0.03, 0.06)), -0.10),
        ],
        "AU5": [(line([(-0.50, -0.42), (-0.37, -0.475), (-0.22, -0.43)], 1, 1.0), 0.12)],
        "AU6": [
            (line([(-0.555, -0.385), (-0.66, -0.43)]), 0.42),
            (line([(-0.555, -0.355), (-0.68, -0.35)]), 0.42),
            (line([(-0.55, -0.325), (-0.66, -0.27)]), 0.42),
            (line([(-0.21, -0.265), (-0.33, -0.225), (-0.47, -0.24)], 1, 1.4), 0.32),
            (_blob((-0.45, -0.12), (0.11, 0.06)), -0.14),
            (_blob((-0.46, 0.0), (0.12, 0.03)), 0.08),
        ],
        "AU7": [(line([(-0.22, -0.305), (-0.36, -0.272), (-0.49, -0.30)], 1, 0.9), 0.42)],
        "AU9": [
            (line([(-0.02, -0.33), (-0.09, -0.37)]), 0.48),
            (line([(0.0, -0.27), (-0.10, -0.30)]), 0.48),
            (line([(-0.03, -0.20), (-0.13, -0.24)]), 0.48),
            (line([(-0.07, -0.12), (-0.15, -0.20)]), 0.40),
            (line(nasolabial[:3], 2, 1.4), 0.45),
            (line([(0.0, -0.40), (-0.10, -0.42)]), 0.35),
        ],
        "AU10": [(line(nasolabial[:4], 2, 1.4), 0.45), (_blob((-0.33, 0.06), (0.06, 0.05)), -0.12)],
        "AU12": [
            (line(nasolabial[1:], 2, 1.5), 0.45),
            (_blob((-0.45, 0.06), (0.11, 0.09)), -0.12),
            (_blob((-0.30, 0.385), (0.02, 0.03)), 0.20),
        ],
        "AU14": [
            (line([(-0.315, 0.32), (-0.345, 0.39), (-0.32, 0.46)], 2, 1.2), 0.75),
            (_blob((-0.39, 0.40), (0.04, 0.06)), -0.14),
        ],
        "AU15": [
            (line([(-0.285, 0.42), (-0.32, 0.50), (-0.33, 0.60)], 2, 1.4), 0.48),
            (_blob((-0.24, 0.47), (0.04, 0.03)), 0.12),
        ],
        "AU16": [(line([(-0.16, 0.57), (0.0, 0.585)], 2, 1.5), 0.30)],
        "AU17": [
            (line([(-0.13, 0.585), (-0.06, 0.565), (0.0, 0.56)], 2, 1.4), 0.48),
            *((_blob(p, (0.018, 0.018)), 0.30) for p in _DIMPLES),
            (_blob((-0.06, 0.70), (0.10, 0.07)), -0.06),
        ],
        "AU20": [
            (line([(-0.37, 0.30), (-0.41, 0.40), (-0.39, 0.50)], 1, 1.3), 0.40),
            (line([(-0.30, 0.62), (-0.42, 0.58)], 1, 1.5), 0.25),
        ],
        "AU23": [
            *((line([(x, 0.315), (x * 1.1, 0.275)], 1, 0.8), 0.38) for x in (-0.20, -0.14, -0.08)),
            *((line([(x, 0.50), (x * 1.1, 0.545)], 1, 0.8), 0.38) for x in (-0.20, -0.13, -0.06)),
            (_blob((-0.06, 0.39), (0.16, 0.05)), 0.10),
        ],
        "AU24": [
            (_blob((-0.08, 0.27), (0.12, 0.03)), -0.14),
            (_blob((-0.08, 0.53), (0.12, 0.03)), -0.14),
            (line([(-0.27, 0.385), (-0.15, 0.385), (0.0, 0.388)], 2, 1.0), 0.40),
        ],
        "AU25": [(_blob((-0.06, 0.55), (0.12, 0.02)), 0.06)],
        "AU26": [(line([(-0.36, 0.26), (-0.41, 0.42), (-0.40, 0.58)], 2, 2.5), 0.12)],
        "AU27": [(line([(-0.35, 0.22), (-0.41, 0.42), (-0.39, 0.62)], 2, 2.5), 0.16)],
        "AU43": [(line([(-0.48, -0.42), (-0.36, -0.455), (-0.22, -0.42)], 2, 1.5), -0.10)],
    }


_DIMPLES = ((-0.03, 0.645), (-0.09, 0.66), (-0.05, 0.70), (-0.11, 0.72), (-0.02, 0.75), (-0.07, 0.765))


def spline(points: np.ndarray) -> np.ndarray:
    """A smooth curve through a few points (Catmull-Rom), eight samples per piece."""
    p = np.concatenate([points[:1] * 2 - points[1:2], points, points[-1:] * 2 - points[-2:-1]])
    t = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
    out = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate(out)


@functools.lru_cache(maxsize=8)
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Angle about the head's axis and y of every texture pixel."""
    y, x = np.mgrid[: TEXTURE_SHAPE[0], : TEXTURE_SHAPE[1]].astype(np.float32)
    return (x - TEXTURE_SHAPE[1] / 2) / (0.85 * TEXTURE_SCALE), y / TEXTURE_SCALE - 1.65


def hair_mask(subject: Subject) -> np.ndarray:
    """Where hair grows, float32 0..1."""
    angle, y = _grid()
    side = np.abs(angle)
    if subject.hair_style == "bald":
        return np.zeros(TEXTURE_SHAPE, np.float32)
    top = {"short": -0.86, "fringe": -0.66, "long": -0.84, "receding": -1.08}[subject.hair_style] + subject.hairline
    line = top + 0.30 * smoothstep((side - 0.35) / 0.6) + 1.0 * smoothstep((side - 1.12) / 0.25)
    if subject.hair_style == "receding":
        line -= 0.16 * np.exp(-0.5 * ((side - 0.55) / 0.2) ** 2)
    rng = np.random.default_rng([subject.texture_seed, 2])
    ragged = 0.035 * _noise(rng, (1, 40))
    mask = smoothstep((line + ragged - y) / 0.07 + 0.5).astype(np.float32)
    return mask * (1 - regions()["ear"])


def _noise(rng: np.random.Generator, cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise of unit variance with this many cells."""
    return cv2.resize(rng.normal(size=cells).astype(np.float32), TEXTURE_SHAPE[::-1], interpolation=cv2.INTER_CUBIC)


@functools.lru_cache(maxsize=4)
def _hairs() -> np.ndarray:
    rng = np.random.default_rng(3)
    fine = cv2.GaussianBlur(rng.normal(size=TEXTURE_SHAPE).astype(np.float32), (0, 0), sigmaX=0.7, sigmaY=6)
    return fine / fine.std()


def paint_subject(subject: Subject) -> np.ndarray:
    """The resting texture of a person, uint8 RGB (*TEXTURE_SHAPE, 3)."""
    r, rng = regions(), np.random.default_rng([subject.texture_seed, 1])
    shade = 1 + 0.030 * _noise(rng, (8, 10)) + 0.020 * _noise(rng, (40, 50)) + 0.012 * _noise(rng, (128, 160))
    shade -= 0.25 * r["sockets"] + 0.22 * r["under_nose"] + 0.20 * r["nose_side"] + 0.20 * r["lid_crease"]
    shade -= 0.16 * r["under_lip"] + 0.06 * r["philtrum"] + 0.35 * r["ear_hollow"]
    shade -= (0.06 + 0.14 * subject.age) * r["under_eye"]
    shade += 0.05 * r["nose_ridge"]
    for side in (0, 1):
        where, fold = folds()["AU12", side]
        shade[where] -= 0.22 * subject.age * np.maximum(fold, 0)
    texture = (subject.skin * shade[..., None]).astype(np.float32)
    _mix(texture, subject.skin * np.array([1.05, 0.88, 0.88], np.float32), r["cheeks"] * 0.35)
    if subject.freckles:
        spots = cv2.GaussianBlur((rng.random(TEXTURE_SHAPE) > 0.988).astype(np.float32), (0, 0), 0.7)
        _mix(texture, subject.skin * np.float32(0.5), 1.8 * subject.freckles * spots * r["cheeks"])
    if subject.stubble:
        grain = 0.8 + 0.2 * _noise(rng, (200, 260))
        _mix(texture, subject.hair * np.float32(0.9) + 12, r["beard"] * grain * (0.75 * subject.stubble))
    _mix(texture, subject.lips, r["lips"] * 0.85)
    _mix(texture, subject.lips * np.float32(0.4), 0.6 * r["meeting"])
    _mix(texture, subject.skin * np.array([0.28, 0.18, 0.16], np.float32), r["nostrils"] * 1.2)
    strands = (subject.hair * (1 + 0.22 * _hairs())[..., None]).astype(np.float32)
    _mix(texture, strands, np.maximum(hair_mask(subject), _brows(subject)))
    return np.clip(texture, 0, 255).astype(np.uint8)


def _brows(subject: Subject) -> np.ndarray:
    face = load_face_mesh()
    uv, r, w = texture_coordinates(face.mean), face.regions, subject.brow_weight
    upper, lower = uv[r["right_brow_upper"]], uv[r["right_brow_lower"]]
    middle = (upper + lower) / 2
    half = (lower - upper) / 2 * np.array([0.45, 0.7, 0.8, 0.85, 0.7])[:, None] * w
    mask = _filled(np.concatenate([spline(middle - half), spline(middle + half)[::-1]]), 1.0)
    return _both_sides(mask) * np.clip(0.62 + 0.3 * w + 0.12 * _hairs(), 0, 0.95)


def _mix(texture: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Blend a colour, (3,) or a whole texture, into a texture in place; only where alpha is not 0."""
    rows, columns = np.flatnonzero((alpha > 0.004).any(1)), np.flatnonzero((alpha > 0.004).any(0))
    if not len(rows):
        return
    where = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = texture[where]
    part += ((colour if colour.ndim == 1 else colour[where]) - part) * np.clip(alpha[where], 0, 1)[..., None]


def fold_shade(activation: np.ndarray, units: Sequence[str]) -> np.ndarray:
    """By what the folds of the active units multiply a resting texture, float32 TEXTURE_SHAPE."""
    shade = np.ones(TEXTURE_SHAPE, np.float32)
    for row, side in np.argwhere(activation > 0.02):
        if (fold := folds().get((units[row], int(side)))) is not None:
            shade[fold[0]] -= activation[row, side] * fold[1]
    return np.maximum(shade, 0.2)
