"""ImageFolder: ``<split>/<class name>/<image>``, or ``<class name>/<image>`` without splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...contract import CropSpec
from ...errors import DatasetError, InputError
from ...labels import emotion_name
from ..images import IMAGE_SUFFIXES
from .base import Drop, Face, Reject
from .walk import files_below, name_in

_SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

#: What numbered class folders are known to mean, none of which can be told from the folders.
_NUMBERINGS = (
    "RAF-DB: 1 surprise, 2 fear, 3 disgust, 4 happiness, 5 sadness, 6 anger, 7 neutral",
    "copies of RAF-DB, and AffectNet: 0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, "
    "7 contempt (AffectNet only)",
    "FER2013: 0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral",
)


class ImageFolder:
    """Reader of a folder of class folders, named by emotion as public datasets spell them."""

    name = "imagefolder"
    licence = "unknown: the terms of the images' source apply"
    vote_emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    crop: CropSpec | None = None
    sources: tuple[Path, ...] = ()
    unit = "images"

    def __init__(self, path: Path) -> None:
        """List the images of ``path``.

        Raises:
            DatasetError: it is no folder, a class is unknown, or a class folder has no image.
        """
        self.citation = f"image folder {path.name}"
        self._root = path
        splits = _split_folders(path)
        self._items = [item for split, folder in splits for item in self._split(split, folder)]
        self._items += [
            item for folder in dict.fromkeys([path, *(folder for _, folder in splits)]) for item in self._loose(folder)
        ]
        self.total = len(self._items)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the images in name order; see :class:`fermobile.data.readers.base.Reader`."""
        for item in self._items:
            yield item
            advance(1)

    def _split(self, split: str, folder: Path) -> Iterator[Face | Reject]:
        """What the classes of one split hold."""
        for emotion, class_folder in _class_folders(folder):
            items = [self._item(split, emotion, file) for file in files_below(class_folder)]
            if not any(isinstance(item, Face) for item in items):
                endings = ", ".join(IMAGE_SUFFIXES)
                raise DatasetError(
                    f"{class_folder}: the class is empty (no {endings} file); add images or remove the folder"
                )
            yield from items

    def _loose(self, folder: Path) -> Iterator[Reject]:
        """The images that lie beside folders."""
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith("."):
                yield Reject(name_in(self._root, file), "the image lies in no class folder")

    def _item(self, split: str, emotion: str, file: Path) -> Face | Reject:
        name = name_in(self._root, file)
        if file.suffix.lower() not in IMAGE_SUFFIXES:
            return Reject(name, f"not an image format that is read ({', '.join(IMAGE_SUFFIXES)})")
        if name != file.relative_to(self._root).as_posix():
            return Reject(name, "the file name is not UTF-8 text; rename the file")
        return Face(name, file, split, stratum=emotion, emotion=emotion)


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(path: Path) -> list[tuple[str, Path]]:
    """(split, folder) pairs; one pair with "" when ``path`` holds the classes itself."""
    if not path.is_dir():
        raise DatasetError(f"{path} is not a folder; give one that holds <split>/<class>/ or <class>/ folders")
    folders = _folders(path)
    named = [(_SPLIT_NAMES[f.name.lower()], f) for f in folders if f.name.lower() in _SPLIT_NAMES]
    if not named:
        return [("", path)]
    others = [f.name for f in folders if f.name.lower() not in _SPLIT_NAMES]
    if others:
        raise DatasetError(
            f"{path}: {', '.join(others[:5])} beside the split folder(s) {', '.join(f.name for _, f in named)}; "
            f"splits are named {', '.join(_SPLIT_NAMES)}: move or rename the others"
        )
    return named


def _class_folders(folder: Path) -> list[tuple[str, Path]]:
    classes = []
    for entry in _folders(folder):
        if entry.name.isdigit():
            orders = "".join(f"\n  {order}" for order in _NUMBERINGS)
            raise DatasetError(
                f"{entry}: a number does not say which emotion it is, as sets and their copies number differently:"
                f"{orders}\nlook at some images, then name the folders by emotion"
            )
        try:
            classes.append((emotion_name(entry.name), entry))
        except InputError as error:
            raise DatasetError(f"{entry}: {error}") from None
    if not classes:
        raise DatasetError(f"{folder} holds no class folders; it needs one per emotion, such as happiness/ and anger/")
    return classes
