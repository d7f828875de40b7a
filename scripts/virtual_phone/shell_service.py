"""The shell of the stand-in device: ``shell`` with and without protocol v2, on pipes or a terminal, and ``exec``."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transport import Closed, Stream

#: Identifiers of shell protocol v2.
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN, WINDOW_SIZE = range(6)


@dataclass(frozen=True)
class Shell:
    """How a shell is started: the words of the launcher, and the environment."""

    launcher: Sequence[str]
    environment: dict[str, str]

    async def __call__(self, stream: Stream, command: str, v2: bool, terminal: bool) -> None:
        argv = [*self.launcher, *(["-c", command] if command else [])]
        await (self._on_terminal if terminal else self._on_pipes)(stream, argv, v2)

    async def _on_pipes(self, stream: Stream, argv: list[str], v2: bool) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe if v2 else asyncio.subprocess.STDOUT, env=self.environment,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        stdin = process.stdin

        async def take(kind: int, data: bytes) -> None:
            if kind == STDIN:
                stdin.write(data)
                await stdin.drain()
            elif kind == CLOSE_STDIN:
                stdin.close()

        async def pump(source: asyncio.StreamReader, kind: int) -> None:
            while data := await source.read(32768):
                await stream.write(_framed(v2, kind, data))

        feeder = asyncio.ensure_future(_feed(stream, v2, take, process))
        try:
            pumps = [pump(process.stdout, STDOUT), *([pump(process.stderr, STDERR)] if process.stderr else [])]
            await asyncio.gather(*pumps)
            await _tell_exit(stream, v2, await process.wait())
        finally:
            feeder.cancel()

    async def _on_terminal(self, stream: Stream, argv: list[str], v2: bool) -> None:
        master, slave = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=slave, stdout=slave, stderr=slave, env=self.environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)

        async def take(kind: int, data: bytes) -> None:
            if kind == STDIN:
                os.write(master, data)
            elif kind == WINDOW_SIZE:  # "ROWSxCOLUMNS,WIDTHxHEIGHT"
                rows, columns = map(int, data.decode().rstrip("\0").partition(",")[0].split("x"))
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

        feeder = asyncio.ensure_future(_feed(stream, v2, take, process))
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(OSError):  # EIO: the last one who had it open closed it
                while data := await loop.run_in_executor(None, os.read, master, 32768):
                    await stream.write(_framed(v2, STDOUT, data))
            await _tell_exit(stream, v2, await process.wait())
        finally:
            feeder.cancel()
            os.close(master)


async def _feed(stream: Stream, v2: bool, take: Callable, process: asyncio.subprocess.Process) -> None:
    """Hand over what the client sends, until it goes away: then the job is hung up."""
    try:
        while True:
            if v2:
                kind, n = struct.unpack("<BI", await stream.read(5))
                data = await stream.read(n)
            else:
                kind, data = STDIN, await stream.chunk()
            with contextlib.suppress(OSError):  # the command stopped reading
                await take(kind, data)
    except Closed:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGHUP)


async def _tell_exit(stream: Stream, v2: bool, status: int) -> None:
    if v2:
        await stream.write(_framed(v2, EXIT, bytes([(status if status >= 0 else 128 - status) & 0xFF])))


def _framed(v2: bool, kind: int, data: bytes) -> bytes:
    return struct.pack("<BI", kind, len(data)) + data if v2 else data
