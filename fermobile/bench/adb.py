"""Devices over adb: the real ``adb`` client as a subprocess, and one device chosen from those it sees.

What adb does not do by itself is done here: every call names its device and has a timeout, every word that reaches
the device's shell is quoted, and every shell ends with a line that carries the exit status, because adb exits with 0
when the device vanishes under it.  Files are kept on the device under their hash, so a second run sends nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import sha256
from .adb_server import check_server
from .link import LegFailed

#: Where everything of ours lies on a device; what lay there for a week is removed.
FOLDER = "/data/local/tmp/fermobile"
_KEPT_DAYS = 7

#: Seconds for a call that has little to do; a transfer gets one more per megabyte.
TIMEOUT = 30.0

#: Begins the last line of every shell, before its exit status.
_END = "@fermobile-end "

#: Exit status of a shell that does not know the command.
NOT_FOUND = 127

_LISTED = re.compile(r"(?P<serial>\S+)\s+(?P<state>no permissions|\S+)(?P<rest>.*)")
_MENDED = {
    "unauthorized": "unlock it and accept 'Allow USB debugging'",
    "offline": "plug it in again, or: adb reconnect offline",
    "no permissions": "this user may not open the USB device: see 'adb devices', then mend the udev rules",
    "authorizing": "wait a moment",
    "connecting": "wait a moment",
}


class DeviceError(LegFailed):
    """A device did not do what was asked."""


class LostDevice(DeviceError):
    """A device does not answer any more."""


class DeviceFull(DeviceError):
    """A device has no space left."""


@dataclass(frozen=True)
class Listed:
    """A line of ``adb devices``: serial, state ("device" is ready), and the model that adb tells."""

    serial: str
    state: str
    model: str

    def __str__(self) -> str:
        model = f" ({self.model})" if self.model else ""
        mended = f": {_MENDED.get(self.state, 'not ready')}" if self.state != "device" else ""
        return f"{self.serial}{model}{'' if self.state == 'device' else f' {self.state}'}{mended}"


@dataclass(frozen=True)
class Said:
    """How a shell command ended: exit status, what it wrote."""

    status: int
    output: str
    errors: str

    @property
    def reason(self) -> str:
        """Its last words, for a message."""
        lines = [line.strip() for line in f"{self.output}\n{self.errors}".splitlines() if line.strip()]
        return lines[-1] if lines else f"exit status {self.status}"


def list_devices() -> list[Listed]:
    """Every device that adb sees, ready or not.

    Raises:
        InputError: there is no adb, or the server in use is of another version.
    """
    check_server()
    found = []
    for line in _adb("devices", "-l").stdout.decode("utf-8", "replace").splitlines()[1:]:
        match = _LISTED.match(line)
        if match and not line.startswith("*"):
            model = re.search(r"\bmodel:(\S+)", match["rest"])
            found.append(Listed(match["serial"], match["state"], model[1].replace("_", " ") if model else ""))
    return found


def choose(serial: str | None = None) -> Device:
    """The device with this serial, else the one ANDROID_SERIAL names, else the only one that is ready.

    Raises:
        InputError: there is none, there are several, or it is not ready; says what to do.
    """
    wanted = serial or os.environ.get("ANDROID_SERIAL")
    devices = list_devices()
    lines = "".join(f"\n  {device}" for device in devices)
    if wanted:
        found = [d for d in devices if d.serial == wanted]
        if not found:
            raise InputError(f"no device {wanted}; " + (f"adb sees:{lines}" if devices else "adb sees none"))
        if found[0].state != "device":
            raise InputError(f"device {found[0]}")
        return Device(wanted)
    ready = [d for d in devices if d.state == "device"]
    if len(ready) == 1:
        return Device(ready[0].serial)
    if ready:
        raise InputError(f"{len(ready)} devices are ready, choose one with -s SERIAL:{lines}")
    if devices:
        raise InputError(f"no device is ready:{lines}")
    raise InputError(
        "no device: plug one in and switch USB debugging on in its developer options, or: adb connect HOST:PORT"
    )


def _adb(*words: str, timeout: float = TIMEOUT, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    # input=b"" rather than none: a shell on the device must not eat what is typed here
    try:
        return subprocess.run(["adb", *words], input=stdin or b"", capture_output=True, timeout=timeout)
    except FileNotFoundError:
        raise InputError(
            "adb is not installed, or not on PATH: it is part of Android's platform tools (Debian: apt install adb)"
        ) from None
    except subprocess.TimeoutExpired:
        raise LostDevice(f"adb {' '.join(words)[:80]}: no answer within {timeout:.0f} s") from None


class Device:
    """One device, by its serial.

    Every method may raise LostDevice, where the device went away or does not answer in time.
    """

    def __init__(self, serial: str) -> None:
        self.serial = serial

    def argv(self, *words: str) -> list[str]:
        """The command line that runs these words on the device; what they mean to its shell is quoted away."""
        return ["adb", "-s", self.serial, "shell", shlex.join(words)]

    def run(self, *words: str, timeout: float = TIMEOUT) -> Said:
        """Run these words on the device, and wait."""
        *command, script = self.argv(*words)
        done = _adb(*command[1:], f"{script}; s=$?; echo; echo '{_END}'$s", timeout=timeout)
        output, mark, status = done.stdout.decode("utf-8", "replace").rpartition(f"\n{_END}")
        if not mark or not status.strip().isdigit():
            raise self._lost(done)
        return Said(int(status), output, done.stderr.decode("utf-8", "replace"))

    def check(self, *words: str, timeout: float = TIMEOUT) -> str:
        """What these words write to stdout.

        Raises:
            DeviceError: they end with another status than 0.
        """
        said = self.run(*words, timeout=timeout)
        if said.status != 0:
            if "No space left" in said.errors + said.output:
                raise DeviceFull(f"{self.serial}: no space left on the device ({said.reason})")
            raise DeviceError(f"{self.serial}: {shlex.join(words)[:80]}: {said.reason}")
        return said.output

    def properties(self) -> dict[str, str]:
        """Everything that ``getprop`` tells; nothing on a board that is not Android."""
        return dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]\r?$", self.run("getprop").output, re.MULTILINE))

    def keep(self, file: Path, executable: bool = False) -> str:
        """The path of a copy on the device, which is sent only where the device has no copy of the same hash.

        Raises:
            DeviceFull: it does not fit.
            DeviceError: it did not arrive as it was.
            OSError: ``file`` cannot be read.
        """
        digest = sha256(file)
        kept = f"{FOLDER}/{digest}{file.suffix}"
        if self._hash(kept) == digest:
            self.run("touch", kept)
            return kept
        self.check("mkdir", "-p", FOLDER)
        arriving = f"{kept}.{uuid.uuid4().hex[:8]}"
        try:
            self._push(file, arriving)
            if self._hash(arriving) != digest:
                raise DeviceError(f"{self.serial}: {file.name} did not arrive as it was; is the device full?")
            if executable:
                self.check("chmod", "755", arriving)
            self.check("mv", "-f", arriving, kept)  # two runs may bring the same file: each puts a whole one there
        except BaseException:
            with contextlib.suppress(DeviceError):
                self.run("rm", "-f", arriving)
            raise
        return kept

    def fetch(self, path: str) -> bytes:
        """The bytes of a file on the device.

        Raises:
            DeviceError: it is not there, or did not arrive as it is.
        """
        digest = self._hash(path)
        if digest is None:
            raise DeviceError(f"{self.serial}: {path} is not on the device")
        size = int(self.check("wc", "-c", path).split()[0])
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "file"
            done = _adb("-s", self.serial, "pull", path, str(local), timeout=_transfer(size))
            data = local.read_bytes() if local.is_file() else b""
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._lost(done)
        return data

    @contextlib.contextmanager
    def folder(self) -> Iterator[str]:
        """A new folder on the device, removed afterwards; what older runs could not remove goes first."""
        path = f"{FOLDER}/run.{uuid.uuid4().hex[:12]}"
        self.check("mkdir", "-p", path)
        old = ("-mindepth", "1", "-maxdepth", "1", "-mtime", f"+{_KEPT_DAYS}")
        self.run("find", FOLDER, *old, "-exec", "rm", "-rf", "{}", "+")
        try:
            yield path
        finally:
            with contextlib.suppress(DeviceError):  # a lost device keeps it until the sweep of a later run
                self.run("rm", "-rf", path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other benchmarks of this machine off the device: they would measure each other.

        Raises:
            InputError: one is running.
        """
        name = f"fermobile-{os.getuid()}-{hashlib.sha256(self.serial.encode()).hexdigest()[:16]}.lock"
        with (Path(tempfile.gettempdir()) / name).open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with this process, however that ends
            except BlockingIOError:
                lock.seek(0)
                raise InputError(
                    f"{self.serial} is being measured by process {lock.read().strip() or '?'}; wait for its end"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _hash(self, path: str) -> str | None:
        said = self.run("sha256sum", path, timeout=10 * TIMEOUT)
        if said.status == NOT_FOUND:
            raise DeviceError(f"{self.serial}: the device has no sha256sum, without which nothing can be checked")
        found = re.match(r"\\?([0-9a-f]{64})\b", said.output.strip())  # a backslash marks an escaped name
        return found[1] if said.status == 0 and found else None

    def _push(self, file: Path, path: str) -> None:
        size = file.stat().st_size
        done = _adb("-s", self.serial, "push", str(file.resolve()), path, timeout=_transfer(size))
        if done.returncode == 0:
            return
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        if "No space left" in text:
            raise DeviceFull(f"{self.serial}: no space left on the device for {file.name} ({size / 1e6:.3g} MB)")
        raise self._lost(done)

    def _lost(self, done: subprocess.CompletedProcess[bytes]) -> DeviceError:
        """What to raise when adb ended otherwise than it should."""
        said = [line.strip() for line in (done.stderr or done.stdout).decode("utf-8", "replace").splitlines()]
        last = next((line for line in reversed(said) if line), "")
        with contextlib.suppress(LostDevice):
            if _adb("-s", self.serial, "get-state").stdout.strip() == b"device" and done.returncode:
                return DeviceError(f"{self.serial}: {last}")
        return LostDevice(f"{self.serial}: the device was lost" + (last and f" ({last})"))


def _transfer(size: int) -> float:
    return TIMEOUT + size / 1e6
