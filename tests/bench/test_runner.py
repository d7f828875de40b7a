"""The runner as a process, through the link that the host uses."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from models_util import contract, tiny_file, tiny_model

from fermobile.bench import runner
from fermobile.bench.link import LegFailed, LegUnsupported, RunnerLink
from fermobile.data.images import normalise
from fermobile.inference.runtimes import open_runtime
from fermobile.inference.session import Session

SIZE = 32


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    path = tmp_path / "faces.u8"
    np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3)).astype(np.uint8).tofile(path)
    return path


@pytest.fixture
def link() -> Iterator[RunnerLink]:
    with RunnerLink([sys.executable, runner.__file__], "runner") as started:
        yield started


def model(folder: Path, kind: str = "int8", io_type: str = "uint8") -> Path:
    path = folder / f"{kind}-{io_type}.tflite"
    path.write_bytes(tiny_file(kind, io_type))
    return path


def opening(path: Path, **changes: Any) -> dict[str, Any]:
    spec = contract().input
    values = {"runtime": "ai-edge-litert", "delegate": "cpu", "threads": 1, "mean": spec.mean, "std": spec.std}
    return {"do": "open", "model": str(path), **values, **changes}


@pytest.mark.parametrize(("kind", "io_type"), [("int8", "uint8"), ("int8", "int8"), ("float", "float32")])
@pytest.mark.parametrize("runtime", ["ai-edge-litert", "litert-compiled-model"])
def test_answers_are_the_sessions_whatever_the_workers(
    link: RunnerLink, tmp_path: Path, faces: Path, kind: str, io_type: str, runtime: str
) -> None:
    path = model(tmp_path, kind, io_type)
    opened = link.ask(opening(path, runtime=runtime), 60)
    assert opened["inputs"][0]["shape"] == [1, SIZE, SIZE, 3]
    answers = []
    for workers in (1, 3):
        out = tmp_path / f"{workers}.out"
        assert link.ask({"do": "predict", "faces": str(faces), "out": str(out), "workers": workers}, 60)["n"] == 40
        answers.append(out.read_bytes())
    assert answers[0] == answers[1]
    session = Session.open(path)
    crops = np.fromfile(faces, np.uint8).reshape(-1, SIZE, SIZE, 3)
    raw = b"".join(b"".join(t.tobytes() for t in session.runtime.invoke(session.prepare(c))) for c in crops)
    assert answers[0] == raw
    link.close()


@pytest.mark.parametrize(("kind", "io_type"), [("int8", "uint8"), ("float", "float32")])
def test_a_model_with_one_channel_gets_the_grey_values_of_opencv(
    link: RunnerLink, tmp_path: Path, faces: Path, kind: str, io_type: str
) -> None:
    path, out, spec = tmp_path / "grey.tflite", tmp_path / "grey.out", contract().input
    path.write_bytes(tiny_model(SIZE, {"emotion": 3}, kind, io_type, channels=1))
    assert link.ask(opening(path), 60)["inputs"][0]["shape"] == [1, SIZE, SIZE, 1]
    assert len(link.ask({"do": "measure", "seconds": 0, "count": 2, "faces": str(faces)}, 60)["ns"]) == 2
    link.ask({"do": "predict", "faces": str(faces), "out": str(out), "workers": 1}, 60)
    runtime = open_runtime(path.read_bytes())
    crops = [cv2.cvtColor(c, cv2.COLOR_RGB2GRAY) for c in np.fromfile(faces, np.uint8).reshape(-1, SIZE, SIZE, 3)]
    tensors = [(normalise(crop, spec) if kind == "float" else crop)[None, ..., None] for crop in crops]
    assert out.read_bytes() == b"".join(runtime.invoke(tensor)[0].tobytes() for tensor in tensors)


def test_latencies_are_as_many_as_asked(link: RunnerLink, tmp_path: Path, faces: Path) -> None:
    link.ask(opening(model(tmp_path)), 60)
    found = link.ask({"do": "measure", "seconds": 0, "count": 7, "faces": str(faces)}, 60)["ns"]
    assert len(found) == 7 and min(found) > 0
    assert link.ask({"do": "state"}, 10)["peak_mb"] > 10


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"runtime": "abacus"}, "unknown runtime 'abacus'; this runner knows: ai-edge-litert"),
        ({"delegate": "gpu"}, "libtensorflowlite_gpu_delegate.so does not load"),
        ({"delegate": "nnapi", "runtime": "litert-compiled-model"}, "no nnapi accelerator"),
    ],
)
def test_what_cannot_be_had_is_unsupported(
    link: RunnerLink, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(LegUnsupported, match=reason):
        link.ask(opening(model(tmp_path), **changes), 60)
    with pytest.raises(LegFailed, match="no model is open"):
        link.ask({"do": "measure", "seconds": 0, "count": 1, "faces": "x"}, 10)


def test_a_missing_model_is_a_failure(link: RunnerLink, tmp_path: Path) -> None:
    with pytest.raises(LegFailed, match=r"none\.tflite"):
        link.ask(opening(tmp_path / "none.tflite"), 60)


def test_the_runner_is_one_file_for_an_older_python() -> None:
    """It is carried to machines that have neither fermobile nor this Python."""
    source = Path(runner.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 10))
    imported = {n.names[0].name for n in tree.body if isinstance(n, ast.Import)}
    imported |= {str(n.module) for n in tree.body if isinstance(n, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) == {"numpy"}


FAKE = """
import json, sys
print("chatter", flush=True)
for line in sys.stdin:
    do = json.loads(line)["do"]
    {body}
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(0)", "ended without its last word: the device was lost"),
        ("print('Killed', file=sys.stderr); sys.exit(137)", "ended with status 137: Killed"),
        ("print('@fermobile no json', flush=True)", "an answer that is no JSON object: '@fermobile no json'"),
        ("print('@fermobile [1]', flush=True)", "an answer that is no JSON object"),
        ("print('@fermobile ' + json.dumps({'error': 'failed', 'reason': 'disk full'}), flush=True)", "disk full"),
        ("__import__('time').sleep(60)", "no answer to 'state' within 1 s"),
    ],
)
def test_a_runner_that_fails_says_how(body: str, message: str) -> None:
    script = FAKE.format(body=body)
    with RunnerLink([sys.executable, "-c", script], "phone") as broken, pytest.raises(LegFailed) as caught:
        broken.ask({"do": "state"}, 1 if "sleep" in body else 20)
    assert message in str(caught.value)


def test_chatter_between_answers_is_no_answer() -> None:
    body = "print('noise'); print('@fermobile ' + json.dumps({'bye': True, 'said': do}), flush=True)"
    with RunnerLink([sys.executable, "-c", FAKE.format(body=body)], "phone") as noisy:
        assert noisy.ask({"do": "state"}, 20)["said"] == "state"
        noisy.close()


def test_unknown_commands_are_answered() -> None:
    commands = '{"do": "fly"}\n{"do": "quit"}\n'
    done = subprocess.run([sys.executable, runner.__file__], input=commands, capture_output=True, text=True, check=True)
    replies = [json.loads(line.removeprefix(runner.MARK)) for line in done.stdout.splitlines()]
    assert replies[0]["error"] == "failed"
    assert replies[1] == {"bye": True}


def test_load_is_what_others_use_while_the_runner_rests(link: RunnerLink, tmp_path: Path) -> None:
    link.ask(opening(model(tmp_path)), 60)
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert link.ask({"do": "state"}, 20)["load"] > 0.4
    finally:
        spinning.kill()
        spinning.wait()
