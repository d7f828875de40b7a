"""Every mistake is planted in a file and must be found and named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import models_util
import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("mediapipe")

from fermobile.contract import CropSpec
from fermobile.data.manifest import DatasetInfo, write_dataset
from fermobile.errors import ContractError, DatasetError, InputError, RuntimeFailure
from fermobile.export import verify as verify_module
from fermobile.export.convert import to_tflite
from fermobile.export.embed import embed
from fermobile.export.verify import reject, verify
from fermobile.export.verify_report import to_dict

from .conftest import EMOTIONS


@pytest.fixture(autouse=True)
def _convert_once(monkeypatch, conversions) -> None:
    """The same network is converted once for all tests."""

    def cached(model, contract, kind, io, calibration):
        key = (id(model), kind)
        if key not in conversions:
            conversions[key] = to_tflite(model, contract, kind, io, calibration)
        return conversions[key]

    monkeypatch.setattr(verify_module, "to_tflite", cached)


@pytest.fixture(scope="module")
def conversions() -> dict:
    return {}


@pytest.fixture
def good(tmp_path, int8_file) -> Path:
    path = tmp_path / "good.tflite"
    path.write_bytes(int8_file[0])
    return path


@pytest.fixture
def with_contract(tmp_path, int8_file):
    """The good network under a contract that says something else."""

    def write(**changes: object) -> Path:
        path = tmp_path / "planted.tflite"
        path.write_bytes(embed(int8_file[0], int8_file[1].replace(**changes)))
        return path

    return write


def behind(run, transform):
    """The run as if its network saw its input through ``transform``: the file then differs by the inverse."""
    from fermobile.models.keras import keras

    image = keras.Input((32, 32, 3))
    return dataclasses.replace(run, model=keras.Model(image, run.model(transform(image))))


def kinds(report) -> list[str]:
    return [fault.kind for fault in report.faults]


def test_a_good_file_passes_every_stage(good, run, colour) -> None:
    report = verify(good, colour, against=run)
    assert report.passed, report.reasons()
    assert [stage.name for stage in report.stages] == ["contract", "float .tflite", "file", "session"]
    assert report.measured.emotion.accuracy > 0.95
    assert report.comparison.flips.sum() == 160
    assert report.stages[-1].drift["emotion"].max_abs < 1e-6


def test_alone_it_is_measured(good, colour) -> None:
    report = verify(good, colour)
    assert report.passed
    assert [stage.name for stage in report.stages] == ["session"]
    assert report.comparison is None
    values = json.loads(json.dumps(to_dict(report)))
    for key in ("accuracy", "macro_f1", "weighted_f1", "mean_recall", "ece", "per_class", "confusion", "n", "sha256"):
        assert values[key], key
    assert set(values["aus"]["per_au"]) == {"AU6", "AU12", "AU25"}


@pytest.mark.parametrize("images", ["colour", "grey"])
def test_swapped_channels_are_named_even_on_grey_images(good, run, images, request) -> None:
    report = verify(good, request.getfixturevalue(images), against=behind(run, lambda x: x[..., ::-1]))
    assert kinds(report) == ["channels"]
    assert "BGR" in report.faults[0].text
    assert report.diverges_at == "file"
    assert not report.passed


def test_another_range_of_pixels_is_named(good, run, colour) -> None:
    # the run's network takes [-1, 1] -> the file's is fed as if [0, 1] had been meant
    report = verify(good, colour, against=behind(run, lambda x: 2 * x - 1))
    assert kinds(report) == ["range"]
    assert "[0, 1]" in report.faults[0].text


def test_a_contract_that_its_own_file_contradicts_is_refused(with_contract, run, colour) -> None:
    path = with_contract(input=dataclasses.replace(run.contract.input, mean=0.0, std=255.0))
    with pytest.raises(ContractError, match=r"takes pixel 0 for -0\.99.*mean 0 and std 255 say 0\.0"):
        verify(path, colour, against=run)
    with pytest.raises(ContractError, match=r"says an input of \(1, 48, 48, 3\)"):
        verify(with_contract(input=dataclasses.replace(run.contract.input, size=48)), colour)


def test_a_file_that_crashes_the_interpreter_is_an_error(tmp_path, colour) -> None:
    path = tmp_path / "crash.tflite"
    path.write_bytes(models_util.with_contract(models_util.crashing_model(), models_util.contract()))
    with pytest.raises((RuntimeFailure, ContractError)):  # an interpreter that survives it has another input
        verify(path, colour)


def test_permuted_labels_are_named(with_contract, run, colour) -> None:
    path = with_contract(emotions=("happiness", "surprise", "neutral", "sadness"))
    report = verify(path, colour, against=run)
    assert kinds(report) == ["labels"]
    assert "what it calls happiness is neutral" in report.faults[0].text
    assert report.diverges_at == "contract"
    alone = verify(path, colour)
    assert kinds(alone) == ["labels"]
    assert "what it calls happiness is neutral" in alone.faults[0].text


def test_permuted_action_units_are_named(with_contract, run, colour) -> None:
    report = verify(with_contract(action_units=("AU12", "AU6", "AU25")), colour, against=run)
    assert kinds(report) == ["labels"]
    assert "what it calls AU12 is AU6" in report.faults[0].text


def test_permuted_action_units_inside_the_file_are_named(good, run, colour) -> None:
    from fermobile.models.keras import keras

    emotion, au = run.model.output
    swapped = keras.layers.Lambda(lambda x: x[:, ::-1])(au)
    report = verify(
        good, colour, against=dataclasses.replace(run, model=keras.Model(run.model.input, [emotion, swapped]))
    )
    assert kinds(report) == ["labels"]
    assert "what it calls AU6 is AU25" in report.faults[0].text and "AU12" not in report.faults[0].text
    assert report.diverges_at == "file"


def test_another_crop_margin_is_named(good, run, smooth) -> None:
    from fermobile.models.keras import keras

    tight = behind(run, lambda x: keras.layers.Resizing(32, 32)(keras.layers.CenterCrop(26, 26)(x)))
    report = verify(good, smooth, against=tight)
    assert kinds(report) == ["crop"]
    assert "wider" in report.faults[0].text


def test_a_named_mistake_comes_before_labels_that_look_permuted(good, run, smooth, monkeypatch) -> None:
    from fermobile.models.keras import keras

    order = dict(zip(EMOTIONS, reversed(EMOTIONS), strict=True))
    monkeypatch.setattr(smooth, "emotion", np.array([order[name] for name in smooth.emotion], object))
    assert kinds(verify(good, smooth, against=run)) == ["labels"]
    tight = behind(run, lambda x: keras.layers.Resizing(32, 32)(keras.layers.CenterCrop(26, 26)(x)))
    assert kinds(verify(good, smooth, against=tight)) == ["crop"], "it moves answers to other labels, too"


def test_the_crop_in_the_contract_is_held_against_run_and_dataset(with_contract, run, colour, monkeypatch) -> None:
    path = with_contract(crop=CropSpec(0.45, 0.36))
    report = verify(path, colour, against=run)
    assert kinds(report) == ["crop"]
    assert "0.450 of the side apart" in report.faults[0].text
    monkeypatch.setattr(colour, "info", dataclasses.replace(colour.info, crop=CropSpec(0.35, 0.36)))
    alone = verify(path, colour)
    assert alone.passed, "the dataset may be the one that is wrong"
    assert "another crop margin" in alone.warnings[0]


def test_other_labels_cannot_be_compared(good, run, colour) -> None:
    other = dataclasses.replace(run, contract=run.contract.replace(emotions=("neutral", "happiness", "fear", "anger")))
    with pytest.raises(InputError, match="cannot be compared: emotion labels"):
        verify(good, colour, against=other)


def test_a_lost_crop_is_named(with_contract, run, colour) -> None:
    report = verify(with_contract(crop=None), colour, against=run)
    assert kinds(report) == ["crop"]
    assert "lost the crop geometry" in report.faults[0].text


def test_a_quantized_run_is_no_reference(good, run, colour) -> None:
    quantized = dataclasses.replace(run, quantized=True, info={"parent": "ab" * 32, "parent_path": "runs/float"})
    with pytest.raises(
        InputError, match="is quantized itself; compare with the float run it was made from: runs/float"
    ):
        verify(good, colour, against=quantized)


def test_a_rejected_file_is_renamed_with_its_report(with_contract, run, colour) -> None:
    path = with_contract(crop=CropSpec(0.45, 0.36))
    rejected = reject(verify(path, colour, against=run, limit=40))
    assert not path.exists()
    assert rejected.name == "planted.tflite.rejected"
    report = json.loads(rejected.with_name("planted.tflite.rejected.json").read_text())
    assert report["rejected"] == str(rejected)
    assert report["passed"] is False
    assert report["faults"][0]["kind"] == "crop"


def test_only_what_fermobile_rejected_is_replaced(with_contract, run, colour) -> None:
    report = verify(with_contract(crop=CropSpec(0.45, 0.36)), colour, against=run, limit=40)
    taken = report.file.path.with_name("planted.tflite.rejected")
    taken.write_text("mine")
    with pytest.raises(InputError, match="is not a file that fermobile rejected"):
        reject(report)
    assert report.file.path.exists() and taken.read_text() == "mine"
    taken.unlink()
    reject(report)
    taken.replace(report.file.path)
    assert reject(report) == taken


def test_a_limit_is_spread_over_the_split(good, colour) -> None:
    assert len(verify(good, colour, limit=30).faces) == 30


def test_a_split_without_the_models_labels_is_refused(good, tmp_path) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d", ("anger",))) as writer:
        writer.add_array(np.zeros((32, 32), np.uint8), split="test", emotion="anger")
    from fermobile.data.manifest import Dataset

    with pytest.raises(DatasetError, match="no row with a label of the model"):
        verify(good, Dataset(tmp_path / "d"))


def test_unreadable_images_are_left_out_up_to_a_share(good, tmp_path) -> None:
    import cv2

    from fermobile.data.manifest import Dataset

    png = cv2.imencode(".png", np.full((32, 32, 3), 90, np.uint8))[1].tobytes()
    with write_dataset(tmp_path / "d", DatasetInfo("d", ("neutral",))) as writer:
        for i in range(40):
            writer.add_file(f"{i}.png", png, split="test", emotion="neutral")
    (tmp_path / "d/images/3.png").write_bytes(b"no image")
    report = verify(good, Dataset(tmp_path / "d"))
    assert (len(report.faces), report.faces.unreadable) == (39, 1)
    assert "1 unreadable images were left out" in report.warnings
    for i in range(3):
        (tmp_path / f"d/images/{i}.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="4 of 40 images"):
        verify(good, Dataset(tmp_path / "d"))


def test_a_file_without_a_contract_is_refused(tmp_path, run, contract, conversions, colour, model) -> None:
    path = tmp_path / "bare.tflite"
    path.write_bytes(verify_module.to_tflite(model, contract, "float", "float32", None))
    with pytest.raises(ContractError, match="has no fermobile contract"):
        verify(path, colour)
