"""ImageFolder: ``<split>/<class name>/<image>``, or ``<class name>/<image>`` without splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...contract import CropSpec
from ...errors import DatasetError, InputError
from ...labels import emotion_name
from ..images import IMAGE_SUFFIXES
from .base import Drop, Face, Reject

_SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


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
        self._files = [
            (split, emotion, file)
            for split, folder in _split_folders(path)
            for emotion, class_folder in _class_folders(folder)
            for file in _images(class_folder)
        ]
        self.total = len(self._files)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the images in name order; see :class:`fermobile.data.readers.base.Reader`."""
        for split, emotion, file in self._files:
            yield Face(file.relative_to(self._root).as_posix(), file, split, stratum=emotion, emotion=emotion)
            advance(1)


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
        try:
            classes.append((emotion_name(entry.name), entry))
        except InputError as error:
            raise DatasetError(f"{entry}: {error}") from None
    if not classes:
        raise DatasetError(f"{folder} holds no class folders; it needs one per emotion, such as happiness/ and anger/")
    return classes


def _images(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
    if not files:
        endings = ", ".join(IMAGE_SUFFIXES)
        raise DatasetError(f"{folder}: the class is empty (no {endings} file); add images or remove the folder")
    return files
