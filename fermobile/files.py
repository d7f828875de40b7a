"""Files written whole or not at all, and their hashes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError, OutputExistsError

#: What a write fails with when the disk, the user's quota or the largest allowed file is full.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refuse_existing(path: Path, force: bool, marker: str | None = None) -> None:
    """Raise OutputExistsError when ``path`` exists and ``force`` is not set (an empty folder is fine).

    Args:
        path: where something is to be written.
        force: the user allows replacing it.
        marker: a file that tells a folder of ours; a folder without it is not deleted, whatever ``force`` says.
    Raises:
        InputError: ``force`` would delete something that is not ours.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not force:
        raise OutputExistsError(path)
    if marker is not None and not (path / marker).is_file():
        raise InputError(f"{path} holds no {marker}: --force replaces only what fermobile wrote; choose another path")


def refuse_sources_inside(folder: Path, sources: Sequence[Path]) -> None:
    """Raise InputError when one of the files and folders that are read lies in the folder that would be replaced."""
    for source in sources:
        if source.exists() and source.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{folder} holds {source}, which is read for it; choose another folder for --out")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name only when the block ends well.

    Raises:
        OSError: the file cannot be written; its ``filename`` is ``path``, as the temporary one says nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_folder(path: Path, marker: str, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that takes its name only when the block ends well.

    A folder that it replaces is there until the new one is whole; where ``path`` is a link, what it points to is
    replaced.  ``marker`` is as in :func:`refuse_existing`.

    Raises:
        InputError: ``path`` can never be replaced: the working directory lies in it, or it is a mount point.
        OSError: as in :func:`writing`.
    """
    path = Path(os.path.realpath(path))
    refuse_existing(path, force, marker)
    if Path.cwd().is_relative_to(path):
        raise InputError(f"{path} holds the working directory, which cannot be replaced; name a folder inside it")
    if path.is_mount():
        raise InputError(f"{path} is a mount point, which cannot be replaced; name a folder inside it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())  # mkdtemp makes it private
            _take_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _take_place(new: Path, path: Path) -> None:
    """Give ``new`` the name ``path``; at every moment the old folder or the new one is whole."""
    if not path.exists():
        new.replace(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = aside / path.name
    try:
        path.replace(old)
        new.replace(path)
    except BaseException:
        if not path.exists():
            old.replace(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make an OSError about the temporary file or folder of ``path`` speak of ``path``."""
    try:
        yield
    except OSError as error:
        temporary = str(path.parent / f".{path.name}.")
        full = error.filename is None and error.errno in _FULL  # write() does not know what it writes to
        if full or str(error.filename).startswith(temporary):
            error.filename = str(path)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file under a temporary name, then rename it."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file under a temporary name, then rename it."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write stable, indented JSON."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
