#!/usr/bin/env python3
"""An adb *device* over TCP, for tests: the real adb client and server take it for a phone after ``adb connect``.

Files lie under ``--root``; a shell is started by the words of ``--launcher``, in which ``{root}`` is that folder.  It
has no part in measuring anything: what runs in the shell does that.  Ends on SIGTERM; standard library only.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path

from shell_service import Shell
from sync_service import Files
from transport import Connection, Stream

_FEATURES = (
    "shell_v2", "cmd", "stat_v2", "ls_v2", "sendrecv_v2", "fixed_push_mkdir", "fixed_push_symlink_timestamp",
)  # fmt: skip


class Device:
    """The device: who it is, and what it serves."""

    def __init__(self, model: str, auth: str | None, mute: bool, shell: Shell, files: Files) -> None:
        self.auth, self.mute = auth, mute
        self._model, self._shell, self._files = model, shell, files

    def banner(self) -> str:
        return f"device::ro.product.model={self._model};features={','.join(_FEATURES)}"

    def service(self, name: str) -> Callable[[Stream], Awaitable[None]] | None:
        kind, _, command = name.partition(":")
        words = kind.split(",")
        if words[0] == "shell":
            terminal = "pty" in words or ("raw" not in words and not command)
            return functools.partial(self._shell, command=command, v2="v2" in words, terminal=terminal)
        if words[0] == "exec":
            return functools.partial(self._shell, command=command, v2=False, terminal=False)
        return self._files if words[0] == "sync" else None


async def serve(device: Device, port: int) -> None:
    """Listen on loopback, and print the port that was given."""
    server = await asyncio.start_server(lambda r, w: Connection(device, r, w).run(), "127.0.0.1", port)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder that is the device's /")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--launcher", default="sh", help="words that start a shell; it gets -c COMMAND")
    parser.add_argument("--model", default="Stand_in", help="model that adb devices -l tells")
    parser.add_argument("--auth", choices=["refuse", "accept"], help="ask for the client's key")
    parser.add_argument("--mute", action="store_true", help="never answer, so that adb calls the device offline")
    parser.add_argument("--full-after", type=int, metavar="BYTES", help="the disk is full after so many pushed bytes")
    parser.add_argument("--vanish-after", type=int, metavar="BYTES", help="die after so many pushed bytes")
    args = parser.parse_args()
    root = args.root.resolve()
    environment = {
        "PATH": "/system/bin:/usr/bin:/bin", "HOME": "/data/local/tmp", "TMPDIR": "/data/local/tmp", "LANG": "C",
        "ANDROID_ROOT": "/system", "ANDROID_DATA": "/data",
    }  # fmt: skip
    if str(root) == "/":  # the launcher is a shell of this machine, which has no such folders
        environment |= {"HOME": os.environ.get("HOME", "/"), "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
    words = [word.replace("{root}", str(root)) for word in shlex.split(args.launcher)]
    shell = Shell(words, environment)
    files = Files(root, args.full_after, args.vanish_after)
    asyncio.run(serve(Device(args.model, args.auth, args.mute, shell, files), args.port))


if __name__ == "__main__":
    main()
