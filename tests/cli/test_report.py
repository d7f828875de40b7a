"""``fermobile report``: rows in, one page out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_rows
import pytest

from fermobile.bench.rows import append_row

Command = Callable[..., Any]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    append_row(tmp_path / "rows.jsonl", *bench_rows.row())
    return tmp_path / "rows.jsonl"


def test_several_files_become_one_page(fermobile: Command, rows: Path, tmp_path: Path) -> None:
    append_row(tmp_path / "phone.jsonl", *bench_rows.row(device=bench_rows.PHONE))
    result = fermobile("report", rows, tmp_path / "phone.jsonl", "-o", tmp_path / "bench.html")
    assert (result.exit_code, result.stdout) == (0, f"wrote {tmp_path / 'bench.html'}\n")
    page = (tmp_path / "bench.html").read_text("utf-8")
    assert "Workstation" in page and "Pixel 8" in page


def test_a_page_is_replaced_only_with_force(fermobile: Command, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.html"
    out.write_text("mine", "utf-8")
    result = fermobile("report", rows, "-o", out)
    assert (result.exit_code, out.read_text("utf-8")) == (2, "mine")
    assert "--force" in result.stderr
    assert fermobile("report", rows, "-o", out, "--force").exit_code == 0
    assert "Workstation" in out.read_text("utf-8")


def test_what_is_no_row_is_named_and_nothing_is_written(fermobile: Command, rows: Path, tmp_path: Path) -> None:
    rows.write_text(rows.read_text("utf-8") + "{}\n", "utf-8")
    result = fermobile("report", rows, "-o", tmp_path / "bench.html")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rows.jsonl, line 2: not a benchmark row" in result.stderr
    assert not (tmp_path / "bench.html").exists()
