"""Reading one image file safely: upright, RGB, uint8, whatever the file is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..contract import InputSpec
from ..errors import ImageError

#: Image file endings that folders are searched for.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read_rgb(path: str | Path) -> np.ndarray:
    """Decode an image file: uint8 RGB (H, W, 3), EXIF rotation applied, 16 bit scaled, alpha dropped.

    Raises:
        ImageError: the file is missing, empty, or not an image OpenCV can decode.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from None
    if not data:
        raise ImageError(f"{path}: the file is empty")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{path}: {error.err}") from None
    if image is None:
        raise ImageError(f"{path}: not an image that OpenCV can decode")
    return np.ascontiguousarray(image[..., ::-1])


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a face crop to (size, size, 3): area averaging when shrinking, bilinear when enlarging."""
    if image.shape[0] == size and image.shape[1] == size:
        return image
    shrinking = max(image.shape[:2]) > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def normalise(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """uint8 RGB images to the contract's float32 input, ``(pixel - mean) / std``; any leading shape."""
    return (images.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)
