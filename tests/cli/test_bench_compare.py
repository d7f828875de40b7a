"""``fermobile bench compare``: a table for people, JSON for scripts, exit code 3 when something became worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_rows
import pytest

from fermobile.bench.rows import append_row

Command = Callable[..., Any]


@pytest.fixture
def compare(fermobile: Command) -> Command:
    return lambda *args: fermobile("bench", "compare", *args)


def rows_file(path: Path, *rows: dict[str, Any]) -> Path:
    for values in rows:
        append_row(path, *bench_rows.row(**values))
    return path


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return rows_file(tmp_path / "baseline.jsonl", {"seed": 1}, {"threads": 2, "p50": 3.0})


def test_nothing_worse_is_exit_code_0_and_a_table(compare: Command, baseline: Path, tmp_path: Path) -> None:
    result = compare(rows_file(tmp_path / "rows.jsonl", {"seed": 2}), "--against", baseline)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "fer_int8.tflite on Workstation" in result.stdout
    assert "ai-edge-litert cpu, 1 thread" in result.stdout
    assert "0.7000 → 0.7000" in result.stdout
    assert "1 leg of the baseline not measured again" in result.stdout
    assert all(len(line) <= 110 for line in result.stdout.splitlines() if "✗" not in line and "·" not in line)


def test_a_regression_is_exit_code_3_after_the_table(compare: Command, baseline: Path, tmp_path: Path) -> None:
    rows = rows_file(tmp_path / "rows.jsonl", {"p50": 9.0, "seed": 2}, {"threads": 2, "p50": 3.0, "f1": 0.6})
    result = compare(rows, "--against", baseline)
    assert result.exit_code == 3
    assert "2 of 2 legs became worse" in result.stderr
    assert "slower" in result.stdout and "regression" in result.stdout
    assert "✗ ai-edge-litert cpu, 2 threads: macro-F1 fell by 0.1000, from 0.7000 to 0.6000" in result.stdout


def test_max_f1_drop_loosens_the_gate(compare: Command, baseline: Path, tmp_path: Path) -> None:
    rows = rows_file(tmp_path / "rows.jsonl", {"threads": 2, "p50": 3.0, "f1": 0.6})
    assert compare(rows, "--against", baseline, "--max-f1-drop", "0.2").exit_code == 0


def test_json(compare: Command, baseline: Path, tmp_path: Path) -> None:
    rows = rows_file(tmp_path / "rows.jsonl", {"p50": 9.0, "seed": 2}, {"delegate": "gpu"})
    result = compare(rows, "--against", baseline, "--json")
    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert [r["verdict"] for r in said["rows"]] == ["regression", "no baseline"]
    assert said["rows"][0]["latency"]["verdict"] == "slower"
    assert said["rows"][0]["quality"]["macro_f1"] == {"before": 0.7, "after": 0.7}
    assert said["rows"][1]["baseline_id"] is None
    assert [(r["delegate"], r["threads"]) for r in said["not_repeated"]] == [("cpu", 2)]


def test_a_comparison_of_nothing_is_no_pass(compare: Command, baseline: Path, tmp_path: Path) -> None:
    result = compare(rows_file(tmp_path / "rows.jsonl", {"delegate": "gpu"}), "--against", baseline)
    assert result.exit_code == 2
    assert "nothing could be compared" in result.stderr
    assert "the baseline holds no row of this leg" in result.stdout


def test_a_file_that_is_none_is_named(compare: Command, baseline: Path, tmp_path: Path) -> None:
    result = compare(tmp_path / "none.jsonl", "--against", baseline)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.jsonl: No such file" in result.stderr
