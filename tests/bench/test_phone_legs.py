"""``fermobile bench adb`` as a whole, on a stand-in device: what each runner gives, and what a fault leaves behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_util import BENCHMARK_MODEL
from models_util import contract, tiny_file

from fermobile.bench import adb
from fermobile.bench.rows import read_rows, read_samples
from fermobile.data.info import DatasetInfo
from fermobile.data.manifest import write_dataset
from fermobile.inference.session import Session

QUICK = ("--seconds", "0.1", "--rounds", "2", "--cooldown", "0")
PROPERTIES = "[ro.product.model]: [Pixel 8]\n[ro.build.version.release]: [15]\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "it's a $(touch pwned) model.tflite"
    path.write_bytes(tiny_file())
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made_for, rng = contract(), np.random.default_rng(0)
    with write_dataset(tmp_path / "data", DatasetInfo("noise", made_for.emotions, made_for.action_units)) as writer:
        for i in range(20):
            image = rng.integers(0, 256, (40, 40)).astype(np.uint8)
            aus = {name: float(i % 2) for name in made_for.action_units}
            writer.add_array(image, split="test", emotion=made_for.emotions[i % len(made_for.emotions)], aus=aus)
    return tmp_path / "data"


@pytest.fixture
def phone(stand_in: Callable, tmp_path: Path) -> Callable[..., Any]:
    def start(*options: str, python: str = sys.executable) -> Any:
        device = stand_in(*options)
        (tmp_path / "properties").write_text(PROPERTIES)
        device.program("python3", f'exec {shlex.quote(python)} "$@"')
        return device

    return start


def test_the_python_runner_gives_a_desktops_row(
    phone: Callable, model: Path, data: Path, tmp_path: Path, fermobile: Callable[..., Any]
) -> None:
    phone()
    rows = tmp_path / "rows.jsonl"
    command = ("bench", "adb", model, "--runner", "python", "--delegate", "cpu,gpu", "--data", data, *QUICK, "-o", rows)
    result = fermobile(*command)
    assert result.exit_code == 0, result.stderr
    cpu, gpu = read_rows(rows)
    assert (cpu.status, cpu.device.name, cpu.device.emulated, cpu.leg.runner) == ("ok", "Pixel 8", False, "python")
    assert gpu.status == "unsupported" and "libtensorflowlite_gpu_delegate.so" in gpu.reason
    session = Session.open(model)
    from fermobile.data.manifest import Dataset

    dataset = Dataset(data)
    right = session.predict(dataset.image(i) for i in range(len(dataset)))["emotion"].argmax(axis=1)
    labels = dataset.hard_labels(session.contract.emotions)
    assert cpu.quality is not None and cpu.quality.accuracy == pytest.approx((right == labels).mean(), abs=1e-6)
    samples = read_samples(rows, cpu)
    assert cpu.latency is not None and samples is not None and cpu.latency.n == len(samples)
    assert not list(Path(adb.FOLDER).glob("run.*")), "the run's folder was left"
    assert not list(Path().glob("pwned"))


def test_the_native_runner(phone: Callable, model: Path, tmp_path: Path, fermobile: Callable[..., Any]) -> None:
    phone()
    binary = tmp_path / "benchmark_model"
    binary.write_text(f"#!/bin/sh\n{BENCHMARK_MODEL}")
    result = fermobile("bench", "adb", model, "--runner", "native", *QUICK, "--json")
    assert result.exit_code == 2 and "--benchmark-model PATH" in result.stderr
    command = ("bench", "adb", model, "--runner", "native", "--benchmark-model", binary, "--delegate", "cpu,gpu")
    result = fermobile(*command, *QUICK, "--json")
    cpu, gpu = (json.loads(line) for line in result.stdout.splitlines())
    assert cpu["status"] == "ok" and cpu["latency"]["p50_ms"] == 2.0 and cpu["leg"]["runtime"] == "benchmark_model"
    assert cpu["delegation"]["actual"] == "cpu (XNNPACK)" and "no single latencies" in cpu["warnings"][0]
    assert gpu["status"] == "unsupported" and "Failed to apply GPU delegate" in gpu["reason"]


def test_the_app_is_the_default_and_is_missing(phone: Callable, model: Path, fermobile: Callable[..., Any]) -> None:
    phone().program("run-as", 'echo "run-as: unknown package: $1" >&2; exit 1')
    result = fermobile("bench", "adb", model, *QUICK)
    assert result.exit_code == 1 and "adb install it" in result.stderr


def test_no_python_on_the_device(phone: Callable, model: Path, fermobile: Callable[..., Any]) -> None:
    device = phone(python="/nowhere/python3")
    device.program("python", "exit 127")
    result = fermobile("bench", "adb", model, "--runner", "python", *QUICK)
    assert result.exit_code == 1 and "has no Python with numpy" in result.stderr


def test_device_vanishes_during_the_run(
    phone: Callable, model: Path, data: Path, tmp_path: Path, fermobile: Callable[..., Any]
) -> None:
    device = phone()
    dying = (
        f'case "$*" in *numpy*) exit 0 ;; esac; (sleep 2; kill -9 {device.process.pid}) & exec {sys.executable} "$@"'
    )
    device.program("python3", dying)
    rows = tmp_path / "rows.jsonl"
    command = ("bench", "adb", model, "--runner", "python", "--seconds", "60", "--rounds", "1", "-o", rows)
    result = fermobile(*command)
    assert result.exit_code == 1 and "the device was lost" in result.stderr
    [row] = read_rows(rows)
    assert row.status == "failed" and "the device was lost" in row.reason and row.validity == "invalid"


def test_ctrl_c_leaves_nothing_behind(phone: Callable, model: Path) -> None:
    device = phone()
    device.program("cmd", f"echo $* >> {shlex.quote(str(device.programs))}/asked")
    code = f"""
from fermobile.bench import adb
adb.FOLDER = {adb.FOLDER!r}
from fermobile.cli import main
main({["bench", "adb", str(model), "--runner", "python", "--seconds", "60", "--rounds", "1"]!r})
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        while not list(Path(adb.FOLDER).glob("run.*")):
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors.strip().endswith("interrupted")
    assert not list(Path(adb.FOLDER).glob("run.*"))
    assert (device.programs / "asked").read_text().split()[-1] == "false", "fixed-performance mode was left on"


def test_garbage_is_one_failed_row_and_the_rest_goes_on(
    phone: Callable, model: Path, tmp_path: Path, fermobile: Callable[..., Any]
) -> None:
    device = phone()
    once = f"""case "$*" in *numpy*) exit 0 ;; esac
        mkdir "{tmp_path}/first" 2>/dev/null && {{ echo '@fermobile ]'; sleep 1; exit; }}
        exec {sys.executable} "$@" """
    device.program("python3", once)
    rows = tmp_path / "rows.jsonl"
    result = fermobile("bench", "adb", model, "--runner", "python", "--threads", "1,2", *QUICK, "-o", rows)
    assert result.exit_code == 0, result.stderr
    assert sorted((row.status, "no JSON object" in row.reason) for row in read_rows(rows)) == [
        ("failed", True), ("ok", False),
    ]  # fmt: skip


def test_disk_full(phone: Callable, model: Path, fermobile: Callable[..., Any]) -> None:
    phone("--full-after", "100")
    result = fermobile("bench", "adb", model, "--runner", "python", *QUICK)
    assert result.exit_code == 1 and "no space left on the device" in result.stderr


def test_no_device_is_bad_usage(adb_server: None, model: Path, fermobile: Callable[..., Any]) -> None:
    result = fermobile("bench", "adb", model)
    assert result.exit_code == 2 and "no device" in result.stderr


def test_a_doubtful_state_is_told(phone: Callable, model: Path, fermobile: Callable[..., Any]) -> None:
    device = phone()
    device.program("dumpsys", "[ $1 = battery ] && printf '  USB powered: false\\n  level: 7\\n'")
    result = fermobile("bench", "adb", model, "--runner", "python", *QUICK, "--json")
    [row] = [json.loads(line) for line in result.stdout.splitlines()]
    assert any("battery was at 7 %" in reason for reason in row["validity_reasons"])
    assert row["conditions"]["before"]["battery_percent"] == 7
    assert os.environ["ANDROID_ADB_SERVER_PORT"] != "5037"
