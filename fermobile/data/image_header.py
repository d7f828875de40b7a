"""What an image file says about itself, from its bytes, without decoding a pixel.

OpenCV decodes first and asks later: a crafted 30,000 x 30,000 PNG of 100 kB takes 2.7 GB, the missing half of a
truncated JPEG comes back grey, and a rotated WebP comes back as it lies.  Only the formats that
:data:`.images.IMAGE_SUFFIXES` names are known here.
"""

from __future__ import annotations

import struct

#: JPEG markers that carry the frame's size: SOF0..SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN, _JPEG_FILL = 0xDA, 0xFF
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COMPRESSION, _TIFF_ORIENTATION, _TIFF_SAMPLE_FORMAT = 256, 257, 259, 274, 339
_TIFF_TAGS = (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COMPRESSION, _TIFF_ORIENTATION, _TIFF_SAMPLE_FORMAT)
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"tRNS", b"eXIf")
_BMP_OS2_HEADER = 12  # bytes; newer headers are longer and hold 32-bit sizes
_TIFF_SHORT, _TIFF_FLOAT, _TIFF_LOGLUV = 3, 3, (34676, 34677)


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, JPEG, BMP, WebP or TIFF file; None when the header does not tell."""
    try:
        if data.startswith(_PNG_START):
            return _unpack(">II", data, 16)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)[0]
        if data.startswith(b"BM"):
            (header,) = struct.unpack_from("<I", data, 14)
            width, height = _unpack("<HH" if header == _BMP_OS2_HEADER else "<ii", data, 18)
            return width, abs(height)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
        if data[:4] in _TIFF_STARTS:
            tags = _tiff_tags(data)
            return (tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT])
    except (struct.error, LookupError):
        pass
    return None


def is_truncated(data: bytes) -> bool:
    """Whether a PNG, JPEG or WebP file ends before its image does."""
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") < 0
    if data.startswith(b"\xff\xd8"):
        try:
            scan = _jpeg(data)[1]
        except (struct.error, IndexError):
            return True
        return data.find(b"\xff\xd9", scan) < 0
    if data.startswith(b"RIFF") and len(data) >= 12:
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return False


def is_float_tiff(data: bytes) -> bool:
    """Whether a TIFF file holds floating-point (or LogLuv) samples, whose white level nobody knows."""
    try:
        tags = _tiff_tags(data) if data[:4] in _TIFF_STARTS else {}
    except struct.error:
        return False
    return tags.get(_TIFF_SAMPLE_FORMAT) == _TIFF_FLOAT or tags.get(_TIFF_COMPRESSION) in _TIFF_LOGLUV


def webp_orientation(data: bytes) -> int:
    """EXIF orientation of a WebP file, 1 to 8; 1 (upright) where it has none, and for other formats."""
    if not (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        return 1
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"EXIF":
            try:
                tags = _tiff_tags(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
            except struct.error:
                return 1
            return tags.get(_TIFF_ORIENTATION, 1)
        at += 8 + size + size % 2
    return 1


def plain_png(data: bytes) -> bytes:
    """A PNG without what does not bear on its pixels; other files as they are.

    libpng prints a warning about every colour profile it dislikes, and many files carry one.
    """
    if not data.startswith(_PNG_START):
        return data
    parts, at = [data[: len(_PNG_START)]], len(_PNG_START)
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if not kind[0] & 0x20 or kind in _PNG_KEPT:  # a lower-case first letter marks what can be left out
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def _unpack(form: str, data: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, data, offset)
    return first, second


def _jpeg(data: bytes) -> tuple[tuple[int, int], int]:
    """Frame size, and where the first scan starts; IndexError or struct.error when the segments break off."""
    size, at = (0, 0), 2
    while True:
        while data[at] == _JPEG_FILL and data[at + 1] == _JPEG_FILL:
            at += 1
        marker = data[at + 1]
        if marker == _JPEG_SCAN:
            return size, at
        if marker in _JPEG_FRAMES:
            height, width = _unpack(">HH", data, at + 5)
            size = width, height
        at += 2 if marker in _JPEG_ALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = _unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    return None


def _tiff_tags(data: bytes) -> dict[int, int]:
    """First value of the tags used here; values that do not fit into the directory entry lie elsewhere."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    tags: dict[int, int] = {}
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        form, inside = ("H", 2) if kind == _TIFF_SHORT else ("I", 1)
        where = at + 8 if count <= inside else struct.unpack_from(f"{order}I", data, at + 8)[0]
        if tag in _TIFF_TAGS:
            tags.setdefault(tag, struct.unpack_from(f"{order}{form}", data, where)[0])
    return tags
