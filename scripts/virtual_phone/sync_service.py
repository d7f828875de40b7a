"""The file service of the stand-in device: push, pull and listing, versions 1 and 2.

Traps: the length in SEND's DONE is the file's time; LIST's DONE is as long as one of its entries; after an error the
DATA that is still coming has to be eaten.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transport import Stream

_CHUNK = 64 * 1024


@dataclass
class Files:
    """The device's files under ``root``.

    Attributes:
        full_after: bytes that may be received before the disk is full; None for no end.
        vanish_after: bytes after which the device is gone; None for never.
    """

    root: Path
    full_after: int | None = None
    vanish_after: int | None = None

    def local(self, path: str) -> Path:
        """A path of the device as one of this machine; ``..`` does not lead out of the root."""
        return self.root / posixpath.normpath("/" + path.lstrip("/")).lstrip("/")

    async def __call__(self, stream: Stream) -> None:
        while True:
            request, n = struct.unpack("<4sI", await stream.read(8))
            if request == b"QUIT":
                return
            path = (await stream.read(n)).decode("utf-8", "surrogateescape")
            if request == b"STAT":
                await self._stat_v1(stream, path)
            elif request in (b"STA2", b"LST2"):
                await self._stat_v2(stream, path, request)
            elif request in (b"LIST", b"LIS2"):
                await self._list(stream, path, v2=request == b"LIS2")
            elif request == b"SEND":
                name, _, mode = path.rpartition(",")
                await self._receive(stream, name, int(mode))
            elif request == b"SND2":
                _, mode, flags = struct.unpack("<4sII", await stream.read(12))
                await self._receive(stream, path, mode, flags)
            elif request in (b"RECV", b"RCV2"):
                if request == b"RCV2":
                    await stream.read(8)
                await self._send(stream, path)
            else:
                raise ValueError(f"unknown request {request!r}")

    async def _stat_v1(self, stream: Stream, path: str) -> None:
        try:
            found = self.local(path).lstat()
            told = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime) & 0xFFFFFFFF)
        except OSError:
            told = (0, 0, 0)
        await stream.write(b"STAT" + struct.pack("<3I", *told))

    async def _stat_v2(self, stream: Stream, path: str, request: bytes) -> None:
        look: Callable[[Path], os.stat_result] = os.lstat if request == b"LST2" else os.stat
        try:
            told = _packed(look(self.local(path)))
        except OSError as error:
            told = _packed(None, error.errno or 0)
        await stream.write(request + told)

    async def _list(self, stream: Stream, path: str, v2: bool) -> None:
        folder, entries = self.local(path), b""
        names = [".", "..", *sorted(os.listdir(folder))] if folder.is_dir() else []  # noqa: PTH208 - bytes of names
        for name in names:
            found, raw = (folder / name).lstat(), os.fsencode(name)
            if v2:
                entries += b"DNT2" + _packed(found) + struct.pack("<I", len(raw)) + raw
            else:
                size = found.st_size & 0xFFFFFFFF
                entries += b"DENT" + struct.pack("<4I", found.st_mode, size, int(found.st_mtime), len(raw)) + raw
        await stream.write(entries + b"DONE" + bytes(72 if v2 else 16))

    async def _send(self, stream: Stream, path: str) -> None:
        try:
            with self.local(path).open("rb") as file:
                while data := file.read(_CHUNK):
                    await stream.write(b"DATA" + struct.pack("<I", len(data)) + data)
            await stream.write(b"DONE" + struct.pack("<I", 0))
        except OSError as error:
            await _fail(stream, f"open failed: {error.strerror}")

    async def _receive(self, stream: Stream, path: str, mode: int, flags: int = 0) -> None:
        target, problem = self.local(path), "compression is not offered" if flags else ""
        link, file = stat.S_ISLNK(mode), None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            file = None if link else target.open("wb")
        except OSError as error:
            problem = error.strerror or str(error)
        pointed = b""
        while True:
            kind, n = struct.unpack("<4sI", await stream.read(8))
            if kind == b"DONE":
                break
            data = await stream.read(n)
            try:
                self._count(len(data))
                if link:
                    pointed += data
                elif file:
                    file.write(data)
            except OSError as error:
                problem = error.strerror or str(error)
        try:
            if file:
                file.close()
            if link and not problem:
                target.symlink_to(os.fsdecode(pointed.rstrip(b"\0")))
            elif not problem:
                target.chmod(stat.S_IMODE(mode) | 0o600)
                os.utime(target, (n, n))
        except OSError as error:
            problem = error.strerror or str(error)
        if problem:
            await _fail(stream, f"couldn't create file: {problem}")
        else:
            await stream.write(b"OKAY" + struct.pack("<I", 0))

    def _count(self, n: int) -> None:
        """The faults that a transfer may run into."""
        if self.vanish_after is not None:
            self.vanish_after -= n
            if self.vanish_after < 0:
                os._exit(1)
        if self.full_after is not None:
            self.full_after -= n
            if self.full_after < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _packed(found: os.stat_result | None, error: int = 0) -> bytes:
    if found is None:
        return struct.pack("<IQQIIIIQqqq", error, *([0] * 10))
    return struct.pack(
        "<IQQIIIIQqqq", 0, found.st_dev, found.st_ino, found.st_mode, found.st_nlink, found.st_uid, found.st_gid,
        found.st_size, int(found.st_atime), int(found.st_mtime), int(found.st_ctime),
    )  # fmt: skip


async def _fail(stream: Stream, reason: str) -> None:
    raw = reason.encode()
    await stream.write(b"FAIL" + struct.pack("<I", len(raw)) + raw)
