"""What the training verbs show while they work."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import click

from .progress import progress


class TrainingReport:
    """A line per epoch on stdout, progress on stderr."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json

    def progress(
        self, label: str, total: int | None, unit: str
    ) -> contextlib.AbstractContextManager[Callable[[int], None]]:
        return progress(label, total, unit)

    def epoch(self, row: dict[str, Any]) -> None:
        if self._json:
            click.echo(json.dumps(row))
            return
        figures = "  ".join(
            f"{key} {value:.4f}" for key, value in row.items() if key not in ("stage", "epoch", "seconds", "score")
        )
        click.echo(f"{row['stage']:>8} {row['epoch']:3d}  {figures}  {row['seconds']:.0f} s")
