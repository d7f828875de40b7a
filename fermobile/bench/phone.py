"""What an Android device or an ARM board is, and whether it is fit to be measured: charge, heat, screen, speed mode.

Boards have no Android services and answer most of this with nothing: what is not known is left out, never guessed.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import rows
from .adb import Device, DeviceError

#: PowerManager's thermal statuses; from the second on the clock is being held down.
THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")

LOW_BATTERY = 20  # percent; below it Android saves power

#: Where Termux keeps its Python.
_PYTHONS = ("python3", "python", "/data/data/com.termux/files/usr/bin/python3")

#: Properties by which an emulated device gives itself away: Android's emulator and our virtual phone.
_EMULATED = ("ro.boot.qemu", "ro.kernel.qemu")


def describe(device: Device) -> rows.Device:
    """The device part of a row."""
    p = device.properties()
    names = (p.get("ro.product.manufacturer", ""), p.get("ro.product.model", ""))
    release, build = p.get("ro.build.version.release"), p.get("ro.build.id", "")
    if release is None:  # a board without Android
        system = device.run("uname", "-sr").output.strip()
    else:
        system = f"Android {release} (API {p.get('ro.build.version.sdk', '?')}) {build}".strip()
    soc = " ".join(filter(None, (p.get("ro.soc.manufacturer"), p.get("ro.soc.model")))) or p.get("ro.board.platform")
    return rows.Device(
        name=" ".join(filter(None, names)) or device.run("uname", "-n").output.strip() or device.serial,
        id=device.serial,
        soc=soc or p.get("ro.hardware") or "unknown",
        os=system or "unknown",
        abi=p.get("ro.product.cpu.abi") or device.run("uname", "-m").output.strip() or "unknown",
        emulated=any(p.get(name) == "1" for name in _EMULATED),
    )


def conditions(device: Device) -> dict[str, Any]:
    """Battery in percent, whether it charges, its temperature in °C, screen, thermal status; only what is told."""
    found: dict[str, Any] = {}
    battery = _service(device, "battery")
    if level := re.search(r"^\s*level: (\d+)", battery, re.MULTILINE):
        found["battery_percent"] = int(level[1])
    if temperature := re.search(r"^\s*temperature: (-?\d+)", battery, re.MULTILINE):
        found["battery_temperature"] = int(temperature[1]) / 10
    powered = re.findall(r"^\s*(?:AC|USB|Wireless|Dock) powered: (true|false)", battery, re.MULTILINE)
    if powered:
        found["charging"] = "true" in powered
    if awake := re.search(r"mWakefulness=(\w+)", _service(device, "power")):
        found["screen_on"] = awake[1] == "Awake"
    if status := re.search(r"Thermal Status: (\d+)", _service(device, "thermalservice")):
        found["thermal_status"] = int(status[1])
    return found


def doubts(found: dict[str, Any]) -> tuple[str, ...]:
    """What in these conditions speaks against a latency; empty where nothing does."""
    reasons = []
    if found.get("thermal_status", 0) > 0:
        status = min(found["thermal_status"], len(THERMAL) - 1)
        reasons.append(f"the device was hot: thermal status {THERMAL[status]}")
    if found.get("battery_percent", 100) < LOW_BATTERY and not found.get("charging", False):
        reasons.append(f"the battery was at {found['battery_percent']} %: it saves power")
    if found.get("screen_on") is False:
        reasons.append("the screen was off: the processor is allowed to sleep")
    return tuple(reasons)


def wait_until_cool(device: Device, seconds: float, told: Callable[[str], None] = lambda text: None) -> bool:
    """Wait, at most so long, until the thermal status is "none"; whether it is."""
    end = time.monotonic() + seconds
    while conditions(device).get("thermal_status", 0) > 0:
        left = end - time.monotonic()
        if left <= 0:
            return False
        told(f"waiting for {device.serial} to cool down, at most {left:.0f} s more")
        time.sleep(min(5.0, left))
    return True


@contextlib.contextmanager
def fixed_performance(device: Device) -> Iterator[bool]:
    """Hold the clock at a speed that the device can keep, where it has that mode; yields whether it has."""
    command = ("cmd", "power", "set-fixed-performance-mode-enabled")
    said = device.run(*command, "true")
    held = said.status == 0 and not re.search(r"(?i)error|unknown|not supported", said.output + said.errors)
    try:
        yield held
    finally:
        if held:
            with contextlib.suppress(DeviceError):
                device.run(*command, "false")


def find_python(device: Device) -> str | None:
    """A Python on the device for the ``python`` runner; None where there is none."""
    for name in _PYTHONS:
        if device.run(name, "-c", "import numpy", timeout=120).status == 0:
            return name
    return None


def _service(device: Device, name: str) -> str:
    """What a system service dumps; empty where there is no such thing."""
    said = device.run("dumpsys", name)
    return said.output if said.status == 0 else ""
