"""Devices for the benchmark's tests: the real adb client and server, and a stand-in for what they talk to.

Quick tests take a device whose shell is this machine's; the slow ones an emulated ARM phone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench_util import SCRIPTS


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of an adb server of our own; a user's server is never touched."""
    if shutil.which("adb") is None:
        pytest.skip("needs the adb client, which is not installed (Debian: apt install adb)")
    home = str(tmp_path_factory.mktemp("adb"))  # its key goes to HOME, its log to TMPDIR
    port = str(free_port())
    env = os.environ | {
        "ANDROID_ADB_SERVER_PORT": port, "HOME": home, "TMPDIR": home, "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",
    }  # fmt: skip
    subprocess.run(["adb", "start-server"], env=env, capture_output=True, timeout=60)
    yield port
    subprocess.run(["adb", "kill-server"], env=env, capture_output=True, timeout=60)


@pytest.fixture
def adb_server(_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' adb server is the one that adb finds, and no device is chosen."""
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    monkeypatch.delenv("ADB_SERVER_SOCKET", raising=False)
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", _server)


@dataclass(frozen=True)
class StandIn:
    """A stand-in device: serial, process, and the folder whose programs its shell finds first."""

    serial: str
    process: subprocess.Popen[bytes]
    programs: Path

    def program(self, name: str, text: str) -> None:
        """Put a program on the device."""
        path = self.programs / name
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@pytest.fixture
def stand_in(adb_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., StandIn]]:
    """Start a device that runs this machine's shell: ``stand_in("--auth", "refuse") -> StandIn``."""
    from fermobile.bench import adb

    monkeypatch.setattr(adb, "FOLDER", str(tmp_path / "on the device"))
    started: list[StandIn] = []

    def start(*options: str) -> StandIn:
        programs = tmp_path / f"programs{len(started)}"
        programs.mkdir()
        launcher = shlex.join(["env", f"PATH={programs}:{os.environ['PATH']}", "sh"])
        process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / "virtual_phone" / "adb_device.py"), "--root", "/", "--launcher", launcher,
             *options], stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        serial = f"127.0.0.1:{process.stdout.readline().split()[-1].decode()}"
        device = StandIn(serial, process, programs)
        started.append(device)
        device.program("getprop", f"cat {shlex.quote(str(programs))}/../properties 2>/dev/null")
        connecting = subprocess.Popen(["adb", "connect", serial], stdout=subprocess.DEVNULL)
        if "--mute" in options:  # adb would wait for it, for ten seconds
            _wait_until_listed(serial)
            connecting.kill()
        connecting.wait(30)
        if not {"--mute", "--auth"} & set(options):
            _wait_until_ready(serial)
        return device

    yield start
    for device in started:
        device.process.kill()
        device.process.wait()
        assert device.process.stdout is not None
        device.process.stdout.close()
        subprocess.run(["adb", "disconnect", device.serial], capture_output=True, timeout=30)


def _wait_until_listed(serial: str) -> None:
    for _ in range(100):
        if serial.encode() in subprocess.run(["adb", "devices"], capture_output=True, timeout=30).stdout:
            return
        time.sleep(0.05)
    raise AssertionError(f"{serial} is not listed")


def _wait_until_ready(serial: str) -> None:
    for _ in range(100):
        state = subprocess.run(["adb", "-s", serial, "get-state"], capture_output=True, timeout=30).stdout
        if state.strip() == b"device":
            return
        time.sleep(0.05)
    raise AssertionError(f"{serial} does not come up: {state!r}")


@pytest.fixture(scope="session")
def _phone_folder(_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("virtual") / "phone"
    yield folder
    subprocess.run([str(SCRIPTS / "virtual-phone"), "down", str(folder)], timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def virtual_phone(adb_server: None, _phone_folder: Path) -> Callable[[str], str]:
    """Start the emulated ARM phone: ``virtual_phone("cortex-a53") -> serial``; skips where that cannot be had."""

    def up(cpu: str) -> str:
        command = [str(SCRIPTS / "virtual-phone"), "up", str(_phone_folder), cpu]
        done = subprocess.run(command, capture_output=True, text=True, timeout=280)
        if done.returncode == 77:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().rpartition("ANDROID_SERIAL=")[2]

    return up
