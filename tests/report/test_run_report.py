"""The report in a run folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fermobile.errors import RunError
from fermobile.files import write_json
from fermobile.report.content import ReportData
from fermobile.report.run_report import write_run_report
from fermobile.training.recipe import Recipe
from fermobile.training.runs import read_info, start_run


@pytest.fixture
def run_folder(tmp_path: Path, report_data: ReportData) -> Path:
    """A finished run as training leaves it, without weights that could be loaded."""
    folder = tmp_path / "run"
    start_run(
        folder, report_data.contract, Recipe(name="demo"), dataset={"name": "synthetic", "sha256": "00", "path": "data"}
    )
    rows = [{**epoch, "score": epoch["val_macro_f1"]} for epoch in report_data.epochs]
    lines = [json.dumps({k: v for k, v in row.items() if v is not None}) for row in rows]
    (folder / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "model.weights.h5").touch()
    write_json(folder / "run.json", {**read_info(folder), "status": "finished"})
    return folder


def test_it_lies_in_the_run_folder_and_says_how_training_went(run_folder: Path) -> None:
    path = write_run_report(run_folder)
    assert path == run_folder / "report.html"
    html = path.read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", html) == ["Learning curves", "Contract", "Provenance and commands"]
    assert "stage head" in html
    assert "best epoch 6 of 6: macro_f1 0.932" in html


def test_an_unfinished_run_has_no_report(run_folder: Path) -> None:
    write_json(run_folder / "run.json", {**read_info(run_folder), "status": "training"})
    with pytest.raises(RunError, match="not finished"):
        write_run_report(run_folder)
    assert not (run_folder / "report.html").exists()
