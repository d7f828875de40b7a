"""The parts that are drawn flat: eyes and mouth behind the openings of the mesh, lashes over it, neck and hair."""

from __future__ import annotations

import cv2
import numpy as np

from .expressions import UNITS, Expression
from .head import Head
from .raster import SHIFT, fixed_point
from .scene import Camera, Scene
from .subjects import Subject

_IRIS_RADIUS = 0.066
_AU25, _AU26, _AU27 = (UNITS.index(u) for u in ("AU25", "AU26", "AU27"))


def _colour(rgb: np.ndarray | tuple[float, ...], light: float = 1.0) -> tuple[float, ...]:
    return tuple(min(255.0, float(v) * light) for v in rgb)


def _fill(canvas: np.ndarray, points: np.ndarray, rgb: tuple[float, ...]) -> None:
    cv2.fillPoly(canvas, [fixed_point(points)], rgb, cv2.LINE_AA, SHIFT)


def _disc(canvas: np.ndarray, centre: np.ndarray, radius: float, rgb: tuple[float, ...]) -> None:
    x, y = fixed_point(centre)
    cv2.circle(canvas, (int(x), int(y)), int(radius * (1 << SHIFT)), rgb, -1, cv2.LINE_AA, SHIFT)


def _front_light(scene: Scene) -> float:
    """Light on a surface that faces the viewer."""
    return scene.ambient + scene.key * float(-scene.light[2])


def draw_neck(canvas: np.ndarray, camera: Camera, subject: Subject, scene: Scene) -> None:
    """Long hair behind, neck, and shoulders in clothes."""
    light = _front_light(scene)
    if subject.hair_style == "long":
        w = 0.98 + subject.hair_volume
        t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        across, down = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.6, np.sin(t)
        hair = np.stack([w * across, 0.15 + 1.45 * down, np.full(24, 1.0)], axis=1).astype(np.float32)
        _fill(canvas, camera.project(camera.pose(hair)), _colour(subject.hair, 0.75 * light))
    chest = [(-0.55, 1.25), (-1.2, 1.5), (-1.9, 1.9), (-2.2, 5.0), (2.2, 5.0), (1.9, 1.9), (1.2, 1.5), (0.55, 1.25)]
    jaw = camera.pose(np.array([(-0.52, 0.35, 0.9), (0.52, 0.35, 0.9)], np.float32))
    collar = [(0.58, 1.35, 1.0), (0.25, 1.62, 0.8), (-0.25, 1.62, 0.8), (-0.58, 1.35, 1.0)]
    root = camera.pose_body(np.array(collar, np.float32))
    trunk = camera.pose_body(np.array([(x, y, 1.0) for x, y in chest], np.float32))
    _fill(canvas, camera.project(trunk), _colour(scene.cloth, 0.9 * light))
    _fill(canvas, camera.project(np.concatenate([jaw, root])), _colour(subject.skin, 0.72 * light))


def draw_eyes(
    canvas: np.ndarray,
    camera: Camera,
    head: Head,
    neutral: np.ndarray,
    posed: np.ndarray,
    subject: Subject,
    scene: Scene,
) -> None:
    """Eyeballs; the lids, drawn later, cover what they cover."""
    light = _front_light(scene)
    for side in ("right", "left"):
        upper, lower = head.regions[f"{side}_eye_upper"], head.regions[f"{side}_eye_lower"]
        ring = np.concatenate([upper, lower[::-1]])
        opening = camera.project(posed[ring])
        middle = opening.mean(axis=0)
        wide = middle + (opening - middle) * np.array([1.08, 1.5])
        _fill(canvas, wide, _colour((205, 196, 190), 0.72 * light))
        _fill(canvas, wide + np.array([0, 0.030 * camera.scale]), _colour((232, 226, 222), 0.95 * light))
        at_rest = neutral[ring].mean(axis=0) + np.array([scene.gaze[0], scene.gaze[1] - 0.008, -0.02], np.float32)
        centre = camera.project(camera.pose(at_rest[None]))[0]
        radius = _IRIS_RADIUS * camera.scale
        _disc(canvas, centre, radius, _colour(subject.iris, 0.55 * light))
        _disc(canvas, centre, radius * 0.82, _colour(subject.iris, light))
        _disc(canvas, centre, radius * 0.42, (12, 10, 10))
        glint = centre + np.array([scene.light[0], scene.light[1]]) * radius * 0.5
        _disc(canvas, glint, radius * 0.20, _colour((255, 255, 255), min(1.0, 0.9 * light)))


def draw_lashes(canvas: np.ndarray, camera: Camera, head: Head, posed: np.ndarray, subject: Subject) -> None:
    """The dark edges of the lids: slivers that are thickest in the middle."""
    taper = np.sin(np.linspace(0.15, np.pi - 0.25, len(head.regions["right_eye_upper"])))[:, None].astype(np.float32)
    for side in ("right", "left"):
        upper = camera.project(posed[head.regions[f"{side}_eye_upper"]])
        lower = camera.project(posed[head.regions[f"{side}_eye_lower"]])
        across = upper[-1] - upper[0]
        away = np.array([across[1], -across[0]]) * np.sign(across[0]) / (np.hypot(*across) + 1e-6) * camera.scale
        for edge, thickness, rgb in ((lower, -0.010, _colour(subject.skin, 0.45)), (upper, 0.026, (26.0, 18.0, 16.0))):
            outer = edge + away * thickness * taper
            _fill(canvas, np.concatenate([edge - away * thickness * 0.15, outer[::-1]]), rgb)


def draw_mouth(
    canvas: np.ndarray,
    camera: Camera,
    head: Head,
    neutral: np.ndarray,
    posed: np.ndarray,
    expression: Expression,
    scene: Scene,
) -> None:
    """Teeth fixed to the skull and to the jaw, the tongue, and the dark behind them."""
    light = _front_light(scene)
    upper, lower = head.regions["lips_upper"][-1], head.regions["lips_lower"][-1]
    opening = camera.project(np.concatenate([posed[upper], posed[lower[::-1]]]))
    middle = opening.mean(axis=0)
    _fill(canvas, middle + (opening - middle) * 1.12, _colour((74, 28, 26), light))
    middle_gap = len(upper) // 2
    gap = float(np.linalg.norm(posed[upper[middle_gap]] - posed[lower[middle_gap]]))
    if gap < 0.04:
        return
    drop = 0.62 * float(0.20 * expression.activation[_AU26].mean() + 0.40 * expression.activation[_AU27].mean())
    arch = (neutral[upper] + neutral[lower]) / 2
    arch = (arch - arch.mean(axis=0)) * np.array([0.86, 0.25, 1.0], np.float32) + arch.mean(axis=0)

    def band(top: float, bottom: float, depth: float) -> np.ndarray:
        points = [arch + np.array([0, y, depth], np.float32) for y in (top, bottom)]
        return camera.project(camera.pose(np.concatenate([points[0], points[1][::-1]])))

    if drop > 0.05:
        centre = camera.project(camera.pose((arch.mean(axis=0) + np.array([0, drop * 0.9, 0.12], np.float32))[None]))[0]
        axes = (int(0.15 * camera.scale * 16), int((0.03 + 0.45 * drop) * camera.scale * 16))
        x, y = fixed_point(centre)
        tongue = _colour((176, 84, 82), 0.8 * light)
        cv2.ellipse(canvas, (int(x), int(y)), axes, 0, 0, 360, tongue, -1, cv2.LINE_AA, SHIFT)
    _fill(canvas, band(0.025 + drop, 0.10 + drop, 0.06), _colour((214, 204, 186), 0.85 * light))
    _fill(canvas, band(-0.09, 0.035, 0.03), _colour((236, 230, 216), 0.95 * light))
