"""Where pictures come from: image files, folders, video files, a webcam."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from ..data.images import IMAGE_SUFFIXES, read_rgb
from ..errors import ImageError, InputError
from ..stderr import silenced_stderr

#: Endings of files that are read as videos; whether OpenCV can decode one shows when it is opened.
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")

#: Frames per second of a video that does not say it, and of webcams that say nonsense.
_USUAL_RATE = 25.0


@dataclass(frozen=True)
class Picture:
    """One picture: uint8 RGB (H, W, 3), its frame number (None for a photo), how long decoding took."""

    image: np.ndarray
    frame: int | None
    milliseconds: float


@dataclass(frozen=True)
class Source:
    """A file to read; ``relative`` is its path below the folder that was searched (its name otherwise)."""

    path: Path
    relative: Path

    @property
    def is_video(self) -> bool:
        """True for a video file."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_sources(paths: Iterable[Path]) -> list[Source]:
    """The files that paths stand for: files as they are, folders searched for images and videos, all through, in order.

    Raises:
        InputError: a path does not exist, or a folder holds neither.
    """
    suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    found = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if not path.is_dir():
            found.append(Source(path, Path(path.name)))
            continue
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
        if not files:
            raise InputError(f"{path}: no images or videos in this folder; looked for {', '.join(suffixes)}")
        found += [Source(p, p.relative_to(path)) for p in files]
    return found


def count_pictures(sources: Iterable[Source], every: int = 1) -> int | None:
    """How many pictures there are to read, as far as the files say; None where a video does not."""
    total = 0
    for source in sources:
        length: int | None = 1
        if source.is_video:
            with contextlib.suppress(ImageError), contextlib.closing(Video(source.path, every)) as video:
                length = video.length
        if length is None:
            return None
        total += length
    return total


def read_photo(path: Path) -> Picture:
    """Decode an image file.

    Raises:
        ImageError: it cannot be decoded.
    """
    start = perf_counter()
    image = read_rgb(path)
    return Picture(image, None, 1e3 * (perf_counter() - start))


class Video:
    """A video file, or a webcam given by its number; iterate over it for its pictures, and close it.

    Args:
        every: take one frame of so many.
    Raises:
        ImageError: the file or the camera cannot be opened.
    """

    def __init__(self, source: Path | int, every: int = 1) -> None:
        self._every = every
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # the decoder has much to say of each broken frame
        with silenced_stderr():  # what it says, the error says
            self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        if not self._capture.isOpened():
            what = f"webcam {source}: there is no such camera" if isinstance(source, int) else f"{source}: not a video"
            raise ImageError(f"{what} that OpenCV can open")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        #: Frames per second of what the iteration yields.
        self.rate = (rate if 1 <= rate <= 240 else _USUAL_RATE) / every
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        #: How many pictures the iteration yields, None when that is not known.
        self.length = -(-count // every) if count > 0 else None

    def __iter__(self) -> Iterator[Picture]:
        frame = 0
        while True:
            start = perf_counter()
            if not self._capture.grab():
                return
            if frame % self._every == 0:
                decoded, image = self._capture.retrieve()
                if not decoded:
                    return
                rgb = np.ascontiguousarray(image[..., ::-1])
                yield Picture(rgb, frame, 1e3 * (perf_counter() - start))
            frame += 1

    def close(self) -> None:
        """Release the file or the camera."""
        self._capture.release()
