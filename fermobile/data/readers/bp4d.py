"""BP4D (Zhang et al. 2014): spontaneous expressions in eight tasks, frames with coded action units.

::

    AUCoding/AU_OCC/F001_T1.csv      header: the numbers of action units; rows: frame, then 0, 1, or 9 or 999 (unknown)
    2D+3D/F001/T1/2440.jpg           frames, their numbers plain or with leading zeros

The names of the action units are those of each file's header, never of a position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ...contract import CropSpec
from ...errors import DatasetError
from ..images import IMAGE_SUFFIXES
from .base import Drop, Face, Note, Reject
from .facs import in_order, unit_name
from .lines import Lines
from .walk import first_existing, name_in

_LABELS = re.compile(r"([FM]\d{3})_(T\d+)")
_VALUE = {"0": 0, "1": 1}
_UNKNOWN = ("9", "999")


class Bp4d:
    """Reader of ``AUCoding/AU_OCC/*.csv`` with the frames that they code."""

    name = "bp4d"
    licence = "BP4D-Spontaneous: non-commercial research only, by agreement with its authors (Binghamton University)"
    citation = (
        "Zhang et al. 2014, BP4D-Spontaneous: a high-resolution spontaneous 3D dynamic facial expression database"
    )
    vote_emotions: tuple[str, ...] = ()
    crop: CropSpec | None = None
    unit = "bytes"

    def __init__(self, path: Path, every: int = 1) -> None:
        """Find labels and frames below ``path``.

        Args:
            path: the folder that holds ``AUCoding`` and the frames.
            every: take one coded frame of a recording in so many.
        Raises:
            DatasetError: they are missing, or a header is broken.
        """
        self._root, self._every = path, every
        labels = first_existing("codes of BP4D", [path / place for place in ("AUCoding/AU_OCC", "AU_OCC", "AUCoding")])
        self._files = [file for file in sorted(labels.glob("*.csv")) if _LABELS.fullmatch(file.stem)]
        if not self._files:
            raise DatasetError(f"{labels} holds no file such as F001_T1.csv")
        self._frames = _frame_root(path)
        units = [name for file in self._files for name in _header(Lines(file), {})]
        self.action_units: tuple[str, ...] = in_order(units)
        self.sources: tuple[Path, ...] = tuple(self._files)
        self.total = sum(file.stat().st_size for file in self._files)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop | Note]:
        """Yield the coded frames, recording by recording; see :class:`fermobile.data.readers.base.Reader`."""
        unknown: dict[str, int] = {}
        for file in self._files:
            yield from self._recording(file, advance, unknown)
        if unknown:
            counts = ", ".join(f"{number} (in {n} files)" for number, n in unknown.items())
            yield Note(f"action units left out, as fermobile does not know them: {counts}")

    def _recording(
        self, file: Path, advance: Callable[[int], None], unknown: dict[str, int]
    ) -> Iterator[Face | Reject | Drop]:
        lines = Lines(file)
        names = _header(lines, unknown)
        named = _LABELS.fullmatch(file.stem)
        assert named is not None
        subject, task = named.groups()
        images = _numbered(self._frames / subject / task)
        rows = lines.cells(advance)
        next(rows)
        seen: set[int] = set()
        for at, row in enumerate(rows):
            if len(row) != len(names) + 1 or not row[0].strip().isdecimal():
                raise DatasetError(
                    f"{lines.where}: {len(row)} fields that begin with {row[0][:20]!r}, expected the number of a frame "
                    f"and {len(names)} codes; is the file cut off or edited? Get a fresh copy"
                )
            number = int(row[0])
            if number in seen:
                raise DatasetError(f"{lines.where}: frame {number} is coded twice; which row is right?")
            seen.add(number)
            if at % self._every:
                yield Drop(f"not one of every {self._every} frames")
            else:
                yield self._item(lines.where, subject, images.get(number), number, names, row[1:])

    def _item(
        self, where: str, subject: str, image: Path | None, number: int, names: list[str], cells: list[str]
    ) -> Face | Reject | Drop:
        units = {}
        for name, cell in zip(names, (cell.strip() for cell in cells), strict=True):
            if cell in _VALUE:
                units[name] = _VALUE[cell]
            elif cell not in _UNKNOWN:
                return Reject(where, f"{cell[:20]!r} is neither 0, 1 nor 9 or 999 (unknown)")
        units.pop("", None)
        if not units:
            return Drop("no action unit is coded")
        if image is None:
            return Reject(where, f"there is no image of frame {number}")
        return Face(name_in(self._root, image), image, subject=subject, aus=units)


def _header(lines: Lines, unknown: dict[str, int]) -> list[str]:
    """The action units of the columns but the first; "" for those that fermobile does not know, which are counted."""
    header = next(lines.cells(), [])
    try:
        names = [unit_name(cell) for cell in header[1:]]
    except ValueError:
        names = []
    known = [name for name in names if name]
    if not known or len(set(known)) != len(known):
        raise DatasetError(
            f"{lines.path}: the first line is not a header of different action units (0,1,2,4,…): "
            f"{','.join(header)[:60]!r}; get a fresh copy"
        )
    for cell, name in zip(header[1:], names, strict=True):
        if not name:
            unknown[cell.strip()] = unknown.get(cell.strip(), 0) + 1
    return names


def _frame_root(path: Path) -> Path:
    """The folder below ``path`` that holds ``F001/T1`` and so on."""
    for folder in (path, *(entry for entry in sorted(path.iterdir()) if entry.is_dir())):
        if any(True for _ in folder.glob("[FM][0-9][0-9][0-9]/T*")):
            return folder
    raise DatasetError(f"{path} holds no frames such as F001/T1/2440.jpg, nor does a folder in it")


def _numbered(folder: Path) -> dict[int, Path]:
    """The images of a recording by the numbers of their frames; none when the folder is missing."""
    found: dict[int, Path] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.suffix.lower() in IMAGE_SUFFIXES and file.stem.isdecimal():
            first = found.setdefault(int(file.stem), file)
            if first is not file:
                raise DatasetError(f"{folder}: {first.name} and {file.name} are both frame {int(file.stem)}")
    return found
