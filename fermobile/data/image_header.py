"""Size and completeness of an image file from its bytes, without decoding a pixel.

OpenCV decodes first and asks later: a crafted 30,000 x 30,000 PNG of 100 kB takes 2.7 GB, and the missing half
of a truncated JPEG comes back grey.  Only the formats that :data:`.images.IMAGE_SUFFIXES` names are known here.
"""

from __future__ import annotations

import struct

#: JPEG markers that carry the frame's size: SOF0..SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN, _JPEG_FILL = 0xDA, 0xFF
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COMPRESSION, _TIFF_SAMPLE_FORMAT = 256, 257, 259, 339
_TIFF_SHORT, _TIFF_FLOAT, _TIFF_LOGLUV = 3, 3, (34676, 34677)


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, JPEG, BMP, WebP or TIFF file; None when the header does not tell."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _unpack(">II", data, 16)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)[0]
        if data.startswith(b"BM"):
            width, height = _unpack("<ii", data, 18)
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
    tags = {}
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        form, inside = ("H", 2) if kind == _TIFF_SHORT else ("I", 1)
        where = at + 8 if count <= inside else struct.unpack_from(f"{order}I", data, at + 8)[0]
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COMPRESSION, _TIFF_SAMPLE_FORMAT):
            (tags[tag],) = struct.unpack_from(f"{order}{form}", data, where)
    return tags
