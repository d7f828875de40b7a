"""What is said about a file without running it, checked against what an interpreter does with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import models_util
import pytest

from fermobile.export.delegates import outlooks
from fermobile.export.inspect import FileReport, inspect_file
from fermobile.export.ops import newest_version, oldest_runtime
from fermobile.inference.graph import Operator, read_model

OP = models_util.OP


def report(tmp_path: Path, data: bytes) -> FileReport:
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    return inspect_file(path)


def test_the_report_of_an_int8_file(tmp_path: Path) -> None:
    data = models_util.tiny_file()
    r = report(tmp_path, data)
    assert (r.bytes, r.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (r.kind, r.float_islands, r.contract) == ("int8", (), models_util.contract())
    assert [(t.name, t.shape, t.dtype) for t in r.inputs] == [("image", (1, 32, 32, 3), "uint8")]
    assert r.inputs[0].scale == pytest.approx(1 / 127.5) and r.inputs[0].zero_point == 128
    assert [t.name for t in r.outputs] == ["emotion_out", "au_out"]
    conv = next(o for o in r.operators if o.name == "CONV_2D")
    assert (conv.version, conv.types, conv.per_channel, conv.count) == (3, "int8 x int8 -> int8", True, 1)
    assert sum(o.count for o in r.operators) == 9
    assert r.parameters == 8 * 27 + 8 + (3 + 2) * (8 + 1)
    assert r.macs == 16 * 16 * 8 * 27 + (3 + 2) * 8
    assert r.min_runtime == "2.0.0", "FULLY_CONNECTED 5"


@pytest.mark.parametrize("kind,io_type", [("int8", "int8"), ("int8", "float32"), ("float", "float32")])
def test_kinds_are_told_apart_and_io_ends_are_no_islands(tmp_path: Path, kind: str, io_type: str) -> None:
    r = report(tmp_path, models_util.tiny_file(kind, io_type))
    assert (r.kind, r.float_islands) == (kind, ())


def islands() -> bytes:
    """int8 convolution-like model with a float multiplication in its middle."""
    import numpy as np

    b = models_util.GraphBuilder()
    x = b.tensor("x", (1, 4), "int8", scale=0.1)
    weights = b.tensor("w", (4, 4), "int8", np.ones((4, 4), np.int8), scale=0.1)
    y = b.tensor("y", (1, 4), "int8", scale=0.1)
    real, product = b.tensor("real", (1, 4), "float32"), b.tensor("product", (1, 4), "float32")
    out = b.tensor("out", (1, 4), "int8", scale=0.1)
    b.op(OP.FULLY_CONNECTED, 12, [x, weights, -1], [y])
    b.op(OP.DEQUANTIZE, 2, [y], [real])
    b.op(OP.MUL, 1, [real, real], [product])
    b.op(OP.QUANTIZE, 1, [product], [out])
    return b.pack([x], [out])


def test_float_islands_of_an_int8_file_are_named(tmp_path: Path) -> None:
    r = report(tmp_path, islands())
    assert r.kind == "int8"
    assert any(island.startswith("MUL -> product") for island in r.float_islands)
    assert r.contract is None and "no fermobile contract" in r.contract_error
    assert r.min_runtime == "2.17.0"


@pytest.mark.parametrize(
    "code,version,since",
    [
        (OP.CONV_2D, 3, "1.14.0"), (OP.CONV_2D, 6, "2.9.0"), (OP.FULLY_CONNECTED, 9, "2.3.0"),
        (OP.FULLY_CONNECTED, 12, "2.17.0"), (OP.SOFTMAX, 2, "1.14.0"), (OP.CONV_2D, 99, None), (OP.LSTM, 1, None),
    ],
)  # fmt: skip
def test_the_oldest_runtime_of_an_operator(code: int, version: int, since: str | None) -> None:
    assert oldest_runtime(Operator(code, "", version, (), ())) == since


def test_release_numbers_are_compared_as_numbers() -> None:
    assert newest_version(["2.9.0", "2.17.0", "1.14.0"]) == "2.17.0"
    assert newest_version([]) == ""


def by_delegate(data: bytes) -> dict[str, dict[int, str]]:
    graph = read_model(data).graphs[0]
    return {o.delegate: {f.index: f"{f.operator}: {f.reason}" for f in o.fallbacks} for o in outlooks(graph)}


def test_who_leaves_what_to_the_cpu() -> None:
    found = by_delegate(models_util.tiny_model(32, {"emotion": 3, "au": 2}))
    assert found["GPU"] == {}
    assert set(found["NNAPI"].values()) == {
        "QUANTIZE: cannot requantise uint8 to int8", "QUANTIZE: cannot requantise int8 to uint8",
    }  # fmt: skip
    assert set(found["XNNPACK"].values()) == {*found["NNAPI"].values(), "SOFTMAX: no quantised SOFTMAX"}
    assert by_delegate(models_util.tiny_model(32, {"emotion": 3}, "float", "float32"))["XNNPACK"] == {}


def test_newer_versions_are_refused_by_older_delegates() -> None:
    found = by_delegate(islands())
    assert found["GPU"][0] == "FULLY_CONNECTED: version 12; up to TFLite 2.14 it takes 9"
    assert found["NNAPI"][0] == "FULLY_CONNECTED: version 12; it takes 5"


@pytest.mark.parametrize(
    "kind,io_type", [("int8", "uint8"), ("int8", "int8"), ("int8", "float32"), ("float", "float32")]
)
def test_xnnpack_takes_as_many_partitions_as_foretold(kind: str, io_type: str) -> None:
    """LiteRT's own list of what runs, after its delegate has replaced what it takes."""
    from ai_edge_litert.interpreter import Interpreter

    data = models_util.tiny_model(32, {"emotion": 3, "au": 2}, kind, io_type)
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    delegates = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]
    foretold = outlooks(read_model(data).graphs[0])[0]
    assert foretold.delegate == "XNNPACK" and foretold.partitions == len(delegates)
