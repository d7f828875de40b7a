from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

Load = Callable[[str], ModuleType]


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    with write_dataset(tmp_path / "d", DatasetInfo("faces", ("neutral",))) as writer:
        writer.add_array(np.zeros((8, 8), np.uint8), split="train", emotion="neutral")
    return Dataset(tmp_path / "d")


def test_a_setting_is_run_once_and_one_that_failed_is_run_again(script: Load, data: Dataset, tmp_path: Path) -> None:
    record = script("papers/record.py").Record("t", tmp_path)
    with pytest.raises(KeyboardInterrupt), record.run({"seed": 0}, data):
        raise KeyboardInterrupt
    for value in (0.5, 0.9):
        with record.run({"seed": 0}, data) as figures:
            if figures is not None:
                figures["accuracy"] = value
    (row,) = record.rows()
    assert row["figures"] == {"accuracy": 0.5} and row["setting"] == {"seed": 0}
    assert row["data"] == {"name": "faces", "sha256": data.sha256}


def test_a_line_that_was_cut_off_is_run_again(script: Load, data: Dataset, tmp_path: Path) -> None:
    record = script("papers/record.py").Record("t", tmp_path)
    (tmp_path / "t.jsonl").write_text('{"setting": {"seed": 0}, "fig')
    with record.run({"seed": 0}, data) as figures:
        figures["accuracy"] = 0.5
    assert [row["figures"] for row in record.rows()] == [{"accuracy": 0.5}]


def rows(*figures: tuple[str, float | None]) -> list[dict[str, object]]:
    return [
        {"setting": {"method": m, "seed": i}, "figures": {"f": {"x": v}}, "seconds": 60.0}
        for i, (m, v) in enumerate(figures)
    ]


def test_a_table_has_means_with_their_intervals_and_empty_cells(script: Load) -> None:
    tables = script("papers/paper_tables.py")
    layout = {"by": ["method"], "figures": [["F", "f.x"], ["G", "g"]], "order": ["plain", "ours"]}
    lines = list(tables.table(rows(("ours", 0.8), ("plain", 0.5), ("ours", 0.6), ("plain", None)), layout))
    # Two values 0.2 apart: the t quantile of one degree of freedom, 12.7, times 0.1.
    assert lines[2:] == ["| plain | 0.500 |  | 2 | 2 |", "| ours | 0.700 ± 1.271 |  | 2 | 2 |"]


def test_a_turned_table_has_a_line_per_figure_and_the_interval_of_a_single_run(script: Load) -> None:
    tables = script("papers/paper_tables.py")
    found = [
        {"setting": {"on": "a"}, "figures": {"f": {"auc": 0.5, "low": 0.25, "high": 0.75}}, "seconds": 60},
        {"setting": {"on": "b"}, "figures": {"g": 1}, "seconds": 120},
    ]
    layout = {"by": ["on"], "figures": [["F", "f.auc"], ["G", "g"]], "turned": True, "digits": 2}
    assert list(tables.table(found, layout)) == [
        "| on | a | b |",
        "|---|--:|--:|",
        "| F | 0.50 (0.25–0.75) |  |",
        "| G |  | 1.00 |",
        "| runs | 1 | 1 |",
        "| minutes | 1 | 2 |",
    ]


def test_a_system_that_has_not_run_has_no_figure(script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = script("papers/paper_tables.py")
    monkeypatch.setattr(tables, "ROWS", tmp_path)
    (tmp_path / "t.jsonl").write_text(json.dumps(rows(("a", 0.25))[0]) + "\n")
    entry = {"name": "A", "recipe": "r", "rows": "t", "paper": "65 %", "figures": [["accuracy", "f.x"]], "differs": "d"}
    lines = list(tables.systems([{**entry, "where": {"method": "a"}}, {**entry, "where": {"method": "b"}}]))
    assert lines[2:] == [
        "| A | `r` | 65 % | accuracy 0.250 | 1 | 1 | d |",
        "| A | `r` | 65 % |  |  |  | d |",
    ]


def test_the_written_tables_are_those_of_the_rows(
    script: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """README.md is what the generator makes of the committed rows, cell by cell."""
    tables = script("papers/paper_tables.py")
    before = tables.README.read_text(encoding="utf-8")
    copy = tmp_path / "README.md"
    copy.write_text(before, encoding="utf-8")
    monkeypatch.setattr(tables, "README", copy)
    monkeypatch.setattr("sys.argv", ["paper_tables.py"])
    tables.main()
    assert copy.read_text(encoding="utf-8") == before
