"""Files written whole or not at all, and their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import InputError, OutputExistsError


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


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name only when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_folder(path: Path, marker: str, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that takes its name only when the block ends well.

    ``marker`` is as in :func:`refuse_existing`.
    """
    refuse_existing(path, force, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
