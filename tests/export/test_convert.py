from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("mediapipe")

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.images import normalise
from fermobile.errors import InputError, ModelFileError, OutputExistsError, RunError
from fermobile.export import convert as convert_module
from fermobile.export.convert import convert, export_run
from fermobile.export.embed import embed
from fermobile.export.leftovers import float_leftovers, input_byte_error
from fermobile.face.mediapipe_import import import_mediapipe
from fermobile.inference.graph import read_model
from fermobile.inference.modelfile import load_model_file, read_contract
from fermobile.inference.runtimes import RUNTIMES, available_runtimes, open_runtime
from fermobile.inference.session import Session


@pytest.fixture(scope="session")
def float_file(model, contract) -> tuple[bytes, ModelContract]:
    return convert(model, contract, "float")


def scores_of(model, contract, images) -> dict[str, np.ndarray]:
    return dict(zip(contract.heads, model.predict_on_batch(normalise(images, contract.input)), strict=True))


def test_the_int8_file_answers_as_the_network_does(tmp_path, model, contract, int8_file, patterns) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(int8_file[0])
    expected, found = scores_of(model, contract, patterns), Session.open(path).predict(patterns)
    for head in contract.heads:
        assert np.abs(expected[head] - found[head]).max() < 0.05


def test_one_static_image_goes_in_and_named_heads_come_out(int8_file) -> None:
    data, contract = int8_file
    graph = read_model(data).graphs[0]
    assert [(graph.tensors[t].name, graph.tensors[t].shape) for t in graph.inputs] == [("image", (1, 32, 32, 3))]
    assert tuple(graph.tensors[t].name for t in graph.outputs) == contract.outputs
    assert [graph.tensors[t].shape[1] for t in graph.outputs] == [len(contract.labels(h)) for h in contract.outputs]


def test_a_uint8_pixel_is_the_input_byte(int8_file) -> None:
    data, contract = int8_file
    assert float_leftovers(data, float_io=False) == []
    assert input_byte_error(data, contract.input) <= 1.0
    assert input_byte_error(data, InputSpec(32, mean=0.0, std=255.0)) > 100


def test_weights_lie_at_multiples_of_sixteen_bytes(int8_file) -> None:
    data = int8_file[0]
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for tensor in read_model(data).graphs[0].tensors:
        if tensor.data is not None:
            at = np.frombuffer(tensor.data, np.uint8).__array_interface__["data"][0]
            assert (at - start) % 16 == 0, tensor.name


def test_the_archive_carries_contract_and_labels_without_a_time(int8_file) -> None:
    data, contract = int8_file
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read("emotion_labels.txt").decode().split() == list(contract.emotions)
        assert archive.read("au_labels.txt").decode().split() == list(contract.action_units)
    assert read_contract(data) == contract
    export = contract.provenance["export"]
    assert (export["kind"], export["io"]) == ("int8", "uint8")
    assert export["versions"]["tensorflow"]
    assert contract.provenance["calibration_set"]["sha256"] == "hash"


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_loads_every_file(name, int8_file, float_file, contract) -> None:
    if available_runtimes()[name]:
        pytest.skip(str(available_runtimes()[name]))
    for data, dtype in ((int8_file[0], np.uint8), (float_file[0], np.float32)):
        runtime = open_runtime(data, name)
        assert len(runtime.invoke(np.zeros((1, 32, 32, 3), dtype))) == 2


def test_mediapipe_classifies_with_the_file(tmp_path, int8_file, model, contract, patterns) -> None:
    mp = import_mediapipe()
    path = tmp_path / "m.tflite"
    path.write_bytes(int8_file[0])
    vision = mp.tasks.vision
    options = vision.ImageClassifierOptions(base_options=mp.tasks.BaseOptions(model_asset_path=str(path)))
    expected = scores_of(model, contract, patterns)["emotion"].argmax(axis=1)
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for image, truth in zip(patterns[:8], expected, strict=False):
            result = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)))
            heads = {c.head_name: c.categories[0].category_name for c in result.classifications}
            assert heads["emotion"] == contract.emotions[truth]
            assert heads["au"] in contract.action_units


def test_a_float_op_in_an_int8_file_is_named(float_file, contract) -> None:
    raw = float_file[0]
    assert any(left.startswith("CONV_2D -> ") for left in float_leftovers(raw, float_io=True))
    with pytest.raises(ModelFileError, match="float operations are left in the int8 file: CONV_2D -> "):
        convert_module._check_int8(raw, contract, "float32")


def test_a_calibration_that_never_saw_black_or_white_is_refused(int8_file, contract) -> None:
    data, _ = int8_file
    with pytest.raises(ModelFileError, match="never reached black or white"):
        convert_module._check_int8(data, contract.replace(input=InputSpec(32, mean=100.0, std=127.5)), "uint8")


def test_embedding_again_replaces_what_was_there(int8_file) -> None:
    data, contract = int8_file
    assert embed(data, contract) == data


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        ("int4", {}, "unknown kind 'int4'; choose from: int8, fp16"),
        ("int8", {"io": "int16"}, "unknown io type 'int16'; choose from: uint8"),
        ("fp16", {"quantized": True}, "exported as int8"),
        ("float", {"quantized": True}, "export the float run as float"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(kind, options, why, contract) -> None:
    with pytest.raises(InputError, match=why):
        convert(None, contract, kind, **options)


@pytest.fixture
def opened(monkeypatch, run):
    """``Run.open`` gives the tiny run, whatever the folder."""
    from fermobile.training import runs

    monkeypatch.setattr(runs.Run, "open", classmethod(lambda cls, folder: run))
    return run


def test_an_existing_file_is_kept(tmp_path, opened) -> None:
    out = tmp_path / "m.tflite"
    out.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        export_run(tmp_path, out, "float")
    assert out.read_bytes() == b"mine"


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        export_run(tmp_path, tmp_path / "m.tflite", "float")
    (tmp_path / "run.json").write_text(json.dumps({"run_version": 99}))
    with pytest.raises(RunError, match="run version 99"):
        export_run(tmp_path, tmp_path / "m.tflite", "float")


def test_another_dataset_may_not_calibrate(tmp_path, opened, colour, monkeypatch) -> None:
    monkeypatch.setattr(opened, "info", {"dataset": {"sha256": "another"}})
    with pytest.raises(InputError, match="trained on another dataset"):
        export_run(tmp_path, tmp_path / "m.tflite", "int8", calibration=colour)


def test_a_full_disk_leaves_nothing_behind(tmp_path, opened, monkeypatch, float_file) -> None:
    monkeypatch.setattr(convert_module, "convert", lambda *args, **kwargs: float_file)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export_run(tmp_path, tmp_path / "m.tflite", "float")
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_about_the_file_written(tmp_path, opened, monkeypatch, float_file) -> None:
    monkeypatch.setattr(convert_module, "convert", lambda *args, **kwargs: float_file)
    report = export_run(tmp_path, tmp_path / "m.tflite", "float")
    assert load_model_file(report.path).sha256 == report.sha256
    assert (report.size, report.io, report.quantized_by) == (report.path.stat().st_size, "float32", "")


_AGAIN = """
import sys, hashlib
sys.path.insert(0, sys.argv[1])
from fermobile.models.keras import keras
import conftest
from fermobile.contract import InputSpec, ModelContract
from fermobile.export.convert import convert
keras.utils.set_random_seed(0)
image = keras.Input((32, 32, 3))
x = keras.layers.ReLU()(keras.layers.Conv2D(4, 3, strides=2)(image))
out = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
contract = ModelContract("m", ("neutral", "anger"), (), InputSpec(32))
for kind in ("float", "fp16", "dynamic-int8"):
    print(hashlib.sha256(convert(keras.Model(image, out), contract, kind)[0]).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes() -> None:
    command = [sys.executable, "-c", _AGAIN, str(Path(__file__).parent)]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second
    assert len(first.split()) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "io"), [("fp16", "float32"), ("dynamic-int8", "float32"), ("int8", "int8"), ("int8", "float32")]
)
def test_every_kind_answers_alike_in_every_runtime(tmp_path, kind, io, model, contract, calibration, patterns) -> None:
    data, written = convert(model, contract, kind, io, calibration=calibration if kind == "int8" else None)
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    expected = scores_of(model, contract, patterns)
    for name, reason in available_runtimes().items():
        if reason is None:
            found = Session.open(path, name).predict(patterns)
            for head in written.heads:
                assert np.abs(expected[head] - found[head]).max() < 0.08, (name, head)
