"""Running legs and showing their rows, for every ``bench`` verb that measures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bench.measure import Plan, Station
    from ..bench.rows import Device, Row


def run_and_print(
    stations: Sequence[Station], device: Device, plan: Plan, conditions: Callable[[], dict[str, Any]],
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure, append each row, and print a table or JSON lines.

    Raises:
        RuntimeFailure: not one leg ran.
    """
    from rich.console import Console

    from ..bench.measure import measure
    from ..bench.rows import OK, append_row
    from ..errors import RuntimeFailure

    found = []
    status = Console(stderr=True).status("", spinner="dots")
    with status:
        for row, samples in measure(stations, device, plan, conditions, lambda text: status.update(text)):
            if out is not None:
                append_row(out, row, samples)
            found.append(row)
    if as_json:
        for row in found:
            click.echo(json.dumps(dataclasses.asdict(row), ensure_ascii=False))
    else:
        print_rows(found)
        if out is not None:
            click.echo(f"appended {len(found)} rows to {out}; next: fermobile report {out} -o bench.html")
    if not any(row.status == OK for row in found):
        raise RuntimeFailure("no leg ran: " + "; ".join(dict.fromkeys(row.reason for row in found)))


def print_rows(found: Sequence[Row]) -> None:
    """A table on stdout, and under it what is to be known of its rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "leg"):
        table.add_column(name, overflow="fold")
    for name in ("p50 ms", "p90", "p99", "init", "MB", "accuracy", "macro-F1", "AU F1", "validity"):
        table.add_column(name, justify="right")
    for row in found:
        cells = [row.model.file, str(row.leg), *_figures(row)]
        table.add_row(*(Text(cell) for cell in cells))
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    console.print(table)
    for row in found:
        way = ", ".join(f"{stage} {ms:.3g}" for stage, ms in row.stages_ms.items())
        notes = [row.reason, way and f"a photo takes {way} ms", *row.validity_reasons, *row.warnings]
        for note in filter(None, notes):
            console.print(Text(f"  {row.model.file}, {row.leg}: {note}"))


def _figures(row: Row) -> list[str]:
    latency, quality = row.latency, row.quality

    def shown(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    times = [shown(getattr(latency, k, None), ".3g") for k in ("p50_ms", "p90_ms", "p99_ms", "init_ms")]
    figures = [shown(getattr(quality, k, None), ".4f") for k in ("accuracy", "macro_f1", "au_mean_f1")]
    return [*times, shown(row.peak_mb, ".0f"), *figures, row.validity if row.status == "ok" else row.status]
