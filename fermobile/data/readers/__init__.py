"""One reader per public dataset, each turning the layout as distributed into faces; see :mod:`.base`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import InputError
from .affectnet import open_affectnet
from .base import Reader
from .bosphorus import Bosphorus
from .bp4d import Bp4d
from .celeba import CelebA
from .ck_plus import CkPlus
from .disfa import Disfa
from .fer2013 import Fer2013
from .ferplus_folder import open_ferplus
from .imagefolder import ImageFolder
from .named_images import Jaffe, Kdef
from .raf_db import RafDb

#: Readers by the name that ``fermobile data import`` takes.
READERS: dict[str, Callable[[Path], Reader]] = {
    "fer2013": Fer2013,
    "ferplus": open_ferplus,
    "raf-db": RafDb,
    "affectnet": open_affectnet,
    "kdef": Kdef,
    "jaffe": Jaffe,
    "celeba": CelebA,
    "ck-plus": CkPlus,
    "disfa": Disfa,
    "bp4d": Bp4d,
    "bosphorus": Bosphorus,
    "imagefolder": ImageFolder,
}


#: The readers of recordings, which can leave frames out.
_RECORDINGS: dict[str, Callable[[Path, int], Reader]] = {"disfa": Disfa, "bp4d": Bp4d}


def open_reader(name: str, path: str | Path, every: int = 1) -> Reader:
    """Open the dataset at ``path`` with the reader ``name``.

    Args:
        every: of a recording, take one frame in so many.
    Raises:
        InputError: no such reader, or it reads no recordings; the message lists those that do.
        DatasetError: the source is missing or its structure is wrong.
    """
    if name not in READERS:
        raise InputError(f"unknown dataset {name!r}; choose from: {', '.join(READERS)}")
    if every == 1:
        return READERS[name](Path(path))
    if name not in _RECORDINGS:
        raise InputError(f"{name} holds single images; one in {every} is taken only of: {', '.join(_RECORDINGS)}")
    return _RECORDINGS[name](Path(path), every)
