"""Devices over the real adb client, and everything that goes wrong with them."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from bench_util import never_called

from fermobile.bench import adb
from fermobile.bench.link import LegFailed, RunnerLink
from fermobile.errors import InputError

HOSTILE = [
    "with space",
    "quote's",
    'double"quote',
    "semi;colon",
    "$(touch pwned)",
    "`touch pwned`",
    "Gesicht-ä-顔",
    "-n",
]

#: A runner in shell: answers every command but those that name a fault.
RUNNER = """
while read -r line; do
  case $line in
    *vanish*) kill -9 {device}; sleep 0.2; exit ;;
    *suicide*) kill -9 $$ ;;
    *garbage*) echo chatter; echo '@fermobile {{not json' ;;
    *quit*) echo '@fermobile {{"bye": true}}'; exit ;;
    *) echo '@fermobile {{"fine": 1}}' ;;
  esac
done
"""


# ---- which device ---------------------------------------------------------------------------------------------------


def test_no_device(adb_server: None) -> None:
    with pytest.raises(InputError, match="no device: plug one in and switch USB debugging on"):
        adb.choose()


def test_without_adb(adb_server: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="adb is not installed"):
        adb.list_devices()


def test_the_only_device_is_chosen(stand_in: Callable) -> None:
    device = stand_in()
    assert adb.choose().serial == device.serial


def test_several_devices_are_listed(stand_in: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = stand_in("--model", "Pixel_8"), stand_in()
    with pytest.raises(InputError, match="2 devices are ready, choose one with -s SERIAL") as caught:
        adb.choose()
    assert f"{one.serial} (Pixel 8)" in str(caught.value) and two.serial in str(caught.value)
    assert adb.choose(one.serial).serial == one.serial
    monkeypatch.setenv("ANDROID_SERIAL", two.serial)
    assert adb.choose().serial == two.serial


def test_unknown_serial_lists_the_known(stand_in: Callable) -> None:
    device = stand_in()
    with pytest.raises(InputError, match=f"no device R58M; adb sees:\n  {device.serial}"):
        adb.choose("R58M")


def test_unauthorized(stand_in: Callable) -> None:
    device = stand_in("--auth", "refuse")
    with pytest.raises(InputError, match="unauthorized: unlock it and accept 'Allow USB debugging'"):
        adb.choose()
    with pytest.raises(InputError, match="unauthorized"):
        adb.choose(device.serial)


def test_authorized_on_the_device(stand_in: Callable) -> None:
    device = stand_in("--auth", "accept")
    subprocess.run(["adb", "-s", device.serial, "wait-for-device"], timeout=30, check=True)
    assert adb.choose().serial == device.serial


def test_offline(stand_in: Callable) -> None:
    stand_in("--mute")
    with pytest.raises(InputError, match=r"no device is ready:\n.*offline: plug it in again"):
        adb.choose()


# ---- somebody's adb server ------------------------------------------------------------------------------------------


def test_server_of_another_version_is_left_alone(adb_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    asked.append(client.recv(100))
                    client.sendall(b"OKAY00040020")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.getsockname()[1]))
        with pytest.raises(InputError, match=r"speaks version 32, this adb \d+ and would end it: .*_SERVER_PORT"):
            adb.list_devices()
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert asked == [b"000chost:version"]


def test_default_port_is_not_touched(stand_in: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another port set, nothing connects to 5037."""
    with never_called(5037):
        device = adb.choose(stand_in().serial)
        assert device.check("echo", "hello") == "hello\n"


# ---- shells and files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [*HOSTILE, "*", "", "line\nbreak", "~"])
def test_words_arrive_as_they_are(stand_in: Callable, word: str) -> None:
    assert adb.Device(stand_in().serial).check("printf", "%s|", "a", word).rstrip("\n") == f"a|{word}|"


def test_status_of_a_command(stand_in: Callable) -> None:
    said = adb.Device(stand_in().serial).run("sh", "-c", "echo out; echo why >&2; exit 7")
    assert (said.status, said.output, said.reason) == (7, "out\n", "why")


def test_properties(stand_in: Callable) -> None:
    device = stand_in()
    device.program("getprop", "echo '[ro.product.model]: [Pixel 8]'; echo '[a.b]: [c [d]: e]'; echo '[empty]: []'")
    assert adb.Device(device.serial).properties() == {"ro.product.model": "Pixel 8", "a.b": "c [d]: e", "empty": ""}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_with_hostile_names(stand_in: Callable, tmp_path: Path, name: str) -> None:
    device = adb.Device(stand_in().serial)
    file = tmp_path / f"{name}.tfl{name}"
    file.write_bytes(b"model")
    assert device.fetch(device.keep(file)) == b"model"
    with device.folder() as folder:
        device.check("cp", str(file), f"{folder}/{name}")
        assert device.fetch(f"{folder}/{name}") == b"model"
    assert device.run("ls", folder).status != 0
    assert not list(Path().glob("pwned")) and not list(tmp_path.rglob("pwned"))


def test_a_second_run_sends_nothing(stand_in: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = adb.Device(stand_in().serial)
    file = tmp_path / "model.tflite"
    file.write_bytes(os.urandom(5000))
    first = device.keep(file)
    with monkeypatch.context() as m:
        m.setattr(adb.Device, "_push", lambda *a: pytest.fail("pushed again"))
        assert device.keep(file) == first
    Path(first).write_bytes(b"damaged")  # what lies there is trusted for its hash, not for its name
    assert device.fetch(device.keep(file)) == file.read_bytes()


def test_what_old_runs_left_is_removed(stand_in: Callable) -> None:
    device = adb.Device(stand_in().serial)
    old, new = Path(adb.FOLDER) / "run.old", Path(adb.FOLDER) / "run.new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    with device.folder():
        assert new.exists() and not old.exists()


def test_missing_file(stand_in: Callable) -> None:
    with pytest.raises(adb.DeviceError, match="/nowhere is not on the device"):
        adb.Device(stand_in().serial).fetch("/nowhere")


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_disk_full_during_push(stand_in: Callable, tmp_path: Path) -> None:
    device = adb.Device(stand_in("--full-after", "100000").serial)
    file = tmp_path / "faces.bin"
    file.write_bytes(os.urandom(400_000))
    with pytest.raises(adb.DeviceFull, match=r"no space left on the device for faces\.bin"):
        device.keep(file)
    assert not list(Path(adb.FOLDER).iterdir()), "half a file was left"


def test_vanishes_during_push(stand_in: Callable, tmp_path: Path) -> None:
    device = adb.Device(stand_in("--vanish-after", "100000").serial)
    file = tmp_path / "faces.bin"
    file.write_bytes(os.urandom(400_000))
    with pytest.raises(adb.LostDevice, match="the device was lost"):
        device.keep(file)


def test_vanishes_during_a_command(stand_in: Callable) -> None:
    device = stand_in()
    with pytest.raises(adb.LostDevice, match="the device was lost"):
        adb.Device(device.serial).run("sh", "-c", f"echo half; kill -9 {device.process.pid}; sleep 0.2")


def test_no_answer_in_time(stand_in: Callable) -> None:
    with pytest.raises(adb.LostDevice, match="no answer within 1 s"):
        adb.Device(stand_in().serial).run("sleep", "3", timeout=1)


@pytest.fixture
def runner(stand_in: Callable, tmp_path: Path) -> RunnerLink:
    device = stand_in()
    script = tmp_path / "runner it's.sh"
    script.write_text(RUNNER.format(device=device.process.pid))
    with RunnerLink(adb.Device(device.serial).argv("sh", str(script)), device.serial) as link:
        yield link


def test_runner_over_adb(runner: RunnerLink) -> None:
    assert runner.ask({"do": "open"}, 20) == {"fine": 1}
    runner.close()


@pytest.mark.parametrize(
    ("fault", "told"),
    [("vanish", "the device was lost"), ("suicide", "ended with status 137"), ("garbage", "no JSON object")],
)
def test_fault_during_a_run(runner: RunnerLink, fault: str, told: str) -> None:
    runner.ask({"do": "open"}, 20)
    with pytest.raises(LegFailed, match=told):
        runner.ask({"do": fault}, 20)


def test_missing_runner(stand_in: Callable) -> None:
    argv = adb.Device(stand_in().serial).argv("python9", "runner.py")
    with RunnerLink(argv, "phone") as link, pytest.raises(LegFailed, match=r"ended with status 127.*not found"):
        link.ask({"do": "open"}, 20)


def test_two_benchmarks_at_once(stand_in: Callable) -> None:
    device = adb.Device(stand_in().serial)
    code = f"""
from fermobile.bench.adb import Device
with Device({device.serial!r}).alone():
    print("measuring", flush=True); input()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout is not None and other.stdout.readline()
        with pytest.raises(InputError, match=f"is being measured by process {other.pid}"), device.alone():
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    with device.alone():  # a killed benchmark blocks nobody
        pass


def test_every_call_names_the_device() -> None:
    assert adb.Device("R58M 1").argv("ls", "a b") == ["adb", "-s", "R58M 1", "shell", shlex.join(["ls", "a b"])]
