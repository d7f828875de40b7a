"""``fermobile report``: benchmark rows as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("rows", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The HTML file to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def report(rows: tuple[Path, ...], out: Path, force: bool) -> None:
    """Draw the benchmark ROWS of one or more files as one HTML page that needs no network.

    The latest row of each leg is shown. Emulated devices stand apart and are ranked with nothing.

    \b
    Example:
      fermobile report rows.jsonl -o bench.html
      fermobile report desktop.jsonl phone.jsonl -o bench.html
    """
    from ..files import refuse_existing
    from ..report.bench_report import write_bench_report

    refuse_existing(out, force)
    write_bench_report(rows, out)
    click.echo(f"wrote {out}")
