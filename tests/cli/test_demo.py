"""``fermobile demo``."""

from __future__ import annotations

import json
import shlex
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
@pytest.mark.timeout(1800)
def test_the_demo_keeps_its_promise_and_its_commands_repeat_it(fermobile: Command, tmp_path: Path) -> None:
    out = tmp_path / "the demo"
    result = fermobile("demo", "--out", out, "--json")
    assert result.exit_code == 0, result.stdout + result.stderr
    told = json.loads(result.stdout)
    assert told["met"] and all(gate["met"] for gate in told["gates"]), told["gates"]
    commands = [shlex.split(step["command"])[1:] for step in told["steps"]]
    assert [words[0] for words in commands] == ["data", "train", "quantize", "export", "verify", "predict"]
    model = Path(told["model"]).read_bytes()
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("<section") == 10
    assert "All gates met" in html
    assert len(list((out / "annotated").glob("*.png"))) == 6
    for words in commands[3:]:  # training is repeated by its own tests
        again = fermobile(*words)
        assert again.exit_code == 0, again.stderr
    assert Path(told["model"]).read_bytes() == model
