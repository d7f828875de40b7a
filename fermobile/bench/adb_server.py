"""The adb server that is running already is left alone: a client of another version would end it.

``adb`` ends a server whose version is not its own and starts one in its place, which cuts off whatever an IDE or
another shell does with its devices.  So its version is asked for first, in adb's own words.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess

from ..errors import InputError

_DEFAULT_PORT = 5037


def check_server() -> None:
    """Refuse to call adb where that would end somebody's server.

    Raises:
        InputError: the server in use is of another version than ``adb``.
    """
    host, port = _address()
    running = _server_version(host, port) if port else None
    if running is None:
        return
    ours = _client_version()
    if ours is not None and ours != running:
        raise InputError(
            f"the adb server on port {port} speaks version {running}, this adb {ours} and would end it: put the adb "
            "that started it first on PATH, or set ANDROID_ADB_SERVER_PORT to a free port"
        )


def _address() -> tuple[str, int | None]:
    """Where adb looks for its server; port None where it cannot be told."""
    named = os.environ.get("ADB_SERVER_SOCKET")
    if named:
        match = re.fullmatch(r"tcp:(?:(?P<host>[^:]+):)?(?P<port>\d+)", named)
        return (match["host"] or "127.0.0.1", int(match["port"])) if match else ("", None)
    port = os.environ.get("ANDROID_ADB_SERVER_PORT") or str(_DEFAULT_PORT)
    return "127.0.0.1", int(port) if port.isdigit() else None


def _server_version(host: str, port: int) -> int | None:
    """The version that the server on this port tells; None where none answers as one."""
    with contextlib.suppress(OSError, ValueError), socket.create_connection((host, port), timeout=2) as server:
        server.settimeout(2)
        server.sendall(b"000chost:version")
        with server.makefile("rb") as answer:
            if answer.read(4) == b"OKAY":
                return int(answer.read(int(answer.read(4), 16)), 16)
    return None


def _client_version() -> int | None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        told = subprocess.run(["adb", "version"], capture_output=True, timeout=10, text=True).stdout
        match = re.search(r"version \d+\.\d+\.(\d+)", told)
        return int(match[1]) if match else None
    return None
