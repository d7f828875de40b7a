"""Action units as displacement fields of the measured face, at full intensity.

Each unit is a few pulls: a point of the skin near ``at`` moves by ``move``, its surroundings follow with a
Gaussian falloff of widths ``reach``, and a tissue mask keeps, for example, the lower lip still while the upper
one rises.  Directions and regions follow the FACS manual (Ekman, Friesen & Hager 2002); amounts are in outer
eye-corner distances (about 9 cm), chosen so that full intensity looks like FACS level D–E.  Everything is
written for the subject's right side and mirrored.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from .expressions import PARTING, UNITS
from .head import AXIS_Z, FaceMesh, smoothstep


class Pull(NamedTuple):
    """One pull on the skin: centre (x, y), movement (x, y, z), falloff (x, y) and tissue it acts on."""

    at: tuple[float, float]
    move: tuple[float, float, float]
    reach: tuple[float, float]
    tissue: str = "skin"


_CORNER = (-0.265, 0.387)

_PULLS: dict[str, tuple[Pull, ...]] = {
    "AU1": (
        Pull((-0.13, -0.56), (0.0, -0.125, 0.0), (0.12, 0.15), "brow"),
        Pull((-0.13, -0.75), (0.0, -0.06, 0.0), (0.16, 0.12), "brow"),
    ),
    "AU2": (
        Pull((-0.52, -0.56), (0.0, -0.125, 0.0), (0.17, 0.15), "brow"),
        Pull((-0.50, -0.74), (0.0, -0.06, 0.0), (0.20, 0.12), "brow"),
    ),
    "AU4": (
        Pull((-0.14, -0.54), (0.050, 0.085, -0.015), (0.13, 0.11), "brow"),
        Pull((-0.36, -0.57), (0.030, 0.055, 0.0), (0.15, 0.10), "brow"),
        Pull((-0.30, -0.43), (0.0, 0.018, 0.0), (0.14, 0.05)),
    ),
    "AU6": (
        Pull((-0.46, -0.08), (0.0, -0.085, -0.050), (0.17, 0.13), "cheek"),
        Pull((-0.40, -0.28), (0.0, -0.030, -0.010), (0.16, 0.06), "cheek"),
        Pull((-0.60, -0.30), (0.035, -0.010, 0.0), (0.12, 0.12)),
    ),
    "AU9": (
        Pull((-0.17, 0.06), (-0.005, -0.080, -0.020), (0.12, 0.11), "upper"),
        Pull((-0.12, -0.20), (0.0, -0.040, -0.025), (0.10, 0.12)),
        Pull((-0.12, -0.52), (0.025, 0.055, 0.0), (0.11, 0.10), "brow"),
        Pull((-0.13, 0.34), (0.0, -0.045, -0.015), (0.13, 0.07), "upper"),
        Pull((-0.33, 0.02), (0.0, -0.040, -0.030), (0.11, 0.12), "upper"),
    ),
    "AU10": (
        Pull((-0.14, 0.34), (0.0, -0.075, -0.020), (0.10, 0.09), "upper"),
        Pull((-0.30, 0.12), (-0.010, -0.040, -0.025), (0.11, 0.11), "upper"),
    ),
    "AU12": (
        Pull(_CORNER, (-0.105, -0.115, 0.050), (0.105, 0.11)),
        Pull((-0.44, 0.08), (-0.010, -0.045, -0.065), (0.16, 0.14), "cheek"),
        Pull((-0.12, 0.42), (-0.015, 0.018, 0.015), (0.10, 0.06)),
    ),
    "AU14": (
        Pull(_CORNER, (-0.050, -0.022, 0.055), (0.080, 0.075)),
        Pull((-0.40, 0.38), (0.010, 0.0, -0.030), (0.06, 0.10)),
    ),
    "AU15": (
        Pull(_CORNER, (-0.015, 0.105, 0.010), (0.095, 0.095)),
        Pull((-0.33, 0.54), (-0.010, 0.030, -0.020), (0.10, 0.10)),
    ),
    "AU16": (Pull((-0.08, 0.47), (0.0, 0.080, -0.015), (0.14, 0.09), "lower"),),
    "AU17": (
        Pull((-0.03, 0.70), (0.0, -0.075, -0.040), (0.14, 0.13), "lower"),
        Pull((-0.05, 0.47), (0.0, -0.050, -0.045), (0.15, 0.07), "lower"),
        Pull((-0.05, 0.37), (0.0, -0.040, -0.020), (0.14, 0.07), "upper"),
        Pull(_CORNER, (0.0, 0.020, 0.0), (0.08, 0.08)),
    ),
    "AU20": (
        Pull(_CORNER, (-0.125, 0.030, 0.055), (0.13, 0.13)),
        Pull((-0.40, 0.55), (-0.040, 0.030, 0.010), (0.15, 0.18)),
    ),
    "AU23": (Pull(_CORNER, (0.055, 0.0, -0.010), (0.09, 0.09)),),
    "AU24": (Pull((-0.06, 0.44), (0.0, 0.0, 0.030), (0.16, 0.08)),),
    "AU25": (
        Pull((-0.05, 0.45), (0.0, 0.055, 0.0), (0.15, 0.13), "lower"),
        Pull((-0.05, 0.35), (0.0, -0.018, 0.0), (0.15, 0.07), "upper"),
    ),
    "AU27": (Pull(_CORNER, (0.045, 0.035, 0.0), (0.10, 0.12)),),
}

#: Units that bend the lips' height towards the mouth line: fraction of the height that vanishes (upper, lower).
_THIN = {"AU20": (0.25, 0.30), "AU23": (0.55, 0.60), "AU24": (0.80, 0.85), "AU14": (0.15, 0.15)}

#: Units that open the jaw, radians about the axis through the ears.
_JAW = {"AU26": 0.19, "AU27": 0.41}

#: Lids: how far the upper lid comes down and the lower one up, in eye openings.
_LIDS = {"AU5": (-0.55, -0.05), "AU6": (0.05, 0.14), "AU7": (0.22, 0.34), "AU43": (1.04, 0.06)}


def action_unit_fields(face: FaceMesh) -> np.ndarray:
    """Displacements at full intensity, float32 (2 * len(UNITS), 468, 3): right then left side of each unit."""
    # The measured mean is a little crooked; expressions are not.
    face = dataclasses.replace(face, mean=(face.mean + face.mean[face.mirror] * np.array([-1, 1, 1])) / 2)
    tissue = _tissues(face)
    right_half = smoothstep((0.05 - face.mean[:, 0]) / 0.10)[:, None]
    fields = []
    for unit in UNITS:
        one_side = _pulls(face.mean, _PULLS.get(unit, ()), tissue)
        if unit in _LIDS:
            one_side += _lids(face, *_LIDS[unit])
        mirrored = one_side[face.mirror] * np.array([-1, 1, 1])
        whole = _thin(face, *_THIN[unit]) if unit in _THIN else np.zeros_like(one_side)
        if unit in _JAW:
            whole = whole + _jaw(face.mean, tissue["jaw"], _JAW[unit])
        right = one_side * _reach_over(face.mean, -1) + whole * right_half
        left = mirrored * _reach_over(face.mean, 1) + whole * (1 - right_half)
        if unit not in PARTING:
            _keep_closed(face, right)
            _keep_closed(face, left)
        fields += [right, left]
    return np.asarray(fields, np.float32)


def _keep_closed(face: FaceMesh, field: np.ndarray) -> None:
    """Lips that touch stay in touch: both inner rows move alike."""
    upper, lower = face.regions["lips_upper"][-1], face.regions["lips_lower"][-1]
    field[upper] = field[lower] = (field[upper] + field[lower]) / 2


def _reach_over(mean: np.ndarray, side: int) -> np.ndarray:
    """A pull fades across the midline, and both sides together add up to one there, (V, 1)."""
    return smoothstep((side * mean[:, 0] + 0.10) / 0.20)[:, None]


def _pulls(mean: np.ndarray, pulls: tuple[Pull, ...], tissue: dict[str, np.ndarray]) -> np.ndarray:
    out = np.zeros((len(mean), 3))
    for pull in pulls:
        away = (mean[:, :2] - pull.at) / pull.reach
        fall = np.exp(-0.5 * (away**2).sum(axis=1)) * tissue[pull.tissue]
        out += fall[:, None] * np.array(pull.move)
    return out


def _tissues(face: FaceMesh) -> dict[str, np.ndarray]:
    """Masks in 0..1 over the vertices."""
    x, y, _ = face.mean.T
    side = np.maximum(np.abs(x) - 0.25, 0)
    jaw = smoothstep((y - (0.40 - 0.25 * side)) / (0.10 + 0.9 * side) + 0.5)
    upper, lower = face.regions["lips_upper"], face.regions["lips_lower"]
    jaw[upper[:, 1:-1]] = 0.0
    jaw[lower[:, 1:-1]] = 1.0
    for rows in (upper, lower):
        jaw[rows[:, [0, -1]]] = 0.42
    jaw[upper[:, [1, -2]]] = 0.18
    jaw[lower[:, [1, -2]]] = 0.75
    lids = smoothstep((y + 0.47) / 0.06)  # 0 at the brow, 1 at the eye
    return {
        "skin": np.ones(len(x)),
        "jaw": jaw,
        "lower": jaw,
        "upper": 1 - jaw,
        "brow": 1 - lids,
        "cheek": smoothstep((y + 0.36) / 0.10),
    }


def _jaw(mean: np.ndarray, mask: np.ndarray, angle: float) -> np.ndarray:
    """Rotate the jaw's tissue about the axis through the jaw joints."""
    y, z = mean[:, 1] - (-0.10), mean[:, 2] - AXIS_Z
    c, s = np.cos(angle), np.sin(angle)
    turned = np.stack([np.zeros_like(y), c * y - s * z - y, s * y + c * z - z], axis=1)
    return np.asarray(turned * mask[:, None])


def _thin(face: FaceMesh, upper: float, lower: float) -> np.ndarray:
    """Move the lips' outer rows towards the line where the lips meet."""
    out = np.zeros((len(face.mean), 3))
    for rows, amount in ((face.regions["lips_upper"], upper), (face.regions["lips_lower"], lower)):
        line = face.mean[rows[-1], 1]
        for row in rows[:-1]:
            out[row, 1] = amount * (line - face.mean[row, 1])
    lips = np.unique(np.concatenate([face.regions["lips_upper"][0], face.regions["lips_lower"][0]]))
    inside = np.zeros(len(face.mean), bool)
    inside[np.concatenate([face.regions["lips_upper"].ravel(), face.regions["lips_lower"].ravel()])] = True
    # The skin around follows its nearest lip point, less with distance.
    away = np.linalg.norm(face.mean[:, None, :2] - face.mean[None, lips, :2], axis=2)
    nearest, distance = lips[away.argmin(axis=1)], away.min(axis=1)
    follow = np.exp(-0.5 * (distance / 0.06) ** 2)[:, None] * out[nearest]
    return np.where(inside[:, None], out, follow)


def _lids(face: FaceMesh, down: float, up: float) -> np.ndarray:
    """Move the right eye's upper lid down and lower lid up by fractions of the opening; the rows behind follow."""
    r, mean = face.regions, face.mean
    opening = mean[r["right_eye_lower"]] - mean[r["right_eye_upper"]]
    out = np.zeros_like(mean, dtype=float)
    for edge, sign, weights in (("upper", down, (1.0, 0.62, 0.18)), ("lower", -up, (1.0, 0.75, 0.35))):
        rows = (f"right_eye_{edge}", f"right_lid_{edge}_1", f"right_lid_{edge}_2")
        for name, weight in zip(rows, weights, strict=True):
            out[r[name]] += sign * weight * opening
    return out
