from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec, InputSpec, ModelContract
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.evaluation.drift import f1_changes, flip_matrix, one_hot, score_drift
from fermobile.evaluation.metrics import emotion_metrics
from fermobile.export.faults import Fault
from fermobile.export.gates import Gates
from fermobile.export.stages import select_faces
from fermobile.export.verify import Comparison, Measured, Stage, VerifyReport
from fermobile.inference.modelfile import ModelFile

EMOTIONS = ("neutral", "anger")
CONTRACT = ModelContract("m", EMOTIONS, (), InputSpec(16), CropSpec(0.35, 0.36))


@pytest.fixture
def data(tmp_path) -> Path:
    with write_dataset(tmp_path / "data", DatasetInfo("patterns", EMOTIONS)) as writer:
        for i in range(40):
            writer.add_array(np.full((16, 16), 90, np.uint8), split="test", emotion=EMOTIONS[i % 2])
    return tmp_path / "data"


def report(path: Path, data: Path, fault: Fault | None) -> VerifyReport:
    faces = select_faces(Dataset(data), "test", CONTRACT)
    labels = np.arange(40) % 2
    said = np.where(np.arange(40) < 4, 1 - labels, labels)
    before, after = (np.eye(2, dtype=np.float32)[s] * 0.8 + 0.1 for s in (labels, said))
    changes = f1_changes(one_hot(labels, 2), before > 0.5, after > 0.5, EMOTIONS, n=50)
    measured = [Measured(emotion_metrics(s, labels, EMOTIONS), None) for s in (before, after)]
    comparison = Comparison(measured[0], "f" * 64, {"emotion": changes}, flip_matrix(before, after))
    stages = (
        Stage("contract", "the run's contract", {}, True),
        Stage("file", "float .tflite", {"emotion": score_drift(before, after)}, fault is None),
    )
    content = path.read_bytes()
    file = ModelFile(path, content, hashlib.sha256(content).hexdigest(), CONTRACT)
    faults = () if fault is None else (fault,)
    return VerifyReport(file, faces, "test", Gates(), measured[1], stages, faults, ("beware",), comparison, ())


@pytest.fixture
def verified(monkeypatch, tmp_path, data):
    """Stands for the verification: the file passes, or has the fault put in the list."""
    path = tmp_path / "m.tflite"
    path.write_bytes(b"model")
    faults: list[Fault] = []
    monkeypatch.setattr(
        "fermobile.export.verify.verify", lambda file, *args: report(path, data, faults[0] if faults else None)
    )
    return path, faults


def test_a_good_file_is_told_about(fermobile, verified, data) -> None:
    path, _ = verified
    result = fermobile("verify", path, "--data", data)
    assert result.exit_code == 0
    for text in ("40 faces", "accuracy 0.9000", "float .tflite", "95 % interval", "Flips", "warning: beware", "passed"):
        assert text in result.stdout
    assert path.exists()


def test_json_carries_the_figures_at_the_top(fermobile, verified, data) -> None:
    path, _ = verified
    values = json.loads(fermobile("verify", path, "--data", data, "--json").stdout)
    assert values["accuracy"] == pytest.approx(0.9)
    assert values["confusion"] == [[18, 2], [2, 18]]
    assert (values["n"], values["passed"], values["diverges_at"]) == (40, True, None)
    assert values["sha256"] == hashlib.sha256(b"model").hexdigest()
    assert values["against"]["flips"] == [[18, 2], [2, 18]]
    assert values["against"]["accuracy"] == 1.0


def test_every_key_is_documented(fermobile, verified, data) -> None:
    path, _ = verified
    text = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text("utf-8")
    values = json.loads(fermobile("verify", path, "--data", data, "--json").stdout)
    for part in (values, values["dataset"], values["stages"][0], values["gate"], values["against"]):
        assert [key for key in part if f"`{key}`" not in text] == []


def test_alone_it_is_measured_but_proves_nothing(fermobile, verified, data, monkeypatch) -> None:
    path, _ = verified
    alone = dataclasses.replace(report(path, data, None), comparison=None)
    monkeypatch.setattr("fermobile.export.verify.verify", lambda *_: alone)
    result = fermobile("verify", path, "--data", data)
    assert result.exit_code == 0
    assert "measured; no run to compare with" in result.stdout and "passed" not in result.stdout


@pytest.mark.parametrize("gate", ["--max-f1-drop", "--max-class-f1-drop"])
def test_a_gate_is_a_share(fermobile, verified, data, gate) -> None:
    result = fermobile("verify", verified[0], "--data", data, gate, "-0.1")
    assert result.exit_code == 2 and "0<=x<=1" in result.stderr


def test_a_missed_gate_exits_three_and_rejects_the_file(fermobile, verified, data) -> None:
    path, faults = verified
    faults.append(Fault("channels", "the file reads BGR", 0.5, 0.01))
    result = fermobile("verify", path, "--data", data, "--json")
    assert result.exit_code == 3
    assert "the file reads BGR" in result.stderr
    values = json.loads(result.stdout)
    assert (values["passed"], values["diverges_at"]) == (False, "file")
    assert values["rejected"] == f"{path}.rejected"
    assert not path.exists()
    assert path.with_name("m.tflite.rejected").read_bytes() == b"model"
    assert json.loads(path.with_name("m.tflite.rejected.json").read_text())["faults"][0]["kind"] == "channels"


def test_a_file_is_rejected_before_anything_is_shown(fermobile, verified, data, monkeypatch) -> None:
    path, faults = verified
    faults.append(Fault("channels", "the file reads BGR", 0.5, 0.01))

    def crash(report: VerifyReport) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("fermobile.cli.verify._show", crash)
    assert fermobile("verify", path, "--data", data).exit_code == 1
    assert not path.exists()


def test_what_looks_like_markup_is_printed_as_it_stands(fermobile, verified, data, monkeypatch) -> None:
    path, _ = verified
    path = path.rename(path.with_name("[red]m[b] :smile:.tflite"))
    fault = Fault("channels", "the file [/reads] BGR", 0.5, 0.01)
    monkeypatch.setattr("fermobile.export.verify.verify", lambda *_: report(path, data, fault))
    result = fermobile("verify", path, "--data", data)
    assert result.exit_code == 3
    assert "[red]m[b] :smile:.tflite" in result.stdout.replace("\n", "")
    assert "the file [/reads] BGR" in result.stdout


def test_faces_must_be_named(fermobile, tmp_path) -> None:
    result = fermobile("verify", tmp_path / "m.tflite")
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_a_missing_file_or_an_unknown_split_is_bad_usage(fermobile, tmp_path, data) -> None:
    assert fermobile("verify", tmp_path / "none.tflite", "--data", data).exit_code == 2
    result = fermobile("verify", tmp_path / "none.tflite", "--data", data, "--split", "tset")
    assert result.exit_code == 2
    assert "'train', 'val', 'test'" in result.stderr
