"""CelebA (Liu et al. 2015): celebrities with forty attributes, two of which hint at action units.

An attribute is what one annotator saw at a glance ("Smiling"), not FACS coding: it says nothing of intensity, and a
faint or lopsided smile may count as none.  Only the two whose name describes a single facial movement are taken.
Narrow_Eyes is not among them, as it is mostly a trait of a face at rest; no emotion is made of Smiling, either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ...contract import CropSpec
from ...errors import DatasetError
from .base import Drop, Face, Reject
from .lines import Lines
from .walk import first_existing

#: Attribute -> the action unit for which it stands in.
PROXIES: Mapping[str, str] = {"Smiling": "AU12", "Mouth_Slightly_Open": "AU25"}
SPLIT_OF_PARTITION = {"0": "train", "1": "val", "2": "test"}

_NAME = re.compile(r"\d+\.(jpg|png)")
_VALUES = {"-1": 0, "1": 1}


class CelebA:
    """Reader of ``list_attr_celeba.txt``, ``list_eval_partition.txt`` and ``img_align_celeba``, row by row.

    ``identity_CelebA.txt`` gives the subjects where it is there; the partition keeps them apart.
    """

    name = "celeba"
    licence = (
        "CelebA: non-commercial research only (MMLAB, CUHK); its action units are attribute proxies, not FACS coding"
    )
    citation = (
        "Liu, Luo, Wang & Tang 2015, Deep learning face attributes in the wild, arXiv:1411.7766; attribute proxies, "
        f"not FACS coding: {', '.join(f'{au} is {attribute}' for attribute, au in PROXIES.items())}"
    )
    vote_emotions: tuple[str, ...] = ()
    action_units = tuple(PROXIES.values())
    crop: CropSpec | None = None
    unit = "bytes"

    def __init__(self, path: Path) -> None:
        """Find the lists, beside the images or in ``Anno`` and ``Eval`` as distributed, and check their header.

        Raises:
            DatasetError: a list or the images are missing, or the list of attributes lacks one.
        """
        self._images = first_existing("images of CelebA", [path / "img_align_celeba", path / "Img/img_align_celeba"])
        self._attributes = _find(path, "Anno", "list_attr_celeba.txt")
        self._partition = _find(path, "Eval", "list_eval_partition.txt")
        identities = [folder / "identity_CelebA.txt" for folder in (path, path / "Anno")]
        self._identities = next((Lines(file) for file in identities if file.is_file()), None)
        self._count, self._columns = self._header(self._attributes.words())
        lists = (self._attributes, self._partition, self._identities)
        self.sources: tuple[Path, ...] = tuple(lines.path for lines in lists if lines)
        self.total = self._attributes.path.stat().st_size

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the faces in the order of the lists; see :class:`fermobile.data.readers.base.Reader`."""
        partition = _Beside(self._partition, self._attributes)
        identities = _Beside(self._identities, self._attributes) if self._identities else None
        split_of: dict[str, str] = {}
        for name, aus in self._rows(advance):
            part = partition.value(name)
            if part not in SPLIT_OF_PARTITION:
                raise DatasetError(f"{self._partition.where}: partition {part[:20]!r} is not 0, 1 or 2")
            subject = identities.value(name) if identities else ""
            if identities and split_of.setdefault(subject, part) != part:
                raise DatasetError(
                    f"{self._partition.where} puts {name} in partition {part}, but by {identities.where} it shows "
                    f"person {subject}, who is in partition {split_of[subject]}; get both lists as distributed"
                )
            file = self._images / name
            yield Face(f"{self._images.name}/{name}", file, SPLIT_OF_PARTITION[part], subject=subject, aus=aus)
        partition.end()
        if identities:
            identities.end()

    def _rows(self, advance: Callable[[int], None]) -> Iterator[tuple[str, dict[str, int]]]:
        """Name and action units of each image in the list of attributes."""
        rows = self._attributes.words(advance)
        self._header(rows)
        fields = 1 + len(self._columns)
        at = [1 + self._columns.index(name) for name in PROXIES]
        count, last = 0, ""
        for row in rows:
            where, name = self._attributes.where, row[0]
            if len(row) != fields:
                raise DatasetError(f"{where}: {len(row)} fields, expected {fields}; is the file cut off or edited?")
            if not _NAME.fullmatch(name) or not name > last:
                raise DatasetError(
                    f"{where}: {name[:40]!r} after {last or 'the header'!r}; every image has one line, in the order of "
                    "their names such as 000001.jpg: get a fresh copy"
                )
            values = [row[i] for i in at]
            if not all(value in _VALUES for value in values):
                raise DatasetError(f"{where}: values {', '.join(values)[:40]} of {', '.join(PROXIES)} are not -1 or 1")
            yield name, {au: _VALUES[value] for au, value in zip(PROXIES.values(), values, strict=True)}
            count, last = count + 1, name
        if count != self._count:
            raise DatasetError(
                f"{self._attributes.path} announces {self._count} images in its first line and lists {count}; "
                "is it cut off or edited? Get a fresh copy"
            )

    def _header(self, rows: Iterator[list[str]]) -> tuple[int, list[str]]:
        """Number of images and names of the attributes, from the first two lines."""
        path, count, columns = self._attributes.path, next(rows, []), next(rows, [])
        if len(count) != 1 or not (count[0].isascii() and count[0].isdigit() and len(count[0]) < 10):
            raise DatasetError(f"{path}, line 1: not the number of images; get a fresh copy")
        missing = [name for name in PROXIES if name not in columns]
        if missing:
            raise DatasetError(f"{path}, line 2: no attribute {', '.join(missing)}; found: {' '.join(columns)[:200]}")
        return int(count[0]), columns


class _Beside:
    """A list with one value per image, read in step with the list of attributes."""

    def __init__(self, lines: Lines, attributes: Lines) -> None:
        self._lines, self._attributes, self._rows = lines, attributes, lines.words()

    @property
    def where(self) -> str:
        """File and line of the value in hand."""
        return self._lines.where

    def value(self, name: str) -> str:
        """What the next row says of the image ``name``.

        Raises:
            DatasetError: there is none, or it is another image's.
        """
        row = next(self._rows, None)
        if row is None:
            raise self._unequal(f"{self._lines.path} ends before {name}")
        if len(row) != 2 or row[0] != name:
            raise self._unequal(f"{self.where}: {' '.join(row)[:60]!r} where {name} should be")
        return row[1]

    def end(self) -> None:
        """Raise DatasetError when rows are left."""
        if next(self._rows, None) is not None:
            raise self._unequal(f"{self.where}: more rows")

    def _unequal(self, what: str) -> DatasetError:
        return DatasetError(
            f"{what}; it and {self._attributes.path} must list the same images in one order: get both as distributed"
        )


def _find(path: Path, folder: str, name: str) -> Lines:
    return Lines(first_existing(f"list {name}", [path / name, path / folder / name]))
