"""The protocol between the host and the demo app, with stand-ins for Android's programs and for the app itself."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from models_util import tiny_file

from fermobile.bench import adb, app, runner
from fermobile.bench.link import LegFailed, LegUnsupported, RunnerLink

SCHEMA = json.loads(files("fermobile.bench").joinpath("protocol.schema.json").read_text())
OPEN = {
    "do": "open", "model": "files/bench/m.tflite", "runtime": "org.tensorflow.lite", "delegate": "gpu", "threads": 1,
    "mean": 127.5, "std": 127.5,
}  # fmt: skip
ANSWERS = {"open": "opened", "measure": "measured", "predict": "predicted", "state": "stated", "quit": "bye"}

#: The app: notes what it was asked, and answers what a file beside it says.
AM = """#!{python}
import json, os, sys
from pathlib import Path
here = Path({here!r})
if not (here / "installed").exists():
    print("Error type 3\\nError: Activity class {{x/x.BenchActivity}} does not exist.")
    sys.exit(0)  # as am does
assert sys.argv[1:4] == ["start", "-W", "-n"], sys.argv
assert sys.argv[4] == "io.github.fermobile.demo/.BenchActivity", sys.argv
kinds = {{"--es": str, "--ei": int, "--ef": float}}
words = sys.argv[5:]
extras = {{n: kinds[k](v) for k, n, v in zip(words[::3], words[1::3], words[2::3], strict=True)}}
with (here / "asked").open("a") as asked:
    asked.write(json.dumps(extras) + "\\n")
answers = json.loads((here / "answers").read_text())
answer = answers.get(extras["do"])
if answer is not None:
    bench = here / "files/bench"
    bench.mkdir(parents=True, exist_ok=True)
    (bench / f"{{extras['run_id']}}.json").write_text(answer if isinstance(answer, str) else json.dumps(answer))
print("Status: ok")
"""


def check(kind: str, value: Any) -> None:
    jsonschema.validate(value, {**SCHEMA, "$ref": f"#/$defs/{kind}"})


class Phone:
    """A device with the app."""

    def __init__(self, stand_in: Callable, folder: Path) -> None:
        started = stand_in()
        self.device, self.folder = adb.Device(started.serial), folder
        folder.mkdir()
        (folder / "installed").touch()
        started.program("am", AM.format(python=sys.executable, here=str(folder)))
        started.program("run-as", f'[ "$1" = {app.PACKAGE} ] && cd {shlex.quote(str(folder))} && shift && exec "$@"')
        started.program("pidof", f"cat {shlex.quote(str(folder))}/pid 2>/dev/null")
        self.program = started.program
        (folder / "pid").write_text("4711\n")
        tensor = {"name": "t", "shape": [1, 8], "dtype": "uint8", "scale": 0.5, "zero_point": 0}
        self.answers: dict[str, Any] = {
            "open": {
                "protocol": 1, "init_ms": 812.5, "first_ms": 31.0, "inputs": [tensor], "outputs": [tensor],
                "actual": "gpu", "nodes": 33, "nodes_delegated": 31, "partitions": 2, "version": "2.14.0", "pid": 4711,
            },
            "measure": {"ns": [4_300_000, 4_200_000], "pid": 4711},
            "predict": {"n": 2, "seconds": 0.5, "pid": 4711},
            "state": {"peak_mb": 81.0, "temperature": None, "load": None, "thermal_status": 0, "pid": 4711},
            "quit": {"bye": True, "pid": 4711},
        }  # fmt: skip

    def link(self, **answers: Any) -> app.AppLink:
        self.answers |= answers
        (self.folder / "answers").write_text(json.dumps(self.answers))
        return app.AppLink(self.device)

    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]


@pytest.fixture
def phone(stand_in: Callable, tmp_path: Path) -> Phone:
    return Phone(stand_in, tmp_path / "the app's")


def test_a_leg_in_the_app(phone: Phone) -> None:
    link = phone.link()
    hostile = "files/bench/it's $(touch pwned).u8"
    assert link.ask(OPEN, 20)["init_ms"] == 812.5
    assert link.ask({"do": "measure", "seconds": 1, "count": 2, "faces": hostile}, 20)["ns"] == [4_300_000, 4_200_000]
    assert link.ask({"do": "state"}, 20)["thermal_status"] == 0
    link.close()
    asked = phone.asked()
    assert [a["do"] for a in asked] == ["open", "measure", "state", "quit"]
    assert asked[1]["faces"] == hostile and asked[1]["seconds"] == 1.0
    assert len({a["session"] for a in asked}) == 1 and len({a["run_id"] for a in asked}) == 4
    assert not list(phone.folder.rglob("*.json")), "answers were left"
    for command in asked:
        check("command", command)


@pytest.mark.parametrize("verb", ANSWERS)
def test_the_schema_knows_the_answers(phone: Phone, verb: str) -> None:
    check(ANSWERS[verb], phone.answers[verb])
    with pytest.raises(jsonschema.ValidationError):
        check(ANSWERS[verb], {"pid": 4711})


def test_the_python_runner_keeps_to_the_schema(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_file())
    (tmp_path / "faces").write_bytes(np.zeros((2, 32, 32, 3), np.uint8).tobytes())
    faces = str(tmp_path / "faces")
    commands: list[dict[str, Any]] = [
        {**OPEN, "model": str(tmp_path / "m.tflite"), "runtime": "ai-edge-litert", "delegate": "cpu"},
        {"do": "measure", "seconds": 0.0, "count": 3, "faces": faces},
        {"do": "predict", "faces": faces, "out": str(tmp_path / "out"), "workers": 1},
        {"do": "state"},
        {"do": "quit"},
    ]
    with RunnerLink([sys.executable, runner.__file__], "runner") as link:
        for command in commands:
            check("command", command)
            check(ANSWERS[command["do"]], link.ask(command, 60))


def test_what_the_app_cannot_do(phone: Phone) -> None:
    link = phone.link(open={"error": "unsupported", "reason": "no OpenCL", "pid": 4711})
    with pytest.raises(LegUnsupported, match="no OpenCL"):
        link.ask(OPEN, 20)


def test_the_app_is_not_installed(phone: Phone) -> None:
    (phone.folder / "installed").unlink()
    with pytest.raises(LegUnsupported, match=r"io\.github\.fermobile\.demo is not installed on .*: adb install it"):
        phone.link().ask(OPEN, 20)


def test_a_build_whose_files_cannot_be_read(phone: Phone) -> None:
    phone.program("run-as", "echo 'run-as: package not debuggable: x' >&2; exit 1")
    with pytest.raises(LegUnsupported, match=r"not debuggable.*install its debug build"):
        phone.link().ask(OPEN, 20)


def test_android_ended_the_process(phone: Phone) -> None:
    link = phone.link(measure={"ns": [1], "pid": 4712})
    link.ask(OPEN, 20)
    with pytest.raises(LegFailed, match="ended and started anew"):
        link.ask({"do": "measure", "seconds": 0, "count": 1, "faces": "f"}, 20)


def test_the_app_crashes(phone: Phone) -> None:
    link = phone.link(measure=None)
    link.ask(OPEN, 20)
    (phone.folder / "pid").unlink()
    with pytest.raises(LegFailed, match="process ended during 'measure'; adb logcat"):
        link.ask({"do": "measure", "seconds": 0, "count": 1, "faces": "f"}, 20)
    before = len(phone.asked())
    link.kill()
    assert len(phone.asked()) == before, "a dead app was started again"


def test_the_app_hangs(phone: Phone) -> None:
    with pytest.raises(LegFailed, match="no answer to 'open' within 0 s"):
        phone.link(open=None).ask(OPEN, 0.4)


def test_garbage(phone: Phone) -> None:
    with pytest.raises(LegFailed, match="no JSON object: 'half an ans"):
        phone.link(open="half an ans").ask(OPEN, 20)


def test_files_for_the_app(phone: Phone, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"model")
    kept = phone.device.keep(file)
    path = app.own_path(kept)
    app.give(phone.device, kept)
    assert (phone.folder / path).read_bytes() == b"model"
    before = (phone.folder / path).stat().st_mtime_ns
    app.give(phone.device, kept)
    assert (phone.folder / path).stat().st_mtime_ns == before, "copied again"
    assert app.fetch(phone.device, path) == b"model" and not (phone.folder / path).exists()


def test_files_for_an_app_that_is_not_there(phone: Phone, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"model")
    phone.program("run-as", 'echo "run-as: unknown package: $1" >&2; exit 1')
    with pytest.raises(LegUnsupported, match=r"debug build of the app .* is not on .*unknown package"):
        app.give(phone.device, phone.device.keep(tmp_path / "m"))
