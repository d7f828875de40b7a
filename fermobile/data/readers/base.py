"""What every reader of a public dataset gives: faces, rejects, drops and notes, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ...contract import CropSpec
from ...errors import ImageError


@dataclass(frozen=True, slots=True)
class Face:
    """One labelled face as the source has it.

    Attributes:
        where: file and line, or path relative to the source; for messages.
        image: uint8 image (H, W) or (H, W, 3) RGB, or an image file to be copied.
        file: of an array that is too large to be packed: the image file to keep it as, such as "SN001/00017.jpg".
        split: the source's own "train", "val" or "test"; "" when it has none.
        stratum: what a hold-out keeps in proportion, usually the likeliest emotion.
        subject, emotion, votes, aus: as in :class:`fermobile.data.manifest.Sample`.
    """

    where: str
    image: np.ndarray | Path
    split: str = ""
    stratum: str = ""
    subject: str = ""
    emotion: str = ""
    votes: tuple[float, ...] = ()
    aus: Mapping[str, int] = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True)
class Reject:
    """A sample that is broken: it is skipped, listed, and too many of them stop the import."""

    where: str
    reason: str


def reason(error: ImageError, file: Path) -> str:
    """Why an image file cannot be used, without its name, for a :class:`Reject` that says it."""
    return str(error).removeprefix(f"{file}: ")


@dataclass(frozen=True)
class Drop:
    """A sample that the dataset's protocol leaves out; nothing is wrong with it."""

    reason: str


@dataclass(frozen=True)
class Note:
    """Something that whoever imports the set should know: a choice that was made by what the files look like."""

    text: str


class Reader(Protocol):
    """A public dataset, opened: its structure has been checked, its samples are still to be read.

    Attributes:
        name: the dataset's short name.
        licence, citation: its terms as far as they are known, and where it comes from.
        vote_emotions, action_units: columns that its samples may fill.
        crop: how its images frame the faces; None where that is not known.
        sources: label files whose hashes are recorded.
        total, unit: the length of the work for the progress bar ("bytes" of text, or "images").
    """

    name: str
    licence: str
    citation: str
    vote_emotions: tuple[str, ...]
    action_units: tuple[str, ...]
    crop: CropSpec | None
    sources: tuple[Path, ...]
    total: int
    unit: str

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop | Note]:
        """Yield the samples in the source's order, calling ``advance`` with the units done.

        Raises:
            DatasetError: the source's structure is broken; says the file, the line and what to do.
        """
        ...
