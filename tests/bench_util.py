"""Helpers of the benchmark's tests."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@contextlib.contextmanager
def never_called(port: int) -> Iterator[None]:
    """Listen on a port, and fail if anything connects; if the port is taken, its owner is left alone."""
    called: list[object] = []
    try:
        server = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield
        return

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, address = server.accept()
                client.close()
                called.append(address)

    thread = threading.Thread(target=serve, daemon=True)
    with server:
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not called, f"something connected to port {port}"
