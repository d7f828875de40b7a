"""Whatever the file is, it becomes upright RGB uint8 or one clear error."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.contract import InputSpec
from fermobile.data.image_header import image_size
from fermobile.data.images import check_image_target, decode_rgb, normalise, read_rgb, resize_square, write_image
from fermobile.errors import ImageError, InputError, OutputExistsError

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (comes with scikit-image) to write unusual files")

_EXIF_ORIENTATION = 0x112


@pytest.fixture
def photo(smooth_image: Callable[..., np.ndarray]) -> np.ndarray:
    """Colourful, smooth, and of unequal sides, uint8 (60, 90, 3)."""
    return smooth_image(5, 90, 3)[:60]


def encode(image: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, kind, **options)
    return stream.getvalue()


def assert_is(data: bytes, photo: np.ndarray, tolerance: float) -> None:
    image = decode_rgb(data, "x")
    assert image.shape == photo.shape
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - photo).mean() <= tolerance
    height, width = photo.shape[:2]
    assert image_size(data) in {(width, height), (height, width)}  # before or after EXIF rotation


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
def test_common_formats_keep_the_colour_order(photo: np.ndarray, kind: str) -> None:
    assert_is(encode(photo, kind), photo, {"JPEG": 4.0, "WEBP": 4.0}.get(kind, 0.0))


def test_progressive_jpeg(photo: np.ndarray) -> None:
    assert_is(encode(photo, "JPEG", progressive=True, quality=95), photo, 2.0)


def test_lossless_and_transparent_webp(photo: np.ndarray) -> None:
    assert_is(encode(photo, "WEBP", lossless=True), photo, 0.0)
    assert_is(encode(Image.fromarray(photo).convert("RGBA"), "WEBP"), photo, 4.0)


def test_alpha_is_dropped(photo: np.ndarray) -> None:
    rgba = np.dstack([photo, np.full(photo.shape[:2], 128, np.uint8)])
    assert_is(encode(rgba, "PNG"), photo, 0.0)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_is_scaled(photo: np.ndarray, suffix: str) -> None:
    deep = photo[..., ::-1].astype(np.uint16) * 257
    assert_is(cv2.imencode(suffix, deep)[1].tobytes(), photo, 0.0)


def test_16_bit_grey(photo: np.ndarray) -> None:
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    data = cv2.imencode(".png", grey.astype(np.uint16) * 257)[1].tobytes()
    assert_is(data, np.repeat(grey[..., None], 3, axis=2), 0.0)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(photo: np.ndarray, kind: str) -> None:
    options = {"quality": 95} if kind == "JPEG" else {}
    assert_is(encode(Image.fromarray(photo).convert("CMYK"), kind, **options), photo, 3.0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_exif_rotation(photo: np.ndarray, kind: str, orientation: int, undo: Any) -> None:
    stored = Image.fromarray(photo).transpose(undo)
    exif = stored.getexif()
    exif[_EXIF_ORIENTATION] = orientation
    options = {"tiffinfo": {_EXIF_ORIENTATION: orientation}} if kind == "TIFF" else {"exif": exif}
    assert_is(encode(stored, kind, **options, **({"quality": 95} if kind == "JPEG" else {})), photo, 4.0)


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "TIFF"])
def test_first_image_of_an_animation_or_of_several_pages(photo: np.ndarray, kind: str) -> None:
    other = Image.fromarray(255 - photo)
    assert_is(encode(photo, kind, save_all=True, append_images=[other]), photo, 4.0)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "1"])
def test_palette_grey_and_bilevel(photo: np.ndarray, mode: str) -> None:
    image = Image.fromarray(photo).convert(mode)
    assert_is(encode(image, "PNG"), np.asarray(image.convert("RGB")), 0.0)


def test_gif_is_refused(photo: np.ndarray) -> None:
    animated = encode(photo, "GIF", save_all=True, append_images=[Image.fromarray(255 - photo)])
    with pytest.raises(ImageError, match="not a JPEG, PNG, BMP, WebP or TIFF image; save it as PNG or JPEG"):
        decode_rgb(animated, "x")


def test_floating_point_tiff_is_refused(photo: np.ndarray) -> None:
    plain = encode(Image.fromarray(photo[..., 0].astype(np.float32) / 255), "TIFF")
    logluv = cv2.imencode(".tiff", photo.astype(np.float32) / 255)[1].tobytes()
    for data in (plain, logluv):
        with pytest.raises(ImageError, match="floating-point TIFF"):
            decode_rgb(data, "x")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_truncated_files(photo: np.ndarray, kind: str, share: float) -> None:
    data = encode(photo, kind)
    with pytest.raises(ImageError, match=r"^x: "):
        decode_rgb(data[: int(len(data) * share)], "x")


def test_truncated_jpeg_with_a_whole_thumbnail_inside(photo: np.ndarray) -> None:
    thumbnail = encode(photo[:16, :16], "JPEG")
    data = encode(photo, "JPEG", comment=thumbnail)
    assert data.count(b"\xff\xd9") == 2
    with pytest.raises(ImageError, match="cut off"):
        decode_rgb(data[:-100], "x")


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_hundred_megapixels_are_refused_before_decoding(photo: np.ndarray) -> None:
    with pytest.raises(ImageError, match="30000 x 30000 pixels, more than 100 megapixels"):
        decode_rgb(png_header(30_000, 30_000), "x")
    jpeg = bytearray(encode(photo, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    with pytest.raises(ImageError, match="20000 x 20000 pixels"):
        decode_rgb(bytes(jpeg), "x")


def test_a_format_whose_size_is_not_known_beforehand_is_refused(photo: np.ndarray) -> None:
    jpeg_2000 = cv2.imencode(".jp2", photo)[1].tobytes()
    assert cv2.imdecode(np.frombuffer(jpeg_2000, np.uint8), cv2.IMREAD_COLOR) is not None
    with pytest.raises(ImageError, match="not a JPEG, PNG"):
        decode_rgb(jpeg_2000, "x.png")


def test_the_short_header_of_an_old_bitmap(photo: np.ndarray) -> None:
    rows = np.pad(photo[::-1, :, ::-1].reshape(60, -1), ((0, 0), (0, -3 * 90 % 4)))
    header = struct.pack("<2sIHHI", b"BM", 26 + rows.size, 0, 0, 26) + struct.pack("<IHHHH", 12, 90, 60, 1, 24)
    assert_is(header + rows.tobytes(), photo, 0.0)


def test_a_bad_colour_profile_is_not_worth_a_word(photo: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    assert_is(encode(photo, "PNG", icc_profile=bytes(200)), photo, 0.0)
    assert capfd.readouterr().err == ""


def test_an_image_is_written_as_its_ending_says(photo: np.ndarray, tmp_path: Path) -> None:
    for name, start in (("a.png", b"\x89PNG"), ("a.JPG", b"\xff\xd8"), ("a.webp", b"RIFF")):
        write_image(tmp_path / name, photo)
        assert (tmp_path / name).read_bytes().startswith(start)
        assert np.abs(read_rgb(tmp_path / name).astype(int) - photo).mean() < 4
    with pytest.raises(ImageError, match=r"the ending '\.gif'; choose from: \.jpg"):
        write_image(tmp_path / "a.gif", photo)


def test_an_image_that_cannot_be_written_is_found_out_before(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.png").touch()
    check_image_target(tmp_path / "new" / "deep.png", force=False)
    for name, said in (("folder", "is a folder"), ("a.txt", "ending '.txt'"), ("a.png/b.png", "is not a folder")):
        with pytest.raises(InputError, match=said):
            check_image_target(tmp_path / name, force=True)
    with pytest.raises(OutputExistsError):
        check_image_target(tmp_path / "a.png", force=False)
    check_image_target(tmp_path / "a.png", force=True)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF0000WEBP", b"II*\0"]
)
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^x: "):
        decode_rgb(data, "x")


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["JPEG", "WEBP", "TIFF", "BMP", "PNG"]))
def test_random_damage_never_raises_anything_else(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(encode(rng.integers(0, 256, (16, 16, 3), np.uint8), kind))
    for at in rng.integers(0, len(data), rng.integers(1, 10)):
        data[at] = rng.integers(256)
    if (image_size(bytes(data)) or (0, 0))[0] > 5_000:
        return  # allowed, but slow
    with contextlib.suppress(ImageError):
        assert decode_rgb(bytes(data), "x").dtype == np.uint8


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(ImageError, match="directory"):
        read_rgb(tmp_path)


def test_resize_square_shrinks_by_area_and_keeps_the_right_size(photo: np.ndarray) -> None:
    assert resize_square(photo, 32).shape == (32, 32, 3)
    same = np.zeros((32, 32, 3), np.uint8)
    assert resize_square(same, 32) is same
    checkers = np.indices((64, 64)).sum(0) % 2 * 254
    shrunk = resize_square(np.repeat(checkers[..., None], 3, 2).astype(np.uint8), 32)
    assert (shrunk == 127).all()


def test_normalise_follows_the_contract() -> None:
    images = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)
    out = normalise(images, InputSpec(size=1))
    assert out.dtype == np.float32
    assert out.ravel().tolist() == [-1.0, 1.0]
