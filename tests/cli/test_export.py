from __future__ import annotations

import json

import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.export.convert import ExportReport


@pytest.fixture
def exported(monkeypatch):
    """Stands for the conversion; keeps what it was called with."""
    calls = []

    def export_run(run, out, kind, io="uint8", calibration=None, force=False):
        calls.append((run, out, kind, io, calibration, force))
        contract = ModelContract("m", ("neutral", "anger"), (), InputSpec(96), outputs=("emotion",))
        return ExportReport(out, "ab" * 32, 1_500_000, kind, io, "training", contract)

    monkeypatch.setattr("fermobile.export.convert.export_run", export_run)
    return calls


def test_int8_takes_and_gives_uint8_unless_told(fermobile, exported, tmp_path) -> None:
    result = fermobile("export", "runs/x", "--int8", "-o", tmp_path / "m.tflite")
    assert result.exit_code == 0
    assert "int8, ranges from training, uint8 in and out, 1.50 MB" in result.stdout
    assert exported[0][2:] == ("int8", "uint8", None, False)
    fermobile("export", "runs/x", "--int8", "--io", "float32", "--force", "-o", tmp_path / "m.tflite")
    assert exported[1][2:] == ("int8", "float32", None, True)


def test_json_carries_the_hash(fermobile, exported, tmp_path) -> None:
    result = fermobile("export", "runs/x", "--dynamic-int8", "-o", tmp_path / "m.tflite", "--json")
    values = json.loads(result.stdout)
    assert (values["kind"], values["sha256"], values["outputs"]) == ("dynamic-int8", "ab" * 32, ["emotion"])


@pytest.mark.parametrize("flags", [[], ["--int8", "--fp16"]])
def test_exactly_one_kind_is_needed_and_the_choices_are_listed(fermobile, exported, tmp_path, flags) -> None:
    result = fermobile("export", "runs/x", *flags, "-o", tmp_path / "m.tflite")
    assert result.exit_code == 2
    assert "choose one of: --int8, --fp16, --dynamic-int8, --float" in result.stderr
    assert exported == []


def test_io_is_for_int8_only(fermobile, exported, tmp_path) -> None:
    result = fermobile("export", "runs/x", "--fp16", "--io", "uint8", "-o", tmp_path / "m.tflite")
    assert result.exit_code == 2
    assert "--io is for --int8" in result.stderr


def test_an_existing_output_is_kept(fermobile, tmp_path) -> None:
    out = tmp_path / "m.tflite"
    out.write_bytes(b"mine")
    result = fermobile("export", "runs/x", "--int8", "-o", out)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert out.read_bytes() == b"mine"


def test_a_folder_that_is_no_run(fermobile, tmp_path) -> None:
    result = fermobile("export", tmp_path, "--int8", "-o", tmp_path / "m.tflite")
    assert result.exit_code == 2
    assert "is not a run folder" in result.stderr
    assert not (tmp_path / "m.tflite").exists()
