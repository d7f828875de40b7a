"""``fermobile verify``: prove that a .tflite is still right, or name the stage where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import runtime_option

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation.drift import F1Changes
    from ..export.verify import VerifyReport


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Dataset folder [default: that of --against].")
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    show_default=True,
    help="Split whose faces are used.",
)
@click.option("--against", type=click.Path(path_type=Path), help="The float run that the file was made from.")
@click.option(
    "--max-f1-drop",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Gate on macro-F1 and mean AU F1.",
)
@click.option(
    "--max-class-f1-drop",
    type=click.FloatRange(0, 1),
    default=0.03,
    show_default=True,
    help="Gate on every emotion and action unit; a loss that chance may explain (a paired bootstrap) is a warning.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use at most this many faces, spread over the split.")
@runtime_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def verify(
    file: Path,
    data: Path | None,
    split: str,
    against: Path | None,
    max_f1_drop: float,
    max_class_f1_drop: float,
    limit: int | None,
    runtime: str,
    as_json: bool,
) -> None:
    """Measure FILE on labelled faces and compare it, stage by stage, with the run it was made from.

    The same faces pass through the float network, its float .tflite, FILE, and FILE as `predict` runs it. A
    mistake on the way (channels, range of pixels, labels, crop) is named. Where a gate is not met FILE is
    renamed to FILE.rejected, in place of an earlier one, with the report beside it, and the exit code is 3.

    \b
    Example:
      fermobile verify fer_int8.tflite --against runs/fer --data data/ferplus --split test
    """
    from ..data.manifest import Dataset
    from ..errors import GateError
    from ..export.gates import Gates
    from ..export.verify import reject, stage_count, verify
    from ..export.verify_report import to_dict
    from .progress import progress

    run = None
    if against is not None:
        from ..training.runs import Run

        run = Run.open(against)
        dataset = run.open_dataset(data, added=False)
    elif data is not None:
        dataset = Dataset(data)
    else:
        raise click.UsageError("name labelled faces with --data, or the run that the file was made from with --against")
    total = stage_count(run is not None) * min(len(dataset.indices(split)), limit or len(dataset))
    with progress("verify", total, "faces") as advance:
        report = verify(file, dataset, split, run, Gates(max_f1_drop, max_class_f1_drop), limit, advance, runtime)
    rejected = None if report.passed else reject(report)
    if as_json:
        import json

        click.echo(json.dumps(to_dict(report, rejected), indent=2, ensure_ascii=False))
    else:
        _show(report)
    if rejected is not None:
        raise GateError(f"{file} is rejected: {report.reasons()[0]}\nit is now {rejected}, the report {rejected}.json")


def _show(report: VerifyReport) -> None:
    """Print the report for people."""
    import sys

    from rich.text import Text

    from .console import open_console

    console = open_console(None if sys.stdout.isatty() else 110)
    dataset = report.faces.dataset
    fold = "" if dataset.fold is None else f" of fold {dataset.fold}"
    console.print(Text.assemble((str(report.file.path), "bold"), f"  sha256 {report.file.sha256[:16]}…"))
    console.print(f"{len(report.faces)} faces of {dataset.folder} ({dataset.info.name}), split {report.split}{fold}")
    for warning in report.warnings:
        console.print(Text.assemble(("warning:", "yellow"), f" {warning}"), soft_wrap=True)
    _show_stages(console, report)
    _show_emotions(console, report)
    _show_action_units(console, report)
    if report.passed and report.comparison is None:
        console.print("measured; no run to compare with")
    elif report.passed:
        console.print("passed", style="green bold")
    for reason in report.reasons():
        console.print(Text.assemble(("✗", "red"), f" {reason}"), soft_wrap=True)


def _show_stages(console: Console, report: VerifyReport) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Stages", title_justify="left")
    for column in ("stage", "against", "head", "max |Δ|", "mean |Δ|", "cosine", "same decision", ""):
        table.add_column(column, justify="right" if "Δ" in column or column in ("cosine", "same decision") else "left")
    for stage in report.stages:
        mark = Text("ok", "green") if stage.ok else Text("diverges", "red")
        if not stage.drift:
            table.add_row(stage.name, stage.previous, "", "", "", "", "", mark)
        for head, d in stage.drift.items():
            figures = (f"{d.max_abs:.2g}", f"{d.mean_abs:.2g}", f"{d.cosine:.5f}", f"{d.agreement:.4f}")
            table.add_row(stage.name, stage.previous, head, *figures, mark)
    console.print(table)


def _show_emotions(console: Console, report: VerifyReport) -> None:
    from rich.table import Table

    metrics = report.measured.emotion
    if metrics is None:
        return
    console.print(
        f"emotions: accuracy {metrics.accuracy:.4f}, macro-F1 {metrics.macro_f1:.4f}, weighted F1 "
        f"{metrics.weighted_f1:.4f}, mean recall {metrics.mean_recall:.4f}, calibration error {metrics.ece:.4f}"
    )
    if report.comparison and report.comparison.reference.emotion:
        before = report.comparison.reference.emotion
        console.print(f"  float: accuracy {before.accuracy:.4f}, calibration error {before.ece:.4f}")
        _show_changes(console, "F1 of emotions, float against file", report.comparison.changes["emotion"])
        flips, names = report.comparison.flips, report.file.contract.emotions
        if flips is not None:
            table = Table(title="Flips: float's top emotion (rows) against the file's", title_justify="left")
            table.add_column("")
            for name in names:
                table.add_column(name[:9], justify="right")
            for name, row in zip(names, flips, strict=True):
                table.add_row(name, *(str(count) if count else "·" for count in row))
            console.print(table)
        return
    table = Table(title="Emotions", title_justify="left")
    for column in ("emotion", "precision", "recall", "F1", "faces"):
        table.add_column(column, justify="left" if column == "emotion" else "right")
    for name, v in metrics.per_class.items():
        table.add_row(name, f"{v['precision']:.3f}", f"{v['recall']:.3f}", f"{v['f1']:.3f}", str(v["support"]))
    console.print(table)


def _show_action_units(console: Console, report: VerifyReport) -> None:
    from rich.table import Table

    metrics = report.measured.au
    if metrics is None:
        return
    console.print(
        f"action units: mean F1 {metrics.mean_f1:.4f}, micro F1 {metrics.micro_f1:.4f}; "
        f"always saying yes gives {metrics.all_positive_f1:.4f}"
    )
    if report.comparison and "au" in report.comparison.changes:
        _show_changes(console, "F1 of action units, float against file", report.comparison.changes["au"])
        return
    table = Table(title="Action units", title_justify="left")
    for column in ("unit", "precision", "recall", "F1", "AP", "positives"):
        table.add_column(column, justify="left" if column == "unit" else "right")
    for name, v in metrics.per_au.items():
        figures = (f"{v[key]:.3f}" for key in ("precision", "recall", "f1", "average_precision"))
        table.add_row(name, *figures, str(v["positives"]))
    console.print(table)


def _show_changes(console: Console, title: str, changes: F1Changes) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("", "float", "file", "change", "95 % interval", "n"):
        table.add_column(column, justify="right" if column else "left")
    for name, c in {**changes.per_label, "mean": changes.mean}.items():
        span = f"{c.low:+.4f} … {c.high:+.4f}"
        figures = (f"{c.reference:.4f}", f"{c.candidate:.4f}", f"{c.candidate - c.reference:+.4f}")
        table.add_row(name, *figures, span, str(c.support), style="bold" if name == "mean" else "")
    console.print(table)
