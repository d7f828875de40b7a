"""One reader per public dataset, each turning the layout as distributed into faces; see :mod:`.base`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import InputError
from .affectnet import open_affectnet
from .base import Reader
from .celeba import CelebA
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
    "imagefolder": ImageFolder,
}


def open_reader(name: str, path: str | Path) -> Reader:
    """Open the dataset at ``path`` with the reader ``name``.

    Raises:
        InputError: no such reader; the message lists them.
        DatasetError: the source is missing or its structure is wrong.
    """
    if name not in READERS:
        raise InputError(f"unknown dataset {name!r}; choose from: {', '.join(READERS)}")
    return READERS[name](Path(path))
