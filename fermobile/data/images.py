"""One image file, read safely (upright, RGB, uint8, whatever the file is) and written whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..contract import InputSpec
from ..errors import ImageError, InputError
from ..files import refuse_existing, write_bytes
from .image_header import image_size, is_float_tiff, is_truncated, plain_png, webp_orientation

# OpenCV would print, in its own words, what the errors below say.
cv2.setLogLevel(0)

#: Image file endings: what folders are searched for, and what can be written.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

#: Larger images are refused before they are decoded (a decoded one takes three bytes per pixel).
MAX_PIXELS = 100_000_000

#: How an image of each EXIF orientation is set upright: mirrored across the main diagonal, then these axes flipped.
_UPRIGHT: dict[int, tuple[bool, tuple[int, ...]]] = {
    2: (False, (1,)), 3: (False, (0, 1)), 4: (False, (0,)),
    5: (True, ()), 6: (True, (1,)), 7: (True, (0, 1)), 8: (True, (0,)),
}  # fmt: skip


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

    EXIF rotation is applied, 16 bit is scaled to 8, CMYK is
    converted, alpha is dropped, and of an animation or a file of several pages the first image is taken.

    Args:
        data: the file's bytes.
        name: what to call it in messages.
    Raises:
        ImageError: it is empty, cut off, larger than :data:`MAX_PIXELS`, or not an image of
            a known format (see :data:`IMAGE_SUFFIXES`).
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    if is_truncated(data):
        raise ImageError(f"{name}: the file is cut off; get it again")
    size = image_size(data)
    if size is None:  # OpenCV knows more formats, but how large an image of them gets is not known beforehand
        raise ImageError(f"{name}: not a JPEG, PNG, BMP, WebP or TIFF image; save it as PNG or JPEG")
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
        )
    if is_float_tiff(data):
        raise ImageError(f"{name}: floating-point TIFF, whose white level is unknown; save it with 8 or 16 bits")
    try:
        image = cv2.imdecode(np.frombuffer(plain_png(data), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{name}: {error.err}") from None
    if image is None:
        raise ImageError(f"{name}: damaged, or a kind of image that OpenCV cannot decode; save it as PNG or JPEG")
    mirrored, flipped = _UPRIGHT.get(webp_orientation(data), (False, ()))  # OpenCV turns the other formats itself
    upright = np.flip(image.swapaxes(0, 1) if mirrored else image, flipped)
    return np.ascontiguousarray(upright[..., ::-1])


def encode_image(image: np.ndarray, suffix: str) -> bytes:
    """A uint8 RGB (H, W, 3) image as the bytes of a file with the ending ``suffix``, one of :data:`IMAGE_SUFFIXES`."""
    return cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a uint8 RGB (H, W, 3) image; the name's ending chooses the format.

    Raises:
        ImageError: no image format has this ending.
    """
    write_bytes(path, encode_image(image, _known_suffix(path)))


def check_image_target(path: Path, force: bool) -> None:
    """Find out before the work whether :func:`write_image` will be able to write ``path``.

    Raises:
        ImageError: no image format has this ending.
        InputError: ``path`` is a folder or lies in a file.
        OutputExistsError: it exists and ``force`` is not set.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name an image file, such as {path / 'sheet.png'}")
    _known_suffix(path)
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"{path}: {above} is not a folder")
    refuse_existing(path, force)


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        known = ", ".join(IMAGE_SUFFIXES)
        raise ImageError(f"{path}: cannot write an image with the ending {path.suffix!r}; choose from: {known}")
    return suffix


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a face crop to (size, size, 3): area averaging when shrinking, bilinear when enlarging."""
    if image.shape[0] == size and image.shape[1] == size:
        return image
    shrinking = max(image.shape[:2]) > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def normalise(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """uint8 RGB images to the contract's float32 input, ``(pixel - mean) / std``; any leading shape."""
    return (images.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)
