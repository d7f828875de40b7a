"""The adb transport, seen from the device: packets of 24 bytes and a payload over TCP, streams in them.

Traps: one WRTE of a stream may be in flight until its OKAY; from version 0x01000001 on the checksum is 0; CLSE is
answered with CLSE.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

CNXN, OPEN, OKAY, WRTE, CLSE, AUTH = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"WRTE", b"CLSE", b"AUTH")
)
VERSION, MAX_DATA = 0x01000001, 1 << 20

#: AUTH's first argument: what the device sends, and what carries the client's public key.
AUTH_TOKEN, AUTH_SIGNATURE, AUTH_PUBLIC_KEY = 1, 2, 3


class Closed(Exception):
    """The other end closed the stream, or the connection is gone."""


class Serving(Protocol):
    """What a connection needs of its device; ``auth`` is None, "refuse" or "accept"."""

    auth: str | None
    mute: bool

    def banner(self) -> str: ...

    def service(self, name: str) -> Callable[[Stream], Awaitable[None]] | None: ...


class Stream:
    """One opened service."""

    def __init__(self, connection: Connection, local: int, remote: int) -> None:
        self.local, self.remote = local, remote
        self.ended = False
        self.received: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.acknowledged = asyncio.Event()
        self.acknowledged.set()
        self._connection = connection
        self._rest = b""

    async def write(self, data: bytes) -> None:
        step = self._connection.max_data
        for at in range(0, len(data), step):
            await self.acknowledged.wait()
            if self.ended:
                raise Closed
            self.acknowledged.clear()
            await self._connection.send(WRTE, self.local, self.remote, data[at : at + step])

    async def chunk(self) -> bytes:
        """The next payload, which is acknowledged only when it is taken: whoever sends too fast waits."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        data = await self.received.get()
        if data is None:
            self.received.put_nowait(None)
            raise Closed
        await self._connection.send(OKAY, self.local, self.remote)
        return data

    async def read(self, n: int) -> bytes:
        """Exactly ``n`` bytes."""
        parts, got = [self._rest], len(self._rest)
        self._rest = b""
        while got < n:
            parts.append(await self.chunk())
            got += len(parts[-1])
        data = b"".join(parts)
        self._rest = data[n:]
        return data[:n]

    def end(self) -> None:
        self.ended = True
        self.acknowledged.set()
        self.received.put_nowait(None)


class Connection:
    """One client: adb's server."""

    def __init__(self, device: Serving, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.max_data = 4096
        self._device, self._reader, self._writer = device, reader, writer
        self._version = 0x01000000
        self._streams: dict[int, Stream] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._next = 1
        self._lock = asyncio.Lock()
        self._hello = b""

    async def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        checksum = 0 if self._version >= VERSION else sum(data) & 0xFFFFFFFF
        async with self._lock:
            head = struct.pack("<6I", command, first, second, len(data), checksum, command ^ 0xFFFFFFFF)
            self._writer.write(head + data)
            await self._writer.drain()

    async def run(self) -> None:
        """Serve until the client goes away."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._reader.readexactly(24)
                command, first, second, n, _, magic = struct.unpack("<6I", head)
                if magic != command ^ 0xFFFFFFFF:
                    break
                await self._packet(command, first, second, await self._reader.readexactly(n))
        for stream in self._streams.values():
            stream.end()
        self._writer.close()

    async def _packet(self, command: int, first: int, second: int, data: bytes) -> None:
        if self._device.mute:
            return
        if command == CNXN:
            self._version, self.max_data = min(first, VERSION), min(second, MAX_DATA)
            await self._challenge_or_welcome()
        elif command == AUTH and self._device.auth:
            if first == AUTH_PUBLIC_KEY and self._device.auth == "accept":  # somebody taps "Allow"
                self._device.auth = None
            if first != AUTH_PUBLIC_KEY or not self._device.auth:
                await self._challenge_or_welcome()
        elif command == OPEN:
            await self._open(first, data.rstrip(b"\0").decode("utf-8", "surrogateescape"))
        elif command == WRTE and second in self._streams:
            self._streams[second].received.put_nowait(data)
        elif command == OKAY and second in self._streams:
            self._streams[second].acknowledged.set()
        elif command == CLSE and (stream := self._streams.pop(second, None)):
            stream.end()
            await self.send(CLSE, stream.local, stream.remote)

    async def _challenge_or_welcome(self) -> None:
        """A token that no signature satisfies, so that the client offers its key next; or the device's banner."""
        if self._device.auth:
            await self.send(AUTH, AUTH_TOKEN, 0, os.urandom(20))
        else:
            await self.send(CNXN, VERSION, MAX_DATA, self._device.banner().encode())

    async def _open(self, remote: int, name: str) -> None:
        service = self._device.service(name)
        if service is None:
            await self.send(CLSE, 0, remote)
            return
        stream = Stream(self, self._next, remote)
        self._next += 1
        self._streams[stream.local] = stream
        await self.send(OKAY, stream.local, stream.remote)
        task = asyncio.ensure_future(self._serve(service, stream, name))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, service: Callable[[Stream], Awaitable[None]], stream: Stream, name: str) -> None:
        try:
            await service(stream)
            await stream.acknowledged.wait()  # the last WRTE arrives before CLSE does
        except (Closed, ConnectionError):
            pass
        except Exception as error:  # one stream never takes the device down
            print(f"service {name!r} failed: {error!r}", flush=True)
        if self._streams.pop(stream.local, None) and not stream.ended:
            with contextlib.suppress(ConnectionError):
                await self.send(CLSE, stream.local, stream.remote)
