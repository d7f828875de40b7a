"""Runtimes behind one protocol, and the child process that tries a file first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import models_util
import numpy as np
import pytest

from fermobile.errors import InputError, MissingExtraError, RuntimeFailure
from fermobile.inference import probe, runtimes
from fermobile.inference.modelfile import check_tflite
from fermobile.inference.runtimes import RUNTIMES, available_runtimes, open_runtime
from fermobile.inference.session import Session

MODEL = models_util.tiny_model(32, {"emotion": 3, "au": 2})


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_minimal_model_is_what_its_builder_makes() -> None:
    shipped = Path(runtimes.__file__).with_name("minimal.tflite").read_bytes()
    assert shipped == models_util.minimal_model()
    check_tflite(shipped)


def test_a_runtime_describes_and_runs_the_model() -> None:
    runtime = open_runtime(MODEL)
    assert runtime.name == "ai-edge-litert" and runtime.version
    (source,) = runtime.inputs
    assert (source.name, source.shape, source.dtype) == ("image", (1, 32, 32, 3), np.uint8)
    assert source.scale == pytest.approx(1 / 127.5) and source.zero_point == 128
    emotion, au = runtime.invoke(np.full((1, 32, 32, 3), 90, np.uint8))
    assert emotion.shape == (1, 3) and emotion.dtype == np.uint8 and au.shape == (1, 2)
    assert abs(int(emotion.sum()) - 256) <= 3


def test_outputs_are_the_callers_to_keep() -> None:
    runtime = open_runtime(MODEL)
    first = runtime.invoke(np.full((1, 32, 32, 3), 40, np.uint8))
    before = [t.copy() for t in first]
    runtime.invoke(np.full((1, 32, 32, 3), 250, np.uint8))
    assert all(np.array_equal(a, b) for a, b in zip(first, before, strict=True))


@pytest.mark.parametrize("name", RUNTIMES)
def test_nothing_is_printed_while_a_model_is_loaded(name: str) -> None:
    load = "import sys, fermobile.inference.runtimes as r; r.open_runtime(r._MINIMAL.read_bytes(), sys.argv[1])"
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", load, name], capture_output=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_an_unknown_runtime_lists_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"unknown runtime 'onnx'; choose from: ai-edge-litert, tflite-runtime, tf\.lite"
    ):
        open_runtime(MODEL, "onnx")


def test_a_runtime_that_is_not_installed_says_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    monkeypatch.delitem(sys.modules, "tflite_runtime.interpreter", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'fermobile\[tflite\]'"):
        open_runtime(MODEL, "tflite-runtime")


def test_a_model_the_interpreter_refuses_is_a_runtime_failure() -> None:
    b = models_util.GraphBuilder()
    x, y = b.tensor("x", (1,), "float32"), b.tensor("y", (1,), "float32")
    b.op(120, 1, [x], [y])  # CUSTOM without a name
    with pytest.raises(RuntimeFailure, match=r"ai-edge-litert .* refuses the model"):
        open_runtime(b.pack([x], [y]))


def test_an_input_of_the_wrong_shape_is_a_runtime_failure() -> None:
    with pytest.raises(RuntimeFailure, match="failed while running"):
        open_runtime(MODEL).invoke(np.zeros((1, 16, 16, 3), np.uint8))


def test_two_runtimes_agree(faces: list[np.ndarray]) -> None:
    pytest.importorskip("tflite_runtime")
    one, two = open_runtime(MODEL), open_runtime(MODEL, "tflite-runtime")
    for face in faces:
        for a, b in zip(one.invoke(face[None]), two.invoke(face[None]), strict=True):
            assert np.abs(a.astype(int) - b.astype(int)).max() <= 16


@pytest.fixture
def without_tflite_runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The runtimes that were tried, of which tflite-runtime crashes."""
    tried: list[str] = []

    def try_in_child(data: bytes, runtime: str) -> None:
        tried.append(runtime)
        if runtime == "tflite-runtime":
            raise RuntimeFailure("tflite-runtime crashed (SIGABRT)")

    monkeypatch.setattr(probe, "try_in_child", try_in_child)
    monkeypatch.setattr("fermobile.inference.session.try_in_child", try_in_child)
    runtimes._why_unusable.cache_clear()
    yield tried
    runtimes._why_unusable.cache_clear()


def test_availability_is_found_by_running_a_model(without_tflite_runtime: list[str]) -> None:
    reasons = available_runtimes()
    assert tuple(without_tflite_runtime) == RUNTIMES
    assert reasons == {"ai-edge-litert": None, "tflite-runtime": "tflite-runtime crashed (SIGABRT)", "tf.lite": None}


def test_a_runtime_that_cannot_be_used_is_told_from_a_file_that_cannot(
    without_tflite_runtime: list[str], model_path: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as caught:
        Session.open(model_path(), "tflite-runtime")
    assert str(caught.value).splitlines() == [
        "the runtime tflite-runtime cannot be used here; choose one that can:",
        "  ai-edge-litert: works here",
        "  tflite-runtime: tflite-runtime crashed (SIGABRT)",
        "  tf.lite: works here",
    ]

    def refuse(*args: object) -> None:
        raise RuntimeFailure("ai-edge-litert refuses the model")

    monkeypatch.setattr("fermobile.inference.session.open_runtime", refuse)
    with pytest.raises(RuntimeFailure, match="refuses the model"):
        Session.open(model_path())


@pytest.mark.slow
def test_all_runtimes_are_available_here() -> None:
    assert dict(available_runtimes()) == dict.fromkeys(RUNTIMES)


def test_a_good_file_passes_the_child_once(monkeypatch: pytest.MonkeyPatch) -> None:
    probe.try_in_child(MODEL, "ai-edge-litert")
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    probe.try_in_child(MODEL, "ai-edge-litert")


def test_a_crash_of_the_interpreter_is_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", fake_python(tmp_path, "kill -SEGV $$"))
    with pytest.raises(RuntimeFailure, match=r"ai-edge-litert crashed \(SIGSEGV\) while constructing the model"):
        probe.try_in_child(MODEL + b"1", "ai-edge-litert")
    monkeypatch.setattr(sys, "executable", fake_python(tmp_path, "echo constructing; echo why >&2; kill -ABRT $$"))
    with pytest.raises(RuntimeFailure, match=r"crashed \(SIGABRT\) while running the model.*\(why\)"):
        probe.try_in_child(MODEL + b"2", "ai-edge-litert")


def test_a_file_that_really_crashes_the_interpreter_is_a_message() -> None:
    data = models_util.crashing_model()
    check_tflite(data)
    try:
        probe.try_in_child(data, "ai-edge-litert")
    except RuntimeFailure as error:
        assert "crashed (SIG" in str(error)
    else:
        pytest.skip("this interpreter survives the file")


def test_a_hanging_interpreter_is_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", fake_python(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(probe, "_TIMEOUT_S", 0.3)
    with pytest.raises(RuntimeFailure, match="did not finish"):
        probe.try_in_child(MODEL + b"3", "ai-edge-litert")


def test_the_childs_own_errors_come_through() -> None:
    with pytest.raises(InputError, match=r"unknown runtime 'onnx'"):
        probe.try_in_child(MODEL, "onnx")
