"""The emulated ARM phone gives the answers of a desktop, bit by bit where the arithmetic is integer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from bench_util import SCRIPTS, never_called

from fermobile.bench import adb, phone, runner
from fermobile.bench.link import RunnerLink
from fermobile.bench.rows import read_rows
from fermobile.data.synthetic.dataset import render_faces
from fermobile.inference.modelfile import load_model_file
from fermobile.inference.session import DEFAULT_MODEL

CPUS = ["cortex-a53", "cortex-a76", "max,sve=off"]
FACES = 200
RUNNER = Path(runner.__file__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def with_logits(model: bytes) -> bytes:
    """The same graph, whose second output is what goes into its SOFTMAX."""
    built = schema.ModelT.InitFromPackedBuf(model)
    graph = built.subgraphs[0]
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in built.operatorCodes]
    [softmax] = [op for op in graph.operators if codes[op.opcodeIndex] == schema.BuiltinOperator.SOFTMAX]
    graph.outputs = [graph.outputs[0], softmax.inputs[0]]
    built.signatureDefs = []
    builder = flatbuffers.Builder(len(model))
    builder.Finish(built.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def float_model(size: int) -> bytes:
    """MobileNet v1 0.25 as it is initialised, converted as it is."""
    import tensorflow as tf

    from fermobile.models.keras import keras

    keras.utils.set_random_seed(0)
    backbone = keras.applications.MobileNet((size, size, 3), alpha=0.25, include_top=False, weights=None, pooling="avg")
    spread = keras.initializers.RandomNormal(stddev=30.0)  # scores that differ, as a trained head's do
    model = keras.Sequential([backbone, keras.layers.Dense(8, activation="softmax", kernel_initializer=spread)])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Synthetic faces, and as many real ones where they are to be had: uint8 (N, S, S, 3)."""
    size = load_model_file(DEFAULT_MODEL).contract.input.size
    found = [face.image for face in render_faces(FACES, seed=1, size=size)]
    real = SCRIPTS.parents[1] / "shared" / "data" / "fer2013_plus.npz"
    if real.is_file():
        gray = np.load(real)["images"]
        spread = gray[np.linspace(0, len(gray) - 1, FACES).astype(int)]
        found += [cv2.cvtColor(cv2.resize(g, (size, size)), cv2.COLOR_GRAY2RGB) for g in spread]
    return np.stack(found)


def outputs(start: RunnerLink, model: str, faces: str, out: str) -> dict[str, Any]:
    with start as link:
        opened = link.ask(
            {"do": "open", "model": model, "runtime": "ai-edge-litert", "delegate": "cpu", "threads": 1,
             "mean": 127.5, "std": 127.5}, 120,
        )  # fmt: skip
        link.ask({"do": "predict", "faces": faces, "out": out, "workers": os.cpu_count()}, 900)
        link.close()
    assert opened["actual"] == "cpu (XNNPACK)", "without XNNPACK the answers are others"
    return opened


def on_both(serial: str, model: bytes, faces: np.ndarray, folder: Path) -> tuple[dict[str, Any], bytes, bytes]:
    """The raw outputs of a file on the phone and here."""
    (folder / "model.tflite").write_bytes(model)
    (folder / "faces").write_bytes(faces.tobytes())
    device = adb.Device(serial)
    kept = [device.keep(folder / name) for name in ("model.tflite", "faces")]
    with device.folder() as remote:
        there = RunnerLink(device.argv("python3", device.keep(RUNNER)), serial)
        opened = outputs(there, *kept, f"{remote}/out")
        predicted = device.fetch(f"{remote}/out")
    assert opened["machine"] == "aarch64"
    here = RunnerLink([sys.executable, str(RUNNER)], "desktop")
    outputs(here, str(folder / "model.tflite"), str(folder / "faces"), str(folder / "out"))
    return opened, predicted, (folder / "out").read_bytes()


@pytest.mark.parametrize("cpu", CPUS)
def test_int8_answers_are_the_desktops(
    virtual_phone: Callable[[str], str], faces: np.ndarray, tmp_path: Path, cpu: str
) -> None:
    model = with_logits(DEFAULT_MODEL.read_bytes())
    opened, phone_bytes, desk_bytes = on_both(virtual_phone(cpu), model, faces, tmp_path)
    sizes = [int(np.prod(o["shape"])) for o in opened["outputs"]]
    (scores, logits), (desk_scores, desk_logits) = (
        np.split(np.frombuffer(raw, np.uint8).reshape(len(faces), sum(sizes)), [sizes[0]], axis=1)
        for raw in (phone_bytes, desk_bytes)
    )
    np.testing.assert_array_equal(logits, desk_logits)
    # SOFTMAX alone rounds differently on the two instruction sets
    assert np.abs(scores.astype(int) - desk_scores.astype(int)).max() <= 1
    np.testing.assert_array_equal(scores.argmax(1), desk_scores.argmax(1))
    assert len(set(scores.argmax(1))) > 1, "the faces do not tell answers apart"


def test_float_answers_are_the_desktops(virtual_phone: Callable[[str], str], faces: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    some = faces[:: len(faces) // 50]
    _, phone_bytes, desk_bytes = on_both(virtual_phone("cortex-a76"), float_model(some.shape[1]), some, tmp_path)
    scores, desk = (np.frombuffer(raw, np.float32).reshape(len(some), -1) for raw in (phone_bytes, desk_bytes))
    np.testing.assert_allclose(scores, desk, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(1), desk.argmax(1))


def test_bench_adb_runs_on_it_unchanged(
    virtual_phone: Callable[[str], str], tmp_path: Path, fermobile: Callable[..., Any]
) -> None:
    serial, rows = virtual_phone("cortex-a76"), tmp_path / "rows.jsonl"
    quick = ("--runner", "python", "--seconds", "0.5", "--rounds", "2", "-o", rows)
    result = fermobile("bench", "adb", DEFAULT_MODEL, "-s", serial, *quick)
    assert result.exit_code == 0, result.stderr
    [row] = read_rows(rows)
    assert row.status == "ok" and row.device.emulated and row.validity == "invalid"
    assert "the milliseconds mean nothing" in row.validity_reasons[0]
    device = adb.Device(serial)  # toybox's find, which is Android's, clears away what is old
    device.check("mkdir", f"{adb.FOLDER}/run.old")
    device.check("touch", "-d", "2020-01-01T00:00:00", f"{adb.FOLDER}/run.old")
    with device.folder():
        left = device.check("ls", adb.FOLDER)
    assert "run.old" not in left and ".tflite" in left


def test_facts_of_the_phone(virtual_phone: Callable[[str], str]) -> None:
    with never_called(5037):
        device = phone.describe(adb.choose(virtual_phone("cortex-a53")))
    assert device.emulated and device.abi == "arm64-v8a" and "cortex-a53" in device.name


def test_up_down_and_status(virtual_phone: Callable[[str], str], _phone_folder: Path) -> None:
    serial = virtual_phone("cortex-a72")
    script = str(SCRIPTS / "virtual-phone")
    status = subprocess.run([script, "status", str(_phone_folder)], capture_output=True, text=True, timeout=60)
    assert status.returncode == 0 and "cortex-a72" in status.stdout and serial in status.stdout
    assert adb.Device(serial).check("nproc")
    subprocess.run([script, "down", str(_phone_folder)], check=True, timeout=60)
    assert subprocess.run([script, "status", str(_phone_folder)], capture_output=True, timeout=60).returncode == 1
    with pytest.raises(adb.LostDevice):
        adb.Device(serial).check("true")


def test_unknown_cpu_lists_the_known(tmp_path: Path) -> None:
    command = [str(SCRIPTS / "virtual-phone"), "up", str(tmp_path / "phone"), "pentium"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "cortex-a53, cortex-a72, cortex-a76, max,sve=off" in done.stderr
