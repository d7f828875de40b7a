"""``fermobile data check``: what is in a dataset folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..data.check import CheckReport
    from ..data.manifest import Dataset


@click.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a contact sheet of faces (PNG) here.")
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
    from ..data.manifest import Dataset
    from ..errors import GateError
    from ..files import refuse_existing
    from .progress import progress

    if sheet is not None:
        if sheet.suffix.lower() != ".png":
            raise click.BadParameter(f"{sheet} must end in .png", param_hint="--sheet")
        refuse_existing(sheet, force)
    dataset = Dataset(folder)
    with progress("check", len(dataset), "images") as advance:
        report = check_dataset(dataset, advance)
    if sheet is not None:
        _write_sheet(dataset, sheet)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _print(report)
    if strict and report.errors:
        raise GateError(f"{folder}: {report.errors} error(s) among the findings")


def _write_sheet(dataset: Dataset, path: Path) -> None:
    import cv2

    from ..data.sheet import contact_sheet
    from ..files import write_bytes

    _, data = cv2.imencode(".png", contact_sheet(dataset)[..., ::-1])
    write_bytes(path, data.tobytes())


def _print(report: CheckReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{report.name}: {report.samples} samples, sha256 {report.sha256[:12]}")
    splits = list(report.emotions)
    for title, rows in (("emotion", _emotion_rows(report)), ("action unit", _action_unit_rows(report))):
        if rows:
            table = Table(title, *(f"{split}" for split in splits), box=None)
            for column in table.columns[1:]:
                column.justify = "right"
            for row in rows:
                table.add_row(*row)
            console.print(table)
    console.print(_duplicate_line("equal", report.equal))
    console.print(_duplicate_line("equal or similar", report.similar))
    for finding in report.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        console.print(f"[{colour}]{finding.severity}[/]: ", end="")
        console.print(finding.message, markup=False)
        for example in finding.examples:
            console.print(f"    {example}", markup=False)
    if not report.findings:
        console.print("nothing found wrong")


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
