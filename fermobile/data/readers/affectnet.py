"""AffectNet (Mollahosseini, Hasani & Mahoor 2017): faces from the web in eight emotions, in its two distributions.

The old one has lists (csv) of photos with a face's box; the one of 2021 has cropped faces, each with annotation
files (npy).  Both have a training and a validation part; there is no public test part.
"""

from __future__ import annotations

import functools
import io
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from ...contract import CropSpec
from ...errors import DatasetError, ImageError
from ..images import IMAGE_SUFFIXES, read_rgb, resize_square
from .base import Drop, Face, Reader, Reject, reason
from .table import Table
from .walk import first_existing, name_in

#: The labels 0 to 7.
EMOTION_ORDER = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
#: The labels 8 to 10, which are no emotion.
OTHER_LABELS = ("none", "uncertain", "no face")
COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "expression")

#: Faces of the old distribution are kept as squares of this side, in pixels: no model here takes more.
SIDE = 160
#: ... that reach this far beyond the longer side of the box on every side, as a fraction of it.
MARGIN = 0.1

_LISTS = {"training.csv": "train", "validation.csv": "val"}
_SETS = {"train_set": "train", "val_set": "val"}
_LARGEST_ANNOTATION = 4096  # bytes; a label takes about 130


class _AffectNet:
    name = "affectnet"
    licence = "AffectNet: non-commercial research only, by agreement with its authors (University of Denver)"
    citation = "Mollahosseini, Hasani & Mahoor 2017, AffectNet, arXiv:1708.03985"
    vote_emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    crop: CropSpec | None = None


def open_affectnet(path: Path) -> Reader:
    """The reader for the distribution that lies at ``path``.

    Raises:
        DatasetError: it is neither or both.
    """
    old, new = _find_lists(path), [path / name for name in _SETS if (path / name).is_dir()]
    if old and new:
        raise DatasetError(
            f"{path} holds both {old[0]} and {new[0]}, two distributions; give a folder with one of them"
        )
    if old:
        return AffectNetLists(path)
    if new:
        return AffectNetArrays(path)
    raise DatasetError(
        f"{path} holds neither training.csv or validation.csv (also looked for in Manually_Annotated_file_lists/) "
        "nor train_set/ or val_set/; give the folder that holds AffectNet as it was distributed"
    )


class AffectNetLists(_AffectNet):
    """Reader of ``training.csv`` and ``validation.csv`` with the photos in ``Manually_Annotated_Images``.

    The annotated face is cut out: a square around the middle of its box, :data:`MARGIN` larger on every side, with
    the photo's edge repeated where it leaves the photo, and resized to :data:`SIDE`.
    """

    unit = "bytes"

    def __init__(self, path: Path) -> None:
        """Open the lists and find the photos.

        Raises:
            DatasetError: there is no list, one lacks a column, or the folder of the photos is missing.
        """
        self._tables = [Table(file, COLUMNS) for file in _find_lists(path)]
        if not self._tables:
            raise DatasetError(f"{path} holds neither training.csv nor validation.csv")
        folder = "Manually_Annotated_Images"
        self._images = first_existing(
            "photos of AffectNet", [path / folder, path / "Manually_Annotated" / folder, path.parent / folder]
        )
        self.sources: tuple[Path, ...] = tuple(table.path for table in self._tables)
        self.total = sum(file.stat().st_size for file in self.sources)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the faces in the order of the lists; see :class:`fermobile.data.readers.base.Reader`."""
        *others, last = self._tables
        held_out = {row[0].lower() for row in last.rows()} if others else set()  # of 5,500 images
        for table in self._tables:
            for row in table.rows(advance):
                if table is not last and row[0].lower() in held_out:
                    raise DatasetError(
                        f"{table.where}: {row[0]} is also in {last.path}; an image must not be in both parts: get both "
                        "lists as distributed"
                    )
                yield self._item(table.where, _LISTS[table.path.name], row)

    def _item(self, where: str, split: str, row: list[str]) -> Face | Reject | Drop:
        try:
            emotion = _emotion(row[5])
            if isinstance(emotion, Drop):
                return emotion
            box = [_number(name, cell) for name, cell in zip(COLUMNS[1:5], row[1:5], strict=True)]
        except ValueError as error:
            return Reject(where, str(error))
        if box[2] < 0:
            return Drop("no face box (face_width is negative)")
        file = _find_file(self._images, row[0])
        if file is None:
            return Reject(where, f"{row[0]}: no such image below {self._images}")
        try:
            return Face(where, _cut_out(read_rgb(file), box), split, stratum=emotion, emotion=emotion)
        except ImageError as error:
            return Reject(where, f"{row[0]}: {reason(error, file)}")
        except ValueError as error:
            return Reject(where, f"{row[0]}: {error}")


class AffectNetArrays(_AffectNet):
    """Reader of ``train_set`` and ``val_set``: ``images/7.jpg`` with ``annotations/7_exp.npy``, a label as text."""

    sources: tuple[Path, ...] = ()  # every label is a file of its own
    unit = "images"

    def __init__(self, path: Path) -> None:
        """Count the images.

        Raises:
            DatasetError: no set has both its folders.
        """
        self._root = path
        self._sets = [path / name for name in _SETS if (path / name).is_dir()]
        if not self._sets:
            raise DatasetError(f"{path} holds neither train_set/ nor val_set/")
        for folder in (folder / part for folder in self._sets for part in ("images", "annotations")):
            if not folder.is_dir():
                raise DatasetError(f"{folder} does not exist; every set needs its images/ and annotations/")
        self.total = sum(len(_images(folder)) for folder in self._sets)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the images set by set, by number; an image or a label without the other is a reject."""
        for folder in self._sets:
            images = _images(folder)
            for stem in sorted(images, key=lambda stem: (len(stem), stem)):
                yield self._item(folder, images[stem])
                advance(1)
            for label in sorted((folder / "annotations").glob("[!.]*_exp.npy")):
                if label.name.removesuffix("_exp.npy") not in images:
                    yield Reject(name_in(self._root, label), "there is no image of that number")

    def _item(self, folder: Path, image: str) -> Face | Reject | Drop:
        file = folder / "images" / image
        label = folder / "annotations" / f"{file.stem}_exp.npy"
        try:
            emotion = _emotion(_read_label(label))
        except ValueError as error:
            return Reject(name_in(self._root, file), f"{name_in(self._root, label)}: {error}")
        if isinstance(emotion, Drop):
            return emotion
        return Face(name_in(self._root, file), file, _SETS[folder.name], stratum=emotion, emotion=emotion)


def _find_lists(path: Path) -> list[Path]:
    """The lists that are there, those of the training part first."""
    folder = "Manually_Annotated_file_lists"
    for place in (path, path / folder, path / "Manually_Annotated" / folder):
        found = [place / name for name in _LISTS if (place / name).is_file()]
        if found:
            return found
    return []


def _images(folder: Path) -> dict[str, str]:
    """File names by what stands before their ending."""
    names = sorted(file.name for file in (folder / "images").iterdir() if not file.name.startswith("."))
    return {Path(name).stem: name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES}


def _emotion(label: str) -> str | Drop:
    """Raises ValueError when it is no label of AffectNet."""
    known = (*EMOTION_ORDER, *OTHER_LABELS)
    if not (label.isascii() and label.isdigit() and len(label) < 3 and int(label) < len(known)):
        raise ValueError(f"expression {label[:20]!r} is not a label from 0 to {len(known) - 1}")
    name = known[int(label)]
    return Drop(f"annotated as {name}") if name in OTHER_LABELS else name


def _number(column: str, cell: str) -> float:
    """A number whose decimals may follow a comma, as a spreadsheet of some countries saves them.

    Raises:
        ValueError: it is none; names the column.
    """
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e6:
        raise ValueError(f"column {column}: {cell[:20]!r} is not a number of pixels")
    return value


def _find_file(folder: Path, name: str) -> Path | None:
    """The file of a list's entry, also where letters differ in case; None when there is none."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/"):
        return None
    if (folder / name).is_file():
        return folder / name
    for part in parts:
        if not folder.is_dir():
            return None
        found = _names(folder).get(part.lower())
        if found is None:
            return None
        folder = folder / found
    return folder if folder.is_file() else None


@functools.lru_cache(maxsize=16)
def _names(folder: Path) -> dict[str, str]:
    """The names in a folder by their lower-case form, where that is one name's only."""
    names = [entry.name for entry in folder.iterdir()]
    count = Counter(name.lower() for name in names)
    return {name.lower(): name for name in names if count[name.lower()] == 1}


def _cut_out(photo: np.ndarray, box: list[float]) -> np.ndarray:
    """The square around a box (x, y, width, height in pixels) of a uint8 RGB photo, uint8 (SIDE, SIDE, 3).

    Raises:
        ValueError: the box is empty or not one of a face in this photo.
    """
    x, y, width, height = box
    x, y = x + width / 2, y + height / 2
    side = round(max(width, height) * (1 + 2 * MARGIN))
    inside = 0 <= x < photo.shape[1] and 0 <= y < photo.shape[0]
    if min(width, height) < 1 or not inside or side > 2 * max(photo.shape[:2]):
        raise ValueError(f"the face box {box} does not lie in the photo of {photo.shape[1]} x {photo.shape[0]} pixels")
    square = cv2.getRectSubPix(photo, (side, side), (x - 0.5, y - 0.5))
    return resize_square(square, SIDE)


def _read_label(file: Path) -> str:
    """The label in an annotation file.

    Raises:
        ValueError: it holds anything else, such as a pickled object, which is never loaded.
    """
    try:
        if file.stat().st_size > _LARGEST_ANNOTATION:
            raise ValueError("too large for a label")
        data = io.BytesIO(file.read_bytes())
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    try:
        array = np.lib.format.read_array(data, allow_pickle=False)
    except (ValueError, TypeError, OverflowError, MemoryError, RecursionError, SyntaxError, tokenize.TokenError):
        # the latter three: numpy parses the header as an expression of Python
        raise ValueError("damaged, or holds pickled objects, which are never loaded") from None
    if array.size != 1:
        raise ValueError(f"{array.size} labels, expected one")
    return str(array.reshape(-1)[0]).strip()
