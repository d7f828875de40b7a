"""A float run quantized by calibration: its file's decisions fit the file's own scores, as seen on val alone.

The network says AU4 from an image's red and AU12 from its blue.  No train image is as bright in red as the val faces
that show AU4, so the int8 file clips their scores below the threshold that was right in float; blue is as in train.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("mediapipe")

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.evaluation.metrics import au_metrics, best_thresholds
from fermobile.export.convert import export_run
from fermobile.inference.session import Session
from fermobile.models.keras import keras
from fermobile.training import runs
from fermobile.training.scoring import calibrated, predict_rows

from .conftest import FakeRun

UNITS = ("AU4", "AU12")


def network() -> keras.Model:
    """Scores of normalised images (N, 32, 32, 3): sigmoids that are .5 at a mean red or blue of 150."""
    image = keras.Input((32, 32, 3))
    dense = keras.layers.Dense(2)
    out = keras.layers.Activation("sigmoid", name="au")(dense(keras.layers.GlobalAveragePooling2D()(image)))
    middle = 150 / 127.5 - 1
    dense.set_weights([np.array([[6, 0], [0, 0], [0, 6]], np.float32), np.full(2, -6 * middle, np.float32)])
    return keras.Model(image, out)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Brightness 120 without a unit and 140 with it, but 220 with AU4 outside train; test says AU4 of the others."""
    folder = tmp_path_factory.mktemp("shifted") / "set"
    rng = np.random.default_rng(0)
    with write_dataset(folder, DatasetInfo("shifted", (), UNITS)) as writer:
        for i in range(200):
            split = "train" if i < 120 else ("val", "test")[i % 2]
            shown = rng.integers(0, 2, 2)
            image = rng.integers(-3, 4, (32, 32, 3)) + 120
            image[..., 0] += shown[0] * (20 if split == "train" else 100)
            image[..., 2] += shown[1] * 20
            said = 1 - shown[0] if split == "test" else shown[0]
            writer.add_array(image.astype(np.uint8), split=split, aus={"AU4": int(said), "AU12": int(shown[1])})
    return Dataset(folder)


@pytest.fixture(scope="module")
def float_run(shifted: Dataset) -> FakeRun:
    """Its thresholds are those that fit the float scores on val."""
    model, rows = network(), shifted.indices("val")
    contract = ModelContract("m", (), UNITS, InputSpec(32), provenance={"dataset": shifted.origin})
    contract = calibrated(contract, shifted, rows, predict_rows(model, shifted, rows, contract))
    return FakeRun(contract, model, info={"dataset": shifted.origin})


def test_thresholds_of_the_file_fit_its_own_scores_on_val(
    shifted: Dataset, float_run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.Run, "open", classmethod(lambda cls, folder: float_run))
    report = export_run(tmp_path / "run", tmp_path / "m.tflite", "int8", calibration=shifted)
    session, rows = Session.open(report.path), shifted.indices("val")
    assert session.contract == report.contract
    scores = session.predict([shifted.image(int(row)) for row in rows])["au"]
    labels = shifted.au_labels(UNITS)[rows]
    before, after = (
        au_metrics(scores, labels, UNITS, contract.thresholds) for contract in (float_run.contract, report.contract)
    )
    assert before.per_au["AU4"]["f1"] == 0 and before.per_au["AU12"]["f1"] == 1, "the old threshold misses AU4"
    assert after.mean_f1 == 1
    assert report.contract.thresholds == pytest.approx(best_thresholds(scores, labels, UNITS), abs=1e-4)
    assert report.contract.provenance["refitted_on"] == {"split": "val", "faces": 40}


def test_a_float_file_keeps_the_decisions_of_its_run(
    float_run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.Run, "open", classmethod(lambda cls, folder: float_run))
    report = export_run(tmp_path / "run", tmp_path / "m.tflite", "float")
    assert report.contract.thresholds == float_run.contract.thresholds
    assert "refitted_on" not in report.contract.provenance
