"""Markdown tables of rows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import bench_rows
import pytest

from fermobile.bench.rows import append_row

Script = Callable[[str], ModuleType]


@pytest.fixture
def tables(script: Script) -> ModuleType:
    return script("tables.py")


def test_a_row_is_a_line_and_notes_are_numbered_once(tables: ModuleType) -> None:
    made = [
        bench_rows.row("a.tflite", p50=5.0, f1=0.71234, warnings=("grey",))[0],
        bench_rows.row("b.tflite", f1=None, warnings=("no F1", "grey"))[0],
        bench_rows.row("c.tflite", bare=True, status="unsupported", reason="no GPU here")[0],
        bench_rows.row("a.tflite", device=bench_rows.PHONE)[0],
    ]
    desk, phone = tables.table(made).split("Workstation")[1], tables.table(made).split("Workstation")[0]
    assert phone.startswith("Pixel 8, arm64-v8a, Android 15 (AP3A); 3500 faces of ferplus test; 2026-03-01\n\n| file |")
    lines = desk.splitlines()
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert len(columns) == 1
    assert "| 0.7423 | 0.7123 | 1 |" in next(line for line in lines if "a.tflite" in line)
    assert next(line for line in lines if "b.tflite" in line).endswith("|  |  | 2, 1 |")
    assert "| unsupported |" in next(line for line in lines if "c.tflite" in line)
    assert lines[-3:] == ["1. grey", "2. no F1", "3. no GPU here"]


def test_a_document_is_changed_between_its_markers_alone(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, document = tmp_path / "rows" / "peers.jsonl", tmp_path / "README.md"
    append_row(rows, *bench_rows.row())
    before = "# Text\n\n<!-- table: rows/peers.jsonl -->\nold\n<!-- end of table -->\nafter\n"
    document.write_text(before)
    monkeypatch.setattr(sys, "argv", ["tables.py", str(rows), "--into", str(document)])
    for _ in range(2):
        tables.main()
        head, _, rest = document.read_text().partition("<!-- table: rows/peers.jsonl -->\n")
        table, _, tail = rest.partition("<!-- end of table -->\n")
        assert (head, tail) == ("# Text\n\n", "after\n")
        assert table.strip() == tables.table([bench_rows.row()[0]]).strip()
    document.write_text("# Text\n")
    with pytest.raises(SystemExit) as ended:
        tables.main()
    assert ended.value.code == 2
    assert "<!-- table: rows/peers.jsonl -->" in capsys.readouterr().err
    assert document.read_text() == "# Text\n"


def test_an_empty_place_is_filled_once_and_the_next_table_stays(tables: ModuleType) -> None:
    places = "<!-- table: {0}.jsonl -->\n<!-- end of table -->\n"
    document = places.format("a") + "between\n" + places.format("b")
    filled = tables.replaced(document, "a.jsonl", "text")
    assert filled == document.replace("a.jsonl -->\n", "a.jsonl -->\n\ntext\n", 1)
