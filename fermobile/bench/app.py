"""The ``app`` runner: the demo app's benchmark activity, asked through ``am start`` and answering in files.

An app's process is scheduled, and finds its drivers, otherwise than a shell's, so what users get is measured there.
It answers the same commands as the ``python`` runner; docs/benchmark-protocol.md is the contract between the two, and
protocol.schema.json its schema.  ``am`` says only whether the activity came up: an answer is there when its file is.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from typing import Any

from .adb import Device, DeviceError
from .link import LegFailed, LegUnsupported

PACKAGE = "io.github.fermobile.demo"
PROTOCOL = 1

#: Seconds between two looks for an answer.
_POLL = 0.25

_EXTRA = {int: "--ei", float: "--ef", str: "--es"}
_FLOATS = ("mean", "std", "seconds")


class AppLink:
    """One leg in the app's process; several may be open at once, told apart by their session.

    Args:
        device: where the app is installed, as a build that may be debugged.
        package: of the app.
    """

    def __init__(self, device: Device, package: str = PACKAGE) -> None:
        self._device, self._package = device, package
        self._session = uuid.uuid4().hex[:12]
        self._process: int | None = None

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Start the activity with this command, and wait for the file with its answer.

        Raises:
            LegUnsupported: the app says that it cannot be had, or is not there.
            LegFailed: it says so, its process was replaced or ended, or nothing came in ``timeout`` seconds.
        """
        run = uuid.uuid4().hex[:12]
        self._start({"run_id": run, "session": self._session, "protocol": PROTOCOL, **command})
        answer = self._await(run, command["do"], timeout)
        if "error" in answer:
            kind = LegUnsupported if answer["error"] == "unsupported" else LegFailed
            raise kind(str(answer.get("reason", "no reason given")))
        process = answer.get("pid")
        if command["do"] == "open":
            self._process = process
        elif process != self._process and self._process is not None:
            raise LegFailed("the app's process was ended and started anew: Android wanted its memory")
        return answer

    def close(self, timeout: float = 20.0) -> None:
        """Free the leg's interpreter.

        Raises:
            LegFailed: the app did not say ``bye``.
        """
        if not self.ask({"do": "quit"}, timeout).get("bye"):
            raise LegFailed("the app did not end the leg as it should")

    def kill(self) -> None:
        """Free the leg's interpreter, if the app is still there."""
        with contextlib.suppress(DeviceError):
            if self._process is not None and str(self._process) in self._running():
                self._process = None
                self._start({"run_id": "kill", "session": self._session, "protocol": PROTOCOL, "do": "quit"})

    def _start(self, extras: dict[str, Any]) -> None:
        words = ["am", "start", "-W", "-n", f"{self._package}/.BenchActivity"]
        for name, value in extras.items():
            value = float(value) if name in _FLOATS else value
            words += [_EXTRA[type(value)], name, str(value)]
        said = self._device.run(*words)
        text = said.output + said.errors
        if "does not exist" in text or "unable to resolve Intent" in text:
            raise LegUnsupported(f"the app {self._package} is not installed on {self._device.serial}: adb install it")
        if said.status != 0 or re.search(r"^Error", text, re.MULTILINE):
            raise LegFailed(f"am start: {said.reason}")

    def _running(self) -> list[str]:
        """Process ids of the app."""
        return self._device.run("pidof", self._package).output.split()

    def _await(self, run: str, do: str, timeout: float) -> dict[str, Any]:
        path, end = f"files/bench/{run}.json", time.monotonic() + timeout
        while True:
            # the app writes another name and renames, so the file is whole when it is there
            said = self._device.run("run-as", self._package, "cat", path)
            if said.status == 0:
                break
            if re.search(r"not debuggable|unknown package", said.output + said.errors):
                raise LegUnsupported(f"the app's files cannot be read: {said.reason}; install its debug build")
            if time.monotonic() > end:
                raise LegFailed(f"the app gave no answer to '{do}' within {timeout:.0f} s")
            if not self._running():
                raise LegFailed(f"the app's process ended during '{do}'; adb logcat -d -s fermobile says more")
            time.sleep(_POLL)
        self._device.run("run-as", self._package, "rm", "-f", path)
        try:
            answer = json.loads(said.output)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise LegFailed(f"the app's answer to '{do}' is no JSON object: {said.output[:80]!r}")
        return answer


def own_path(kept: str) -> str:
    """Where the app's own copy of a file lies that :meth:`Device.keep` put on the device: it may not read another's."""
    return f"files/bench/{kept.rpartition('/')[2]}"


def give(device: Device, kept: str, package: str = PACKAGE) -> None:
    """Copy a kept file to the app's own folder, unless it is there.

    Raises:
        LegUnsupported: the app is not there, or its files cannot be reached.
        DeviceError: there is no space.
    """
    said = device.run("run-as", package, "true")
    if said.status != 0:
        raise LegUnsupported(
            f"the debug build of the app {package} is not on {device.serial} ({said.reason}): adb install it"
        )
    path = own_path(kept)
    if device.run("run-as", package, "cmp", kept, path).status != 0:
        device.check("run-as", package, "mkdir", "-p", "files/bench")
        device.check("run-as", package, "cp", kept, f"{path}.tmp", timeout=300)
        device.check("run-as", package, "mv", "-f", f"{path}.tmp", path)


def fetch(device: Device, path: str, package: str = PACKAGE) -> bytes:
    """The bytes of a file of the app, which is removed.

    Raises:
        DeviceError: it is not there.
    """
    with device.folder() as folder:
        device.check("chmod", "777", folder)  # the app writes into it
        device.check("run-as", package, "cp", path, f"{folder}/out", timeout=300)
        data = device.fetch(f"{folder}/out")
    device.run("run-as", package, "rm", "-f", path)
    return data
