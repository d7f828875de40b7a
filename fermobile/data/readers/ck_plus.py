"""CK+ (Lucey et al. 2010): sequences from a neutral face to a posed one, with FACS codes and seven emotions.

::

    cohn-kanade-images/S005/001/S005_001_00000001.png …       the first frame is neutral, the last one the peak
    Emotion/S005/001/S005_001_00000011_emotion.txt            one number, of the peak; 327 of 593 sequences have it
    FACS/S005/001/S005_001_00000011_facs.txt                  a line per action unit of the peak: number, intensity

The first and the peak frame of each sequence are read.  A peak shows the action units that its FACS file lists,
whatever their intensity (0 means unknown), and no others; the first frame, number 1, shows none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ...contract import CropSpec
from ...errors import DatasetError
from ...labels import ACTION_UNITS
from ..images import IMAGE_SUFFIXES
from .base import Drop, Face, Note, Reject
from .facs import unit_name
from .lines import Lines
from .walk import first_existing, name_in

#: The format's label numbers.
EMOTION_ORDER = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")

_SUBJECT = re.compile(r"S\d{3}")
_FRAME = re.compile(r"(S\d{3}_\w+?)_(\d{8})")


class CkPlus:
    """Reader of ``cohn-kanade-images/``, ``Emotion/`` and ``FACS/``; either kind of label may be missing."""

    name = "ck-plus"
    licence = "CK+: non-commercial research only, by agreement with its authors (University of Pittsburgh)"
    citation = (
        "Lucey et al. 2010, The extended Cohn-Kanade dataset (CK+), CVPR workshops; FACS codes of the 2002 manual"
    )
    vote_emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = tuple(ACTION_UNITS)
    crop: CropSpec | None = None
    unit = "images"

    def __init__(self, path: Path) -> None:
        """Find images and labels below ``path``, with or without the folders that the archives unpack into.

        Raises:
            DatasetError: a folder is missing, or a sequence has two label files of one kind.
        """
        self._root = path
        self._images = first_existing(
            "images of CK+", [path / "cohn-kanade-images", path / "extended-cohn-kanade-images/cohn-kanade-images"]
        )
        kinds = {"emotion": ("Emotion", "Emotion_labels/Emotion"), "facs": ("FACS", "FACS_labels/FACS")}
        self._labels = {
            kind: next((path / place for place in places if (path / place).is_dir()), None)
            for kind, places in kinds.items()
        }
        if not any(self._labels.values()):
            first_existing("labels of CK+", [path / place for places in kinds.values() for place in places])
        if self._labels["facs"] is None:
            self.action_units = ()
        self._sequences = [
            (sequence, frames)
            for person in sorted(self._images.iterdir())
            if _SUBJECT.fullmatch(person.name)
            for sequence in sorted(person.iterdir())
            if sequence.is_dir() and (frames := _frames(sequence))
        ]
        if not self._sequences:
            raise DatasetError(f"{self._images} holds no sequence such as S005/001/S005_001_00000001.png")
        label_roots = [root for root in self._labels.values() if root is not None]
        self.sources: tuple[Path, ...] = tuple(f for root in label_roots for f in sorted(root.glob("S*/*/[!.]*.txt")))
        labelled = {self._images / file.parent.parent.name / file.parent.name for file in self.sources}
        self._without_images = sorted(labelled - {sequence for sequence, _ in self._sequences})
        self.total = sum(len(frames) for _, frames in self._sequences)
        self._unknown: dict[str, int] = {}

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop | Note]:
        """Yield two faces of each sequence; see :class:`fermobile.data.readers.base.Reader`."""
        self._unknown = {}
        for sequence, frames in self._sequences:
            yield from self._sequence(sequence, frames)
            advance(len(frames))
        if self._without_images:
            example, count = name_in(self._root, self._without_images[0]), len(self._without_images)
            yield Note(f"sequences with labels and no image: {count}, for example {example}")
        if self._unknown:
            counts = ", ".join(
                f"{number} ({n})" for number, n in sorted(self._unknown.items(), key=lambda i: int(i[0]))
            )
            yield Note(
                f"action units left out, as fermobile does not know them, and how often they are coded: {counts}"
            )

    def _sequence(self, sequence: Path, frames: list[Path]) -> Iterator[Face | Reject | Drop]:
        subject, where = sequence.parent.name, name_in(self._root, sequence)
        labels = {kind: self._label_file(kind, sequence) for kind in self._labels}
        named = {file.stem.removesuffix(f"_{kind}") for kind, file in labels.items() if file is not None}
        peak = next((frame for frame in frames if {frame.stem} == named), None)
        # Where a copy begins later, as those with the last three frames do, its first image is half way to the peak.
        begins = int(frames[0].stem[-8:]) == 1
        if begins and peak is frames[0]:
            yield Reject(where, "its labels are of the first frame, which should be the neutral one")
            return
        if begins:
            yield self._face(frames[0], subject, "neutral", dict.fromkeys(self.action_units, 0))
        else:
            yield Drop("sequence of which the first frame is missing: no neutral face of it")
        for _ in frames[1 if begins else 0 : -1]:
            yield Drop("between the neutral and the peak frame")
        if peak is not None:
            yield self._peak(peak, subject, labels)
        elif not named:
            yield Drop("peak frame without a label")
        elif len(named) > 1:
            yield Reject(where, f"its labels are of different frames: {' and '.join(sorted(named))}")
        else:
            yield Reject(where, f"the labels are of {named.pop()}, of which there is no image")

    def _peak(self, frame: Path, subject: str, labels: dict[str, Path | None]) -> Face | Reject:
        emotion, units = "", {}
        for kind, file in labels.items():
            if file is None:
                continue
            lines = Lines(file)
            try:
                if kind == "emotion":
                    emotion = _emotion(lines)
                else:
                    units = dict.fromkeys(self.action_units, 0) | dict.fromkeys(self._coded(lines), 1)
            except ValueError as error:
                return Reject(f"{name_in(self._root, file)}, line {lines.line}", str(error))
        return self._face(frame, subject, emotion, units)

    def _coded(self, lines: Lines) -> list[str]:
        """The action units of a FACS file; raises ValueError where a line is none."""
        found = []
        for words in lines.words():
            if len(words) != 2 or not 0 <= float(words[1]) <= 5:
                raise ValueError(f"{' '.join(words)[:60]!r} is not an action unit and its intensity, 0 to 5")
            if name := unit_name(words[0]):
                found.append(name)
            else:
                number = f"{float(words[0]):.0f}"
                self._unknown[number] = self._unknown.get(number, 0) + 1
        return found

    def _label_file(self, kind: str, sequence: Path) -> Path | None:
        root = self._labels[kind]
        folder = None if root is None else root / sequence.parent.name / sequence.name
        files = [] if folder is None or not folder.is_dir() else sorted(folder.glob(f"[!.]*_{kind}.txt"))
        if len(files) > 1:
            raise DatasetError(f"{folder}: {files[0].name} and {files[1].name} label one sequence; which is right?")
        return files[0] if files else None

    def _face(self, frame: Path, subject: str, emotion: str, units: dict[str, int]) -> Face:
        return Face(name_in(self._root, frame), frame, stratum=emotion, subject=subject, emotion=emotion, aus=units)


def _frames(sequence: Path) -> list[Path]:
    return sorted(f for f in sequence.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and _FRAME.fullmatch(f.stem))


def _emotion(lines: Lines) -> str:
    """The emotion in a file of one number, such as ``3.0000000e+00``; raises ValueError where it is none."""
    words = [word for row in lines.words() for word in row]
    number = float(words[0]) if len(words) == 1 else -1.0
    if number not in range(len(EMOTION_ORDER)):
        raise ValueError(f"{' '.join(words)[:60]!r} is not one number from 0 to {len(EMOTION_ORDER) - 1}")
    return EMOTION_ORDER[int(number)]
