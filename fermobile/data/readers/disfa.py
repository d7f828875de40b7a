"""DISFA (Mavadati et al. 2013): 27 people filmed from two sides while they watch a clip, every frame coded.

::

    ActionUnit_Labels/SN001/SN001_au1.txt               lines frame,intensity (0 to 5), frames from 1
    Videos_LeftCamera/LeftVideoSN001_comp.avi           and Videos_RightCamera/RightVideoSN001_comp.avi; or
    …/LeftVideoSN001_comp/00001.png or …/SN001/0.png    frames that somebody extracted

An action unit's number is read from the name of its file, never from a place in a list of files.  An intensity of 2
and more is positive, as in the benchmark's protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ...contract import CropSpec
from ...errors import DatasetError
from .base import Drop, Face, Note, Reject
from .lines import Lines
from .recordings import Frames, Video, find_recordings
from .walk import first_existing

#: The action units that the set codes.
UNITS = tuple(f"AU{number}" for number in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26))
#: The least intensity that counts as present.
POSITIVE = 2

_SUBJECT = re.compile(r"SN\d{3}")
_FILE = re.compile(r"(SN\d{3})_au(\d+)\.txt", re.IGNORECASE)


class Disfa:
    """Reader of ``ActionUnit_Labels/`` with the videos of one camera, or with extracted frames."""

    name = "disfa"
    licence = "DISFA: non-commercial research only, by agreement with its authors (University of Denver)"
    citation = "Mavadati et al. 2013, DISFA: a spontaneous facial action intensity database (IEEE TAFFC)"
    vote_emotions: tuple[str, ...] = ()
    crop: CropSpec | None = None
    unit = "images"

    def __init__(self, path: Path, every: int = 1) -> None:
        """Find labels and recordings.

        Args:
            path: the folder that holds ``ActionUnit_Labels``, of which the left camera's videos are taken, then its
                frames, then the right camera's; or a folder in it, such as ``Videos_RightCamera``, which chooses.
            every: take one frame in so many: neighbouring ones are nearly equal.
        Raises:
            DatasetError: labels or recordings are missing, label files disagree, or frames are numbered otherwise.
        """
        labels = first_existing("labels of DISFA", [path / "ActionUnit_Labels", path.parent / "ActionUnit_Labels"])
        self._every = every
        self._labels = {
            folder.name: _read_labels(folder)
            for folder in sorted(labels.iterdir())
            if folder.is_dir() and _SUBJECT.fullmatch(folder.name)
        }
        if not self._labels:
            raise DatasetError(f"{labels} holds no subject such as SN001/SN001_au1.txt")
        self._recordings = find_recordings(path, labels.parent, self._labels)
        self._first, self._numbering = _numbering(self._recordings, self._lengths())
        coded = {unit for units in self._labels.values() for unit in units}
        self.action_units: tuple[str, ...] = tuple(unit for unit in UNITS if unit in coded)
        for subject, units in self._labels.items():
            missing = [unit for unit in self.action_units if unit not in units]
            if missing:
                raise DatasetError(
                    f"{labels / subject}: no file for {', '.join(missing)}, which other subjects have; get it again, "
                    f"or move the folder {subject} away to leave this subject out"
                )
        self.sources: tuple[Path, ...] = tuple(sorted(labels.glob("SN*/[!.]*.txt")))
        self.total = sum(self._lengths().values())

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop | Note]:
        """Yield the labelled frames, subject by subject; see :class:`fermobile.data.readers.base.Reader`."""
        yield Note(self._numbering)
        for subject, units in self._labels.items():
            recording = self._recordings.get(subject)
            if recording is None:
                yield Reject(subject, "there is neither a video nor a folder of frames of this subject")
                continue
            table = np.stack([units[unit] for unit in self.action_units], axis=1) >= POSITIVE
            yield from self._frames(subject, recording, table, advance)

    def _frames(
        self, subject: str, recording: Video | Frames, table: np.ndarray, advance: Callable[[int], None]
    ) -> Iterator[Face | Reject | Drop]:
        """The frames of one subject; ``table`` is bool (frames, action units)."""
        read: set[int] = set()
        first = 1 if isinstance(recording, Video) else self._first

        def wanted(number: int) -> bool:
            return number - first < len(table) and (number - first) % self._every == 0

        for number, where, image in recording.frames(wanted):
            at = number - first
            read.add(at)
            advance(1)
            if at >= len(table):
                yield Drop("frame behind the last label")
            elif image is None:
                yield Drop(f"not one of every {self._every} frames")
            else:
                aus = dict(zip(self.action_units, table[at].astype(int).tolist(), strict=True))
                yield Face(where, image, subject=subject, aus=aus, file=where)
        for at in sorted(set(range(len(table))) - read):
            if isinstance(recording, Video):
                yield Reject(recording.name, f"the video ends before frame {at + 1}, which has a label")
            else:
                yield Drop("label of a frame that was not extracted")

    def _lengths(self) -> dict[str, int]:
        return {subject: len(next(iter(units.values()))) for subject, units in self._labels.items()}


def _read_labels(folder: Path) -> dict[str, np.ndarray]:
    """The intensities of a subject per action unit, uint8 (frames,).

    Raises:
        DatasetError: a file is broken, of another subject, or disagrees with another one about the frames.
    """
    files: dict[str, Path] = {}
    units: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("[!.]*.txt")):
        named = _FILE.fullmatch(file.name)
        unit = f"AU{int(named[2])}" if named else ""
        if named is None or named[1].upper() != folder.name or unit not in UNITS:
            known = ", ".join(unit.removeprefix("AU") for unit in UNITS)
            raise DatasetError(f"{file}: not a name like {folder.name}_au1.txt with one of {known}")
        if unit in files:
            raise DatasetError(f"{files[unit]} and {file.name} are both of {unit}; which is right?")
        files[unit], units[unit] = file, _intensities(file)
        first = next(iter(units))
        if len(units[unit]) != len(units[first]):
            raise DatasetError(
                f"{files[first]} has {len(units[first])} frames and {file.name} has {len(units[unit])}: "
                "they are of one video; get both as distributed"
            )
    if not units:
        raise DatasetError(f"{folder} holds no file such as {folder.name}_au1.txt")
    return units


def _intensities(file: Path) -> np.ndarray:
    lines, found = Lines(file), bytearray()
    for row in lines.cells():
        cells = [cell.strip() for cell in row]
        if len(cells) != 2 or cells[0] != str(len(found) + 1) or cells[1] not in ("0", "1", "2", "3", "4", "5"):
            raise DatasetError(
                f"{lines.where}: {','.join(cells)[:40]!r} is not '{len(found) + 1},' and an intensity from 0 to 5; "
                "get a fresh copy"
            )
        found.append(int(cells[1]))
    if not found:
        raise DatasetError(f"{file} is empty; get a fresh copy")
    return np.frombuffer(bytes(found), np.uint8)


def _numbering(recordings: dict[str, Video | Frames], lengths: dict[str, int]) -> tuple[int, str]:
    """The number of the extracted frame that the first label is of, 0 or 1, and a sentence that says how that shows.

    Raises:
        DatasetError: neither fits the frames' numbers, or subjects contradict each other.
    """
    told: dict[int, str] = {}
    extracted = {subject: frames for subject, frames in recordings.items() if isinstance(frames, Frames)}
    if not extracted:
        return 1, "the videos' first frame has the first label"
    for subject, frames in extracted.items():
        low, high = frames.span()
        possible = [first for first in (0, 1) if first <= low and high < first + lengths[subject]]
        if not possible:
            raise DatasetError(
                f"{frames.name}: frames {low} to {high}, labels of frames 1 to {lengths[subject]}: neither counting "
                "the frames from 0 nor from 1 fits; name them as the labels do and remove those behind the last"
            )
        if len(possible) == 1:
            told.setdefault(possible[0], frames.name)
    if len(told) == 2:
        raise DatasetError(f"{told[0]} counts its frames from 0 and {told[1]} from 1; number all alike")
    if 0 in told:
        return 0, f"frames are numbered from 0: frame n has the label of frame n + 1 (seen in {told[0]})"
    seen = f"seen in {told[1]}" if told else "taken for granted: numbers from 0 would fit them too"
    return 1, f"frames are numbered from 1, as the labels are ({seen})"
