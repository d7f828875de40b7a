"""A .tflite from outside: what is wrong with it is said, and nothing else happens."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import flatbuffers
import models_util
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fermobile.contract import CONTRACT_FILE
from fermobile.errors import ContractError, ModelFileError
from fermobile.inference.graph import read_model
from fermobile.inference.modelfile import check_tflite, load_model_file, read_contract
from fermobile.inference.session import DEFAULT_MODEL

FLAT = models_util.tiny_model(32, {"emotion": 3, "au": 2})
FILE = models_util.tiny_file()


def other_flatbuffer() -> bytes:
    builder = flatbuffers.Builder(64)
    builder.StartObject(1)
    builder.PrependInt32Slot(0, 7, 0)
    builder.Finish(builder.EndObject(), b"ABCD")
    return bytes(builder.Output())


def patched(data: bytes, at: int, code: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<" + code, changed, at, value)
    return bytes(changed)


@pytest.mark.parametrize(
    "kind,io_type", [("int8", "uint8"), ("int8", "int8"), ("int8", "float32"), ("float", "float32")]
)
def test_a_good_file_passes_with_and_without_an_archive_behind_it(kind: str, io_type: str) -> None:
    heads = {"emotion": 3, "au": 2}
    check_tflite(models_util.tiny_model(32, heads, kind, io_type))
    check_tflite(models_util.tiny_file(kind, io_type))


def test_the_graph_is_read_as_it_was_built() -> None:
    graph = read_model(FLAT).graphs[0]
    source = graph.tensors[graph.inputs[0]]
    assert (source.name, source.shape, source.dtype) == ("image", (1, 32, 32, 3), "uint8")
    assert source.zero_points.tolist() == [128]
    kernel = next(t for t in graph.tensors if t.name == "conv_kernel")
    assert kernel.per_channel and kernel.data is not None and len(kernel.data) == kernel.size == 8 * 27
    assert [graph.tensors[t].name for t in graph.outputs] == ["emotion_out", "au_out"]
    assert len(graph.operators) == 9


@pytest.mark.parametrize(
    "data,message",
    [
        (b"", "empty"),
        (b"abc", "only 3 bytes"),
        (b"not a model at all, only a text file\n" * 20, "not b'TFL3'"),
        (bytes(range(256)) * 8, "not b'TFL3'"),
        (other_flatbuffer(), "b'ABCD' and not b'TFL3'"),
        (FLAT[:1000], "the file has 1000"),
        (FLAT[:-50], "truncated or damaged"),
        (patched(FLAT, 0, "I", 2**31), "model: its table takes bytes 2147483648"),
        (patched(FLAT, struct.unpack_from("<I", FLAT)[0], "i", 2**30), "vtable"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        check_tflite(data)


def build(**changes: object) -> bytes:
    """x -> RELU -> y, with something wrong."""
    import numpy as np

    b = models_util.GraphBuilder()
    x = b.tensor("x", (1, 4), "int8", scale=0.1)
    weights = np.zeros(3 if "short" in changes else 4, np.int8)
    b.tensor("w", (4,), "int8", weights, scale=changes.get("scale", 0.1), zero_point=int(changes.get("zero", 0)))  # type: ignore[call-overload]
    y = b.tensor("y", tuple(changes.get("shape", (1, 4))), "int8", scale=0.1)  # type: ignore[arg-type]
    b.op(models_util.OP.RELU, 2, [int(changes.get("input", x))], [int(changes.get("output", y))])  # type: ignore[call-overload]
    if "buffer" in changes:
        b.graph.tensors[1].buffer = 99
    return b.pack([x], [y])


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"short": True}, r"tensor 1 \(w\): shape \[4\] of int8 takes 4 bytes, its buffer has 3"),
        ({"input": 17}, r"operator 0: it names tensor \[17\], but there are 3"),
        ({"output": -1}, r"operator 0: it names tensor \[-1\]"),
        ({"buffer": 99}, "it names buffer 99, but there are 2"),
        ({"scale": float("nan")}, "scale is not a positive number"),
        ({"scale": [0.1, 0.2, 0.3]}, "3 scales along dimension 0"),
        ({"zero": 300}, r"zero point is not in -128\.\.127"),
        ({"shape": (1, -4)}, "negative size"),
        ({"shape": (2**20, 2**20)}, "1024.0 GiB"),
    ],
)
def test_contradictions_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        check_tflite(build(**changes))


def test_other_schema_versions_are_refused() -> None:
    root = struct.unpack_from("<I", FLAT)[0]
    vtable = root - struct.unpack_from("<i", FLAT, root)[0]
    version = root + struct.unpack_from("<H", FLAT, vtable + 4)[0]
    with pytest.raises(ModelFileError, match="schema version 4"):
        check_tflite(patched(FLAT, version, "I", 4))


def passes_or_model_file_error(data: bytes) -> None:
    try:
        check_tflite(data)
    except ModelFileError as error:
        assert str(error)


@settings(max_examples=120)
@given(st.integers(0, len(FLAT) - 1))
def test_fuzz_truncation_is_always_refused(length: int) -> None:
    with pytest.raises(ModelFileError):
        check_tflite(FLAT[:length])


@settings(max_examples=250)
@given(st.lists(st.tuples(st.integers(0, len(FLAT) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@example([(4, 0)])
def test_fuzz_changed_bytes_pass_or_are_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FLAT)
    for position, value in changes:
        data[position] = value
    passes_or_model_file_error(bytes(data))


@settings(max_examples=100)
@given(st.integers(0, len(FLAT) // 4 - 1), st.sampled_from([0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1]))
def test_fuzz_changed_offsets_pass_or_are_refused(word: int, value: int) -> None:
    passes_or_model_file_error(patched(FLAT, 4 * word, "I", value))


@given(st.binary(max_size=400))
def test_fuzz_random_bytes_behind_the_identifier(tail: bytes) -> None:
    passes_or_model_file_error(struct.pack("<I", 8) + b"TFL3" + tail)


def test_the_contract_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(FILE)
    assert read_contract(FILE) == read_contract(path) == load_model_file(path).contract == models_util.contract()


def test_a_file_without_a_contract_says_who_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "bare.tflite"
    path.write_bytes(FLAT)
    with pytest.raises(ContractError, match=r"bare\.tflite has no fermobile contract .*fermobile export writes it"):
        load_model_file(path)


def archive(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return FLAT + stream.getvalue()


@pytest.mark.parametrize(
    "data,message",
    [
        (archive("labels.txt", b"happy"), "holds no contract.json"),
        (archive(CONTRACT_FILE, b"{"), "not valid JSON"),
        (archive(CONTRACT_FILE, b'{"schema_version": 99}'), "schema version 99"),
        (archive(CONTRACT_FILE, b" " * 2**21), "claims 2097152 bytes"),
        (FILE[:-10], "is cut off: the end of the archive"),
        (FILE[: len(FLAT) + 60], "is cut off: the end of the archive"),
    ],
)
def test_a_contract_that_cannot_be_read_says_why(data: bytes, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        read_contract(data)


@given(st.integers(0, len(FILE) - len(FLAT) - 1), st.integers(0, 255))
@settings(max_examples=100)
def test_fuzz_a_damaged_archive_is_a_contract_error(offset: int, value: int) -> None:
    data = bytearray(FILE)
    data[len(FLAT) + offset] = value
    try:
        read_contract(bytes(data))
    except ContractError as error:
        assert str(error)


@pytest.mark.parametrize("share", [0, 0.2, 0.9])
def test_an_exported_file_says_that_it_is_cut_wherever_it_is_cut(share: float) -> None:
    data = DEFAULT_MODEL.read_bytes()
    archive = data.index(b"PK\x03\x04")
    with pytest.raises(ContractError, match="is cut off"):
        read_contract(data[: archive + round(share * (len(data) - archive))])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no\.tflite: No such file"):
        load_model_file(tmp_path / "no.tflite")
