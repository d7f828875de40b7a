"""What a phone is, and whether it is fit to be measured, read through stand-ins for Android's own programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fermobile.bench import adb, phone

PIXEL = """
[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 8]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.soc.manufacturer]: [Google]
[ro.soc.model]: [Tensor G3]
[ro.build.version.release]: [15]
[ro.build.version.sdk]: [35]
[ro.build.id]: [AP4A.250105.002]
"""

#: Answers as Android 14 gives them, cut to what surrounds the figures.
DUMPSYS = """
case $1 in
battery) cat <<'END'
Current Battery Service state:
  AC powered: false
  USB powered: {usb}
  Wireless powered: false
  Max charging current: 500000
  level: {level}
  scale: 100
  temperature: 287
END
;;
power) echo '  mWakefulness={wakefulness}'; echo '  mWakefulnessChanging=false' ;;
thermalservice) echo 'IsStatusOverride: false'; echo 'Thermal Status: {thermal}' ;;
*) echo "Can't find service: $1" ;;
esac
"""


@pytest.fixture
def android(stand_in: Callable, tmp_path: Path) -> Callable[..., adb.Device]:
    """Start a stand-in with Android's programs, and say what they tell."""
    device = stand_in()
    (tmp_path / "properties").write_text(PIXEL)

    def tell(usb: str = "true", level: int = 80, wakefulness: str = "Awake", thermal: int = 0) -> adb.Device:
        told = {"usb": usb, "level": level, "wakefulness": wakefulness, "thermal": thermal}
        text = DUMPSYS
        for name, value in told.items():
            text = text.replace(f"{{{name}}}", str(value))
        device.program("dumpsys", text)
        return adb.Device(device.serial)

    return tell


def test_a_phone_says_what_it_is(android: Callable) -> None:
    found = phone.describe(android())
    assert (found.name, found.soc, found.abi, found.emulated) == (
        "Google Pixel 8", "Google Tensor G3", "arm64-v8a", False,
    )  # fmt: skip
    assert found.os == "Android 15 (API 35) AP4A.250105.002"


@pytest.mark.parametrize("name", ["ro.boot.qemu", "ro.kernel.qemu"])
def test_an_emulator_is_told(android: Callable, tmp_path: Path, name: str) -> None:
    (tmp_path / "properties").write_text(f"{PIXEL}[{name}]: [1]\n")
    assert phone.describe(android()).emulated


def test_a_board_without_android(stand_in: Callable) -> None:
    device = stand_in()
    device.program("getprop", "exit 127")
    device.program("uname", "case $1 in -n) echo raspberry;; -m) echo aarch64;; -sr) echo Linux 6.12;; esac")
    found = phone.describe(adb.Device(device.serial))
    assert (found.name, found.os, found.abi, found.soc) == ("raspberry", "Linux 6.12", "aarch64", "unknown")
    assert phone.conditions(adb.Device(device.serial)) == {}


def test_a_phone_that_is_fit(android: Callable) -> None:
    found = phone.conditions(android())
    assert found == {
        "battery_percent": 80, "battery_temperature": 28.7, "charging": True, "screen_on": True, "thermal_status": 0,
    }  # fmt: skip
    assert phone.doubts(found) == ()


@pytest.mark.parametrize(
    ("told", "doubt"),
    [
        ({"thermal": 2}, "hot: thermal status moderate"),
        ({"usb": "false", "level": 12}, "battery was at 12 %"),
        ({"wakefulness": "Asleep"}, "the screen was off"),
    ],
)
def test_a_phone_that_is_not(android: Callable, told: dict[str, object], doubt: str) -> None:
    [reason] = phone.doubts(phone.conditions(android(**told)))
    assert doubt in reason


def test_waits_until_cool(android: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    device = android(thermal=1)
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: android(thermal=0))
    monkeypatch.setattr(phone, "time", clock)
    heard: list[str] = []
    assert phone.wait_until_cool(device, 60, heard.append)
    assert "to cool down, at most 60 s more" in heard[0]
    assert not phone.wait_until_cool(android(thermal=3), 0)


def test_fixed_performance_is_switched_off_again(stand_in: Callable, tmp_path: Path) -> None:
    device = stand_in()
    device.program("cmd", f'echo "$@" >> "{tmp_path}/said"')
    with phone.fixed_performance(adb.Device(device.serial)) as held:
        assert held
    asked = (tmp_path / "said").read_text().splitlines()
    assert asked == [f"power set-fixed-performance-mode-enabled {on}" for on in ("true", "false")]


@pytest.mark.parametrize("program", ["exit 127", "echo 'Error: mode not supported' >&2"])
def test_fixed_performance_where_there_is_none(stand_in: Callable, program: str) -> None:
    device = stand_in()
    device.program("cmd", program)
    with phone.fixed_performance(adb.Device(device.serial)) as held:
        assert not held


def test_python_is_found_with_what_it_needs(stand_in: Callable) -> None:
    device = stand_in()
    device.program("python3", "echo 'ModuleNotFoundError: numpy' >&2; exit 1")
    device.program("python", "exit 0")
    assert phone.find_python(adb.Device(device.serial)) == "python"
