"""``fermobile data check``: what is in a dataset folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..data.check import CheckReport


@click.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a contact sheet of faces into this image file.")
@click.option("--strict", is_flag=True, help="Exit with 3 when there is an error among the findings.")
@click.option("--force", is_flag=True, help="Replace the contact sheet.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def data_check(folder: Path, sheet: Path | None, strict: bool, force: bool, as_json: bool) -> None:
    """Count classes and find unreadable images, duplicates and leaks between the splits of FOLDER.

    \b
    Example:
      fermobile data check data/ferplus --sheet out/ferplus.png
    """
    import json

    from ..data.check import check_dataset
    from ..data.images import check_image_target, write_image
    from ..data.manifest import Dataset
    from ..data.sheet import contact_sheet
    from ..errors import GateError
    from .progress import progress

    if sheet is not None:
        check_image_target(sheet, force)
    dataset = Dataset(folder)
    with progress("check", len(dataset), "images") as advance:
        report = check_dataset(dataset, advance)
    if sheet is not None:
        write_image(sheet, contact_sheet(dataset))
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _print(report)
    if strict and report.errors:
        raise GateError(f"{folder}: {report.errors} error(s) among the findings")


def _print(report: CheckReport) -> None:
    import functools

    from rich.table import Table

    from .console import open_console

    show = functools.partial(open_console().print, soft_wrap=True)
    show(f"{report.name}: {report.samples} samples, sha256 {report.sha256[:12]}")
    for title, rows in (("emotion", _emotion_rows(report)), ("action unit", _action_unit_rows(report))):
        if rows:
            table = Table(title, *report.emotions, box=None)
            for column in table.columns[1:]:
                column.justify = "right"
            for row in rows:
                table.add_row(*row)
            show(table)
    show(_duplicate_line("equal", report.equal))
    show(_duplicate_line("equal or similar", report.similar))
    for finding in report.findings:
        show(finding.severity, style="red" if finding.severity == "error" else "yellow", end="")
        show(f": {finding.message}")
        for example in finding.examples:
            show(f"    {example}")
    if not report.findings:
        show("nothing found wrong")


def _emotion_rows(report: CheckReport) -> list[list[str]]:
    names = list(next(iter(report.emotions.values()), {}))
    if names == [""]:
        return []
    rows = [[name or "(none)", *(str(c[name]) for c in report.emotions.values())] for name in names]
    return [*rows, ["all", *(str(sum(c.values())) for c in report.emotions.values())]]


def _action_unit_rows(report: CheckReport) -> list[list[str]]:
    def cell(count: dict[str, int]) -> str:
        rate = count["positive"] / count["labelled"] if count["labelled"] else 0.0
        return f"{count['positive']} of {count['labelled']} ({rate:.1%})"

    return [[name, *(cell(count) for count in by_split.values())] for name, by_split in report.action_units.items()]


def _duplicate_line(kind: str, counts: dict[str, object]) -> str:
    return f"{kind}: {counts['images']} images in {counts['groups']} groups"
