"""Training views of a face: one warp from the stored image, then photometric changes.

Every view depends only on its own random generator, so views are the same whatever the batch size, the
number of workers, or the place where a killed run resumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .images import resize_square


@dataclass(frozen=True)
class Augment:
    """How much a training view may differ from the stored image; 0 or False switches a part off.

    Attributes:
        flip: mirror half of the views.
        shift: largest shift, as a fraction of the side.
        zoom: largest relative change of scale (0.1: 0.9 to 1.1).
        rotate: largest rotation, degrees.
        brightness, contrast: largest relative change.
        color: largest change of each channel's gain and gamma, which makes grey sources look like coloured skin.
        sharpness: largest amount by which detail is blurred away or exaggerated; low-resolution sources and
            sharp phone photos then look alike to the model.
        erase: largest fraction of the area that a random rectangle covers, in half of the views (Zhong et al. 2020).
    """

    flip: bool = True
    shift: float = 0.06
    zoom: float = 0.1
    rotate: float = 10.0
    brightness: float = 0.2
    contrast: float = 0.2
    color: float = 0.3
    sharpness: float = 0.5
    erase: float = 0.0


NONE = Augment(False, 0, 0, 0, 0, 0, 0, 0, 0)


def augmented(image: np.ndarray, size: int, how: Augment, rng: np.random.Generator) -> np.ndarray:
    """One training view of a uint8 RGB image (H, W, 3): uint8 (size, size, 3)."""
    view = _warped(image, size, how, rng)
    if how.sharpness and rng.random() < 0.5:
        amount = rng.uniform(-how.sharpness, how.sharpness)
        soft = cv2.GaussianBlur(view, (0, 0), size / 64)
        view = cv2.addWeighted(view, 1 + amount, soft, -amount, 0)
    view = _photometric(view, how, rng)
    if how.erase and rng.random() < 0.5:
        _erase(view, how.erase, rng)
    return view


def _warped(image: np.ndarray, size: int, how: Augment, rng: np.random.Generator) -> np.ndarray:
    if max(image.shape[:2]) > size:  # a warp does not average: shrink first
        image = resize_square(image, size)
    height, width = image.shape[:2]
    angle = np.deg2rad(rng.uniform(-1, 1) * how.rotate)
    scale = 1 + rng.uniform(-1, 1) * how.zoom
    dx, dy = rng.uniform(-1, 1, 2) * how.shift
    mirror = -1.0 if how.flip and rng.random() < 0.5 else 1.0
    # From view coordinates in [-.5, .5] to image pixels; pixel centres lie at +0.5.
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[c * mirror, -s], [s * mirror, c]])
    to_image = np.diag([width, height]) @ turn
    matrix = np.empty((2, 3))
    matrix[:, :2] = to_image / size
    matrix[:, 2] = to_image @ np.array([0.5 / size - 0.5, 0.5 / size - 0.5])
    matrix[:, 2] += np.array([(0.5 + dx) * width, (0.5 + dy) * height]) - 0.5
    kernels = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
    kernel = kernels[rng.integers(len(kernels))] if how.sharpness else cv2.INTER_LINEAR
    return cv2.warpAffine(
        image, matrix, (size, size), flags=kernel | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


def _photometric(view: np.ndarray, how: Augment, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast and colour as one lookup table per channel."""
    ramp = np.linspace(0, 1, 256)[:, None]
    gain, gamma = np.ones(3), np.ones(3)
    if how.color and rng.random() < 0.5:
        # Skin reflects red most and blue least, so the channels move apart in that order.
        order = np.array([1.0, 0.0, -1.0]) * rng.uniform(-0.25, 1.0) + rng.uniform(-0.25, 0.25, 3)
        gain += how.color * order
        gamma -= how.color * order * rng.uniform(0, 1)
    contrast = 1 + rng.uniform(-1, 1) * how.contrast
    brightness = rng.uniform(-1, 1) * how.brightness
    table = (ramp**gamma * gain - 0.5) * contrast + 0.5 + brightness
    return cv2.LUT(view, np.round(np.clip(table, 0, 1) * 255).astype(np.uint8).reshape(256, 1, 3))


def _erase(view: np.ndarray, largest: float, rng: np.random.Generator) -> None:
    size = view.shape[0]
    area, ratio = rng.uniform(0.02, largest) * size * size, np.exp(rng.uniform(-1, 1))
    h, w = int(min(size, (area * ratio) ** 0.5)), int(min(size, (area / ratio) ** 0.5))
    y, x = rng.integers(0, size - h + 1), rng.integers(0, size - w + 1)
    view[y : y + h, x : x + w] = rng.integers(0, 256, 3)
