"""One recording per subject: a video, read frame by frame, or a folder of frames that somebody extracted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...errors import DatasetError
from ..images import IMAGE_SUFFIXES
from .walk import name_in

_SUBJECT = re.compile(r"(?:^|Video)(SN\d{3})(?:_comp)?$", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_VIDEOS = (".avi", ".mp4")

#: A frame: its number, what to call it, and the image, or None where it is not wanted.
Frame = tuple[int, str, np.ndarray | Path | None]


@dataclass(frozen=True)
class Video:
    """A video file.

    Attributes:
        path: the file.
        name: its path inside the source.
    """

    path: Path
    name: str

    def frames(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        """Decode one frame after the other, numbered from 1: uint8 RGB (H, W, 3), or None for those not ``wanted``.

        Raises:
            DatasetError: the file cannot be opened as a video, or lacks frames inside.
        """
        video = cv2.VideoCapture(str(self.path))
        try:
            number, announced, rate = 0, video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
            first = last = 0.0
            while video.isOpened() and video.grab():
                number += 1
                last = video.get(cv2.CAP_PROP_POS_MSEC)
                first = last if number == 1 else first
                image = video.retrieve()[1][..., ::-1] if wanted(number) else None
                yield number, f"{self.name.rpartition('.')[0]}/{number:05}.jpg", image
            if not number:
                raise DatasetError(f"{self.path} cannot be read as a video; get a fresh copy, or extract its frames")
            # The decoder passes over an empty frame without a word, and later ones would get the labels of their
            # predecessors; the time goes on over it.  The count alone is no proof: headers are off by one, and a video
            # may end early.
            places = 1 + round((last - first) * rate / 1000)
            if number < announced and number < places:
                raise DatasetError(
                    f"{self.path}: frames are missing inside, {number} could be read of {places}: labels by number "
                    "would not fit those behind; get a fresh copy, extract the frames by number, or move the video "
                    "away to leave this subject out"
                )
        finally:
            video.release()


@dataclass(frozen=True)
class Frames:
    """A folder of frames, numbered by the last number in their names.

    Attributes:
        files: number -> file.
        name: the folder's path inside the source.
        names: number -> the file's path inside the source.
    """

    files: dict[int, Path]
    name: str
    names: dict[int, str]

    def span(self) -> tuple[int, int]:
        """The lowest and the highest number."""
        return min(self.files), max(self.files)

    def frames(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        """The files in the order of their numbers, or None for those not ``wanted``."""
        for number, file in sorted(self.files.items()):
            yield number, self.names[number], file if wanted(number) else None


def find_recordings(path: Path, root: Path, subjects: Iterable[str]) -> dict[str, Video | Frames]:
    """A recording of each subject that has some below ``path``: of the left camera, then videos, before the others.

    Args:
        root: the source; names are paths inside it.
    Raises:
        DatasetError: there is none at all, or a subject has two of one kind.
    """
    wanted, found = set(subjects), dict[str, dict[tuple[bool, bool], Path]]()
    for where, folders, files in os.walk(path):
        folder = Path(where)
        files = [name for name in files if not name.startswith(".")]  # such as macOS's ._LeftVideoSN001_comp.avi
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "ActionUnit_Labels")
        candidates = [folder / name for name in files if name.lower().endswith(_VIDEOS)]
        if any(name.lower().endswith(IMAGE_SUFFIXES) for name in files):
            candidates.append(folder)
        for candidate in candidates:
            named = _SUBJECT.search(candidate.name if candidate is folder else candidate.stem)
            if named is None or named[1].upper() not in wanted:
                continue
            right = "right" in name_in(root, candidate).lower()
            key, of_subject = (right, candidate is folder), found.setdefault(named[1].upper(), {})
            if key in of_subject:
                raise DatasetError(
                    f"{of_subject[key]} and {candidate} are both of {named[1].upper()}; give the folder that is meant"
                )
            of_subject[key] = candidate
    if not found:
        raise DatasetError(f"{path} holds no recording such as LeftVideoSN001_comp.avi or SN001/0001.png")
    return {subject: _open(of_subject[min(of_subject)], root) for subject, of_subject in sorted(found.items())}


def _open(path: Path, root: Path) -> Video | Frames:
    if path.is_file():
        return Video(path, name_in(root, path))
    files: dict[int, Path] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith("."):
            number = _LAST_NUMBER.search(file.stem)
            if number is None:
                raise DatasetError(f"{file}: the name holds no number of a frame")
            first = files.setdefault(int(number[1]), file)
            if first is not file:
                raise DatasetError(f"{path}: {first.name} and {file.name} are both frame {int(number[1])}")
    return Frames(files, name_in(root, path), {number: name_in(root, file) for number, file in files.items()})
