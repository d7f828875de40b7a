"""What the training verbs show while they work."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import MissingExtraError
from .progress import progress


class TrainingReport:
    """A line per epoch on stdout, or on stderr where the result is another one; progress on stderr."""

    def __init__(self, as_json: bool, err: bool = False) -> None:
        self._json, self._err = as_json, err

    def progress(
        self, label: str, total: int | None, unit: str
    ) -> contextlib.AbstractContextManager[Callable[[int], None]]:
        return progress(label, total, unit)

    def epoch(self, row: dict[str, Any]) -> None:
        if self._json:
            click.echo(json.dumps(row))
            return
        shown = {key: value for key, value in row.items() if key not in ("stage", "epoch", "seconds", "score")}
        figures = "  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())
        click.echo(f"{row['stage']:>8} {row['epoch']:3d}  {figures}  {row['seconds']:.0f} s", err=self._err)


def finish(run_folder: Path, next_command: str, as_json: bool) -> None:
    """Write the run's report where the packages for it are installed, and say what comes next."""
    from ..report.run_report import write_run_report
    from ..training.runs import read_info

    absent = read_info(run_folder).get("absent_in_val", [])
    if absent:
        click.echo(f"no face of the val split shows {', '.join(absent)}: the figures say nothing of them", err=True)
    try:
        said = f"report: {write_run_report(run_folder)}"
    except MissingExtraError as error:
        said = f"no report: {error}"
    click.echo(said, err=True)
    if not as_json:
        click.echo(f"{run_folder}: done; next: {next_command}")
