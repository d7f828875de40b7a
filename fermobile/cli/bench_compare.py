"""``fermobile bench compare``: rows against baseline rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from ..bench.comparison import Change
    from ..bench.rows import Row


@click.command()
@click.argument("rows", type=click.Path(path_type=Path))
@click.option(
    "--against", "baseline", type=click.Path(path_type=Path), required=True, help="Rows to compare with, of any age."
)
@click.option(
    "--max-f1-drop",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="How far macro-F1, accuracy and mean AU F1 may fall.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def bench_compare(rows: Path, baseline: Path, max_f1_drop: float, as_json: bool) -> None:
    """Compare every leg in ROWS with the same leg (file name, device, runtime, delegate, threads) of the baseline.

    The latest row of each counts. Slower is what a rank test and the interval of the medians' ratio agree on, from
    the raw samples. Also worse: F1 or accuracy that fell, a leg that no longer runs. Then the exit code is 3.

    \b
    Example:
      fermobile bench compare rows.jsonl --against baseline.jsonl
    """
    from ..bench.comparison import FINE, REGRESSION, compare_rows, latest, not_repeated
    from ..errors import GateError, InputError

    new, old = latest([rows]), latest([baseline])
    changes, left = compare_rows(new, old, max_f1_drop), not_repeated(new, old)
    if as_json:
        import json

        click.echo(json.dumps(_to_dict(changes, left, max_f1_drop), indent=2, ensure_ascii=False))
    else:
        _show(changes, left)
    worse = [c for c in changes if c.verdict == REGRESSION]
    if worse:
        first = f"{worse[0].row.model.file}, {worse[0].row.leg}: {worse[0].regressions[0]}"
        raise GateError(f"{len(worse)} of {len(changes)} legs became worse than {baseline}; the first: {first}")
    if not any(c.verdict == FINE for c in changes):
        raise InputError(f"nothing could be compared: no leg of {rows} has a row to compare with in {baseline}")


def _to_dict(changes: Sequence[Change], left: Sequence[Row], max_f1_drop: float) -> dict[str, Any]:
    from dataclasses import asdict

    def leg(row: Row) -> dict[str, Any]:
        return {"file": row.model.file, "device": row.device.name, "emulated": row.device.emulated, **asdict(row.leg)}

    return {
        "max_f1_drop": max_f1_drop,
        "rows": [
            {
                **leg(c.row),
                "id": c.row.id,
                "baseline_id": c.baseline.id if c.baseline else None,
                "verdict": c.verdict,
                "latency": asdict(c.latency) if c.latency else None,
                "quality": {key: {"before": was, "after": now} for key, (was, now) in c.quality.items()},
                "regressions": list(c.regressions),
                "notes": list(c.notes),
            }
            for c in changes
        ],
        "not_repeated": [{**leg(row), "id": row.id} for row in left],
    }


def _show(changes: Sequence[Change], left: Sequence[Row]) -> None:
    import itertools
    import sys

    from .console import open_console

    console = open_console(None if sys.stdout.isatty() else 110)
    where = lambda c: (c.row.model.file, c.row.device.name)  # noqa: E731
    for (file, device), group in itertools.groupby(sorted(changes, key=where), key=where):
        console.print(f"{file} on {device}", style="bold", soft_wrap=True)
        found = list(group)
        console.print(_table(found))
        for change in found:
            for mark, color, texts in (("✗", "red", change.regressions), ("·", "dim", change.notes)):
                for text in texts:
                    console.print(f"{mark} {change.row.leg}: {text}", style=color, soft_wrap=True)
        console.print()
    if left:
        count = f"{len(left)} leg{'s' if len(left) > 1 else ''}"
        console.print(f"{count} of the baseline not measured again, {left[0].model.file} {left[0].leg} the first")


def _table(changes: Sequence[Change]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from ..bench.comparison import FINE, REGRESSION

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("leg", "median, ms", "ratio (95 %)", "latency", "F1", "verdict"):
        table.add_column(name, justify="left" if name in ("leg", "latency", "verdict") else "right")
    colors = {REGRESSION: "red", FINE: "green"}
    for c in changes:
        table.add_row(str(c.row.leg), *_latency(c), _f1(c), Text(c.verdict, colors.get(c.verdict, "dim")))
    return table


def _latency(change: Change) -> tuple[str, str, str]:
    found = change.latency
    if found is None or change.baseline is None or change.baseline.latency is None or change.row.latency is None:
        return "", "", ""
    medians = f"{change.baseline.latency.p50_ms:.4g} → {change.row.latency.p50_ms:.4g}"
    return medians, f"{found.ratio:.3f} ({found.low:.3f}–{found.high:.3f})", found.verdict


def _f1(change: Change) -> str:
    pair = change.quality.get("macro_f1") or change.quality.get("au_mean_f1")
    return f"{pair[0]:.4f} → {pair[1]:.4f}" if pair else ""
