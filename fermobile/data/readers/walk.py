"""The files of a source folder, and what to call them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import DatasetError
from ..images import IMAGE_SUFFIXES


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, sorted, but hidden ones and those in hidden folders."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def images_below(folder: Path) -> list[Path]:
    """The image files among :func:`files_below`.

    Raises:
        DatasetError: ``folder`` is none, or there is no image.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give the one that holds the images as they were distributed")
    images = [file for file in files_below(folder) if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DatasetError(f"{folder} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return images


def name_in(source: Path, file: Path) -> str:
    """The path inside the source, with what is not UTF-8 shown as escapes."""
    return os.fsencode(file.relative_to(source).as_posix()).decode(errors="backslashreplace")


def first_existing(what: str, candidates: Iterable[Path]) -> Path:
    """The first of the places where copies of a set keep something.

    Raises:
        DatasetError: it is in none of them; the message says ``what`` it is and lists them.
    """
    places = list(candidates)
    for place in places:
        if place.exists():
            return place
    raise DatasetError(f"no {what}: none of {', '.join(map(str, places))} exists")
