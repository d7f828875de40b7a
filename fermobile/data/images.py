"""Reading one image file safely: upright, RGB, uint8, whatever the file is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..contract import InputSpec
from ..errors import ImageError
from .image_header import image_size, is_float_tiff, is_truncated

# OpenCV would print, in its own words, what the errors below say.
cv2.setLogLevel(0)

#: Image file endings that folders are searched for.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

#: Larger images are refused before they are decoded (a decoded one takes three bytes per pixel).
MAX_PIXELS = 100_000_000


def read_rgb(path: str | Path) -> np.ndarray:
    """Read and decode an image file; see :func:`decode_rgb`.

    Raises:
        ImageError: the file is missing, or cannot be decoded.
    """
    return decode_rgb(read_image_file(path), str(path))


def read_image_file(path: str | Path) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from None


def decode_rgb(data: bytes, name: str) -> np.ndarray:
    """Decode an encoded image: uint8 RGB (H, W, 3).

    EXIF rotation is applied (but not in WebP files, where OpenCV ignores it), 16 bit is scaled to 8, CMYK is
    converted, alpha is dropped, and of an animation or a file of several pages the first image is taken.

    Args:
        data: the file's bytes.
        name: what to call it in messages.
    Raises:
        ImageError: it is empty, cut off, larger than :data:`MAX_PIXELS`, or not an image OpenCV can decode.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    width, height = image_size(data) or (0, 0)
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
        )
    if is_truncated(data):
        raise ImageError(f"{name}: the file is cut off; get it again")
    if is_float_tiff(data):
        raise ImageError(f"{name}: floating-point TIFF, whose white level is unknown; save it with 8 or 16 bits")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{name}: {error.err}") from None
    if image is None:
        raise ImageError(f"{name}: not an image that OpenCV can decode; save it as PNG or JPEG")
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
