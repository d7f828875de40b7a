"""``fermobile inspect``: for people, for scripts, and for files that are not ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models_util
import pytest

from fermobile.contract import ModelContract
from fermobile.inference.session import DEFAULT_MODEL

Command = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(models_util.tiny_file())
    return path


def test_json_holds_the_whole_contract(fermobile: Command, model: Path) -> None:
    result = fermobile("inspect", model, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert ModelContract.from_json(json.dumps(report["contract"])) == models_util.contract()
    assert report["kind"] == "int8" and len(report["sha256"]) == 64
    assert [o["delegate"] for o in report["outlooks"]] == ["XNNPACK", "GPU", "NNAPI"]


def test_without_a_file_the_shipped_model_is_inspected(fermobile: Command) -> None:
    report = json.loads(fermobile("inspect", "--json").stdout)
    assert report["sha256"] == hashlib.sha256(DEFAULT_MODEL.read_bytes()).hexdigest()


def test_people_see_every_part_within_80_columns(fermobile: Command, model: Path) -> None:
    result = fermobile("inspect", model)
    assert (result.exit_code, result.stderr) == (0, "")
    for text in ("int8", "neutral, happiness, surprise", "AU1 >= 0.40", "CONV_2D", "per channel", "XNNPACK", "NNAPI"):
        assert text in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()[1:]) <= 80


def test_what_looks_like_markup_is_printed_as_it_stands(fermobile: Command, model: Path) -> None:
    path = model.rename(model.with_name("[red]m[b] :smile:.tflite"))
    path.write_bytes(models_util.tiny_file(name="[blue]n[/x]", provenance={"dataset": "[/] :dog:"}))
    result = fermobile("inspect", path)
    assert (result.exit_code, result.stderr) == (0, "")
    for text in ("[red]m[b] :smile:.tflite", "[blue]n[/x]", "[/] :dog:"):
        assert text in result.stdout


def test_a_file_without_a_contract_is_shown_and_refused(fermobile: Command, tmp_path: Path) -> None:
    path = tmp_path / "bare.tflite"
    path.write_bytes(models_util.tiny_model(32, {"emotion": 3}))
    result = fermobile("inspect", path)
    assert result.exit_code == 2 and "CONV_2D" in result.stdout
    assert "has no fermobile contract" in result.stderr
    assert json.loads(fermobile("inspect", path, "--json").stdout)["contract"] is None


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 999])
def test_what_is_no_model_is_refused(fermobile: Command, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.tflite"
    path.write_bytes(content)
    result = fermobile("inspect", path)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"error: {path} is not a usable .tflite: ")
