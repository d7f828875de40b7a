"""FER+ as its own code lays it out: ``FER2013Train/label.csv`` beside the images, likewise ``Valid`` and ``Test``.

``label.csv`` has no header.  As kept in the authors' repository a row is ``fer0000000.png,"(0, 0, 48, 48)",`` and ten
counts of votes; their ``generate_training_data.py``, which writes the images, writes it anew without the box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import DatasetError
from .base import Drop, Face, Reader, Reject
from .ferplus import FerPlus, VotedFaces, parse_label
from .lines import Lines
from .walk import images_below, name_in

SPLIT_OF_FOLDER = {"FER2013Train": "train", "FER2013Valid": "val", "FER2013Test": "test"}
_WHOLE_IMAGE = "(0, 0, 48, 48)"


class FerPlusFolder(VotedFaces):
    """Reader of the folders, by the same protocol as :class:`.ferplus.FerPlus`."""

    def __init__(self, path: Path) -> None:
        """Open the folder ``path`` that holds the folders of the parts.

        Raises:
            DatasetError: there is none, or one lacks its list or its images.
        """
        self._root = path
        folders = _part_folders(path)
        if not folders:
            raise DatasetError(f"{path} holds none of {', '.join(SPLIT_OF_FOLDER)}")
        self._images = {folder: images_below(folder) for folder in folders}
        self.sources: tuple[Path, ...] = tuple(folder / "label.csv" for folder in folders)
        for file in self.sources:
            if not file.is_file():
                raise DatasetError(f"{file} does not exist; every folder of images needs its list of votes")
        self.total = sum(file.stat().st_size for file in self.sources)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the faces in the lists' order, after each list a reject per image that it does not name."""
        for folder, images in self._images.items():
            lines, seen = Lines(folder / "label.csv"), set[str]()
            for row in lines.cells(advance):
                name, *box, votes = row[0].strip(), *row[1:-10], row[-10:]
                if len(row) not in (11, 12) or Path(name).name != name or not name:
                    raise DatasetError(
                        f"{lines.where}: not an image's name, possibly its box, and ten numbers of votes; is the file "
                        "cut off or edited? Get a fresh copy"
                    )
                if name in seen:
                    raise DatasetError(f"{lines.where}: {name} stands in the list already; which votes are right?")
                seen.add(name)
                yield self._item(folder / name, lines.where, box, votes)
            for file in images:
                if file.name not in seen:
                    yield Reject(name_in(self._root, file), "the image is not in label.csv")

    def _item(self, file: Path, where: str, box: list[str], votes: list[str]) -> Face | Reject | Drop:
        if box and box[0].strip() != _WHOLE_IMAGE:
            return Reject(where, f"the face's box {box[0][:40]!r} is not the whole image {_WHOLE_IMAGE}")
        try:
            label = parse_label(votes)
        except ValueError as error:
            return Reject(where, str(error))
        if isinstance(label, Drop):
            return label
        return Face(name_in(self._root, file), file, SPLIT_OF_FOLDER[file.parent.name], **label)


def open_ferplus(path: Path) -> Reader:
    """The reader for FER+ as it lies at ``path``: the two csv files, or the folders written from them.

    Raises:
        DatasetError: both are there, or neither.
    """
    folders = _part_folders(path)
    if not folders:
        return FerPlus(path)
    for name in ("fer2013.csv", "fer2013new.csv"):
        if (path / name).is_file():
            raise DatasetError(f"{path} holds both {name} and {folders[0].name}, two forms of FER+; give one by itself")
    return FerPlusFolder(path)


def _part_folders(path: Path) -> list[Path]:
    """The folders of FER+'s parts that are there."""
    return [path / name for name in SPLIT_OF_FOLDER if (path / name).is_dir()]
