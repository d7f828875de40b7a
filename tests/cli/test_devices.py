"""``fermobile devices``: what it says of what adb sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fermobile.bench.adb import Listed


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Listed]:
    """What adb sees, without adb."""
    found: list[Listed] = []
    monkeypatch.setattr("fermobile.bench.adb.list_devices", lambda: found)
    return found


def test_no_devices(seen: list[Listed], fermobile: Callable[..., Any]) -> None:
    result = fermobile("devices")
    assert result.exit_code == 0 and not result.stdout and "switch USB debugging on" in result.stderr
    assert json.loads(fermobile("devices", "--json").stdout) == {"devices": []}


def test_a_device_that_is_not_ready_says_what_to_do(seen: list[Listed], fermobile: Callable[..., Any]) -> None:
    seen.append(Listed("R58M", "unauthorized", ""))
    assert "accept 'Allow USB debugging'" in fermobile("devices").stdout
    [told] = json.loads(fermobile("devices", "--json").stdout)["devices"]
    assert told["serial"] == "R58M" and told["state"] == "unauthorized" and len(told["doubts"]) == 1


def test_a_ready_device(seen: list[Listed], fermobile: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from fermobile.bench import phone, rows

    seen.append(Listed("R58M", "device", "Pixel 8"))
    described = rows.Device("Google Pixel 8", "R58M", "Tensor G3", "Android 15 (API 35)", "arm64-v8a", emulated=True)
    monkeypatch.setattr(phone, "describe", lambda device: described)
    monkeypatch.setattr(phone, "conditions", lambda device: {"battery_percent": 5})
    monkeypatch.setattr(phone, "find_python", lambda device: None)
    shown = fermobile("devices").stdout
    for part in ("Google Pixel 8", "Tensor G3", "its times mean nothing", "no Python with numpy", "at 5 %"):
        assert part in shown
    [told] = json.loads(fermobile("devices", "--json").stdout)["devices"]
    assert told["conditions"] == {"battery_percent": 5} and told["abi"] == "arm64-v8a" and told["python"] is None
