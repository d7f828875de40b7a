"""FER2013 (Goodfellow et al. 2013): one csv of 48x48 grey faces with seven emotions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ...contract import CropSpec
from ...errors import DatasetError
from .base import Drop, Face, Reject
from .table import Table

#: The format's label numbers.
EMOTION_ORDER = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
#: The challenge's parts: PublicTest chose the models, PrivateTest ranked them.
SPLIT_OF_USAGE = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
COLUMNS = ("emotion", "pixels", "Usage")
LICENCE = "FER2013: research use only (ICML 2013 facial expression recognition challenge on Kaggle)"
CITATION = "Goodfellow et al. 2013, Challenges in representation learning, arXiv:1307.0414"
#: How the distributed images frame their faces: the median over the training images on which MediaPipe finds a
#: face looking ahead, as ``fermobile data measure`` shows it (eye distance 0.35 to 0.41, height 0.36 to 0.42 between
#: the quartiles).
CROP = CropSpec(eye_distance=0.37, eye_y=0.40)

_SIDE = 48
_PIXEL = {str(value): value for value in range(256)}


class Fer2013:
    """Reader of ``fer2013.csv``: columns emotion (0..6), pixels (2,304 grey values) and Usage."""

    name = "fer2013"
    licence = LICENCE
    citation = CITATION
    vote_emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    crop: CropSpec | None = CROP
    unit = "bytes"

    def __init__(self, path: Path) -> None:
        """Open ``path``, the csv or the folder that holds it.

        Raises:
            DatasetError: the csv is missing or lacks a column.
        """
        self._table = Table(find_file(path, "fer2013.csv"), COLUMNS)
        self.sources: tuple[Path, ...] = (self._table.path,)
        self.total = self._table.path.stat().st_size

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the faces in file order; see :class:`fermobile.data.readers.base.Reader`."""
        for label, pixels, usage in self._table.rows(advance):
            where = self._table.where
            split = split_of(usage, where)
            try:
                image = read_pixels(self._table, pixels)
                if label not in ("0", "1", "2", "3", "4", "5", "6"):
                    raise ValueError(f"column emotion: {label[:20]!r} is not a label from 0 to 6")
            except ValueError as error:
                yield Reject(where, str(error))
                continue
            emotion = EMOTION_ORDER[int(label)]
            yield Face(where, image, split, stratum=emotion, emotion=emotion)


def find_file(path: Path, name: str) -> Path:
    """The file ``name`` in the folder ``path``, or ``path`` itself when it is a file."""
    if path.is_file():
        return path
    if (path / name).is_file():
        return path / name
    raise DatasetError(f"{path / name} does not exist; give the folder that holds {name} as it was distributed")


def split_of(usage: str, where: str) -> str:
    """The split that a Usage cell names.

    Raises:
        DatasetError: it is not one of the three.
    """
    try:
        return SPLIT_OF_USAGE[usage]
    except KeyError:
        known = ", ".join(SPLIT_OF_USAGE)
        raise DatasetError(
            f"{where}, column Usage: {usage[:40]!r} is not one of {known}; is the file cut off? Get a fresh copy"
        ) from None


def read_pixels(table: Table, text: str) -> np.ndarray:
    """The pixels cell of the row in hand as uint8 (48, 48).

    Raises:
        DatasetError: it is too short because the file ends in it.
        ValueError: it is broken, as :func:`parse_pixels` says.
    """
    try:
        return parse_pixels(text)
    except ValueError as error:
        if table.cut:
            raise DatasetError(f"{table.where}, {error}; the file is cut off here: get a fresh copy") from None
        raise


def parse_pixels(text: str) -> np.ndarray:
    """A pixels cell as uint8 (48, 48).

    Raises:
        ValueError: it does not hold 2,304 whole numbers from 0 to 255; names the column.
    """
    words = text.split()
    try:
        values = bytes(map(_PIXEL.__getitem__, words))
    except KeyError as error:
        raise ValueError(f"column pixels: {error.args[0][:20]!r} is not a whole number from 0 to 255") from None
    if len(values) != _SIDE * _SIDE:
        raise ValueError(f"column pixels: {len(values)} values, expected {_SIDE * _SIDE} (48x48)")
    return np.frombuffer(values, np.uint8).reshape(_SIDE, _SIDE)
