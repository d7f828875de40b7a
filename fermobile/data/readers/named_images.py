"""Portraits from the laboratory whose file names say who shows what: their common reader, KDEF and JAFFE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from ...contract import CropSpec
from ...labels import emotion_name
from .base import Drop, Face, Reject
from .walk import images_below, name_in


class NamedImages:
    """Reader of a folder of images; a subclass says how to read their names.

    Such sets have no official splits: whole subjects are held out.
    """

    vote_emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    crop: CropSpec | None = None
    sources: tuple[Path, ...] = ()
    unit = "images"

    def __init__(self, path: Path) -> None:
        """List the images below ``path``.

        Raises:
            DatasetError: it is no folder or holds no image.
        """
        self._root = path
        self._files = images_below(path)
        self.total = len(self._files)

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the images in the order of their paths; see :class:`fermobile.data.readers.base.Reader`."""
        for file in self._files:
            yield self._item(file)
            advance(1)

    def _item(self, file: Path) -> Face | Reject | Drop:
        raise NotImplementedError

    def _face(self, file: Path, subject: str, code: str) -> Face:
        emotion = emotion_name(code)
        return Face(name_in(self._root, file), file, stratum=emotion, subject=subject, emotion=emotion)


class Kdef(NamedImages):
    """Reader of ``KDEF/AF01/AF01AFS.JPG``: session, sex and number, emotion, view.

    Sessions A and B are the same person twice.  The straight views are read, as in most published results; half
    and full profiles are dropped.
    """

    name = "kdef"
    licence = "KDEF: non-commercial scientific research only (Karolinska Institutet)"
    citation = "Lundqvist, Flykt & Öhman 1998, The Karolinska Directed Emotional Faces, ISBN 91-630-7164-9"
    _NAME: ClassVar = re.compile(r"([AB])([FM]\d\d)(AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)")
    _FOLDER: ClassVar = re.compile(r"[AB][FM]\d\d")
    _DROPPED: ClassVar = {
        "HL": "half left profile", "HR": "half right profile",
        "FL": "full left profile", "FR": "full right profile",
    }  # fmt: skip

    def __init__(self, path: Path) -> None:
        """List the images of ``path``, or of its folder KDEF: averaged faces (AKDEF) lie beside it.

        Raises:
            DatasetError: it is no folder or holds no image.
        """
        super().__init__(path / "KDEF" if (path / "KDEF").is_dir() else path)

    def _item(self, file: Path) -> Face | Reject | Drop:
        where, name, folder = name_in(self._root, file), file.stem.upper(), file.parent.name.upper()
        named = self._NAME.fullmatch(name)
        if named is None:
            return Reject(where, "the name is not like AF01AFS: session, sex, number, emotion, view")
        session, person, code, view = named.groups()
        if self._FOLDER.fullmatch(folder) and folder != session + person:
            return Reject(where, f"the name says {session}{person}, the folder {folder}: whose face is it?")
        return Drop(self._DROPPED[view]) if view in self._DROPPED else self._face(file, person, code)


class Jaffe(NamedImages):
    """Reader of ``KA.AN1.39.tiff``: person, emotion and take, running number; 256x256 grey."""

    name = "jaffe"
    licence = "JAFFE: non-commercial scientific research only"
    citation = "Lyons, Kamachi & Gyoba 1998, Coding facial expressions with Gabor wavelets, arXiv:2009.05938"
    _NAME: ClassVar = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d{1,3}")

    def _item(self, file: Path) -> Face | Reject | Drop:
        named = self._NAME.fullmatch(file.stem.upper())
        if named is None:
            return Reject(name_in(self._root, file), "the name is not like KA.AN1.39: person, emotion and take, number")
        return self._face(file, named[1], named[2])
