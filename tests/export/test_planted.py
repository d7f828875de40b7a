"""The usual mistakes, planted in a real network's int8 file, whose quantization noise could hide them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("mediapipe")

from fermobile.data.manifest import Dataset
from fermobile.data.synthetic import write_synthetic
from fermobile.export.calibration_set import draw_calibration_set
from fermobile.export.convert import convert
from fermobile.export.verify import VerifyReport, verify
from fermobile.training.recipe import load_recipe
from fermobile.training.runs import Run
from fermobile.training.transfer import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Both heads on MobileNet-v1 at alpha 0.25."""
    folder = tmp_path_factory.mktemp("planted")
    dataset = Dataset(write_synthetic(folder / "data", count=1000, seed=0, workers=1))
    recipe = load_recipe("demo").override(**{"head.epochs": 15, "tune.epochs": 2})
    return train(recipe, dataset, folder / "run")


@pytest.fixture
def verified(run: Run, tmp_path: Path) -> Callable[[Any], VerifyReport]:
    """The report on a network's int8 file, ranges from calibration, against the run."""
    dataset = Dataset(run.info["dataset"]["path"])

    def check(model: Any) -> VerifyReport:
        path = tmp_path / "m.tflite"
        calibration = draw_calibration_set(dataset, run.contract, 100)
        path.write_bytes(convert(model, run.contract, "int8", calibration=calibration)[0])
        kept = np.cumsum(np.isin(dataset.emotion, ("disgust", "contempt")) & (dataset.split == "test"))
        rare = np.isin(dataset.emotion, ("disgust", "contempt")) & (dataset.split == "test") & (kept > 12)
        dataset.split[rare] = "val"  # a dozen faces of the two are left
        return verify(path, dataset, against=run)

    return check


def exchange(model: Any, layer: str, a: int, b: int) -> Any:
    """Exchange two outputs of a dense layer."""
    kernel, bias = model.get_layer(layer).get_weights()
    order = np.arange(len(bias))
    order[[a, b]] = b, a
    model.get_layer(layer).set_weights([kernel[:, order], bias[order]])
    return model


def test_a_healthy_file_has_no_fault(run: Run, verified: Callable[[Any], VerifyReport]) -> None:
    report = verified(run.load_model())
    assert report.faults == () and report.diverges_at is None


def test_bgr_is_named(run: Run, verified: Callable[[Any], VerifyReport]) -> None:
    model = run.load_model()
    (kernel,) = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([kernel[:, :, ::-1]])
    assert [fault.kind for fault in verified(model).faults] == ["channels"]


@pytest.mark.parametrize("zoom", [0.9, 1.2])
def test_another_crop_is_named(run: Run, verified: Callable[[Any], VerifyReport], zoom: float) -> None:
    from fermobile.models.keras import keras

    layers, size = keras.layers, run.contract.input.size
    side = round(size / zoom)
    frame = layers.CenterCrop(side, side) if zoom > 1 else layers.ZeroPadding2D((side - size) // 2)
    image = keras.Input((size, size, 3))
    report = verified(keras.Model(image, run.load_model()(layers.Resizing(size, size)(frame(image)))))
    (fault,) = report.faults
    assert fault.kind == "crop" and ("tighter" if zoom > 1 else "wider") in fault.text


def test_one_swap_of_action_units_is_named(run: Run, verified: Callable[[Any], VerifyReport]) -> None:
    units = run.contract.action_units
    (fault,) = verified(exchange(run.load_model(), "au_logits", units.index("AU4"), units.index("AU9"))).faults
    assert fault.kind == "labels"
    assert fault.text.count("what it calls") == 2 and "what it calls AU9 is AU4" in fault.text


def test_a_swap_of_rare_classes_is_named(run: Run, verified: Callable[[Any], VerifyReport]) -> None:
    names = run.contract.emotions
    model = exchange(run.load_model(), "emotion_logits", names.index("disgust"), names.index("contempt"))
    (fault,) = verified(model).faults
    assert fault.kind == "labels"
    assert fault.text.count("what it calls") == 2 and "what it calls contempt is disgust" in fault.text
