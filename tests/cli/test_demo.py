"""``fermobile demo``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_help_says_what_comes_out(fermobile: Command) -> None:
    result = fermobile("demo", "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout
    assert "report" in result.stdout


def test_a_folder_that_is_taken_is_refused_before_any_work(fermobile: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = fermobile("demo", "--out", tmp_path)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_demo_goes_all_the_way(fermobile: Command, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = fermobile("demo", "--out", out, "--count", 600, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == (0 if told["met"] else 3), result.stderr
    assert [s["command"].split()[1] for s in told["steps"]] == [
        "data", "train", "quantize", "export", "verify", "predict",
    ]  # fmt: skip
    assert Path(told["model"]).exists()
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("<section") == 10
    assert ("All gates met" in html) == told["met"]
    assert len(list((out / "annotated").glob("*.png"))) == 6
