"""``fermobile crossval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .training_options import data_options, recipe_options, resolve, with_added

if TYPE_CHECKING:
    from ..training.cross_validation import CrossValidation


@click.command()
@click.argument("recipe")
@data_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write, with a run per fold.")
@recipe_options
@click.option("--resume", is_flag=True, help="Go on with a cross-validation that was stopped or killed.")
@click.option("--force", is_flag=True, help="Replace an existing cross-validation.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures of folds.json.")
def crossval(
    recipe: str,
    data: Path,
    added: tuple[Path, ...],
    out: Path,
    resume: bool,
    force: bool,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Train RECIPE once per fold of a dataset, and test each run on the people it never saw.

    Writes a run per fold, folds.json and report.html.  Thresholds come from each fold's val subjects; F1 at
    threshold 0.5, the benchmarks' protocol, stands beside.  --resume trains no finished fold again.

    \b
    Example:
      fermobile crossval mobilenet_v1_action_units --data data/disfa --out runs/disfa
    """
    import json

    from ..data.manifest import Dataset
    from ..errors import require_extra
    from ..report.fold_report import write_fold_report
    from ..report.run_report import write_run_report
    from .training_report import TrainingReport

    resolved = resolve(recipe, overrides)
    require_extra("report", "jinja2", "matplotlib", "scipy")
    folds = [with_added(fold, added) for fold in Dataset(data).every_fold()]
    from ..training.cross_validation import FOLDS_FILE, cross_validate  # what is wrong so far is said before TensorFlow

    result = cross_validate(resolved, folds, out, resume, force, TrainingReport(as_json=False, err=True))
    for fold in result.folds:
        write_run_report(fold.run.folder)
    path = write_fold_report(result)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
        return
    _show(result)
    click.echo(f"wrote {out / FOLDS_FILE} and {path}")


def _show(result: CrossValidation) -> None:
    """Print a table per head."""
    from rich.table import Table

    from ..report.fold_sections import CAPTIONS, table_columns, table_rows
    from .console import open_console

    count = len(result.folds)
    console = open_console(width=80 + 7 * count)  # a table is read as a whole, also where it is piped into a file
    for head, summary in result.summaries().items():
        table = Table(title=CAPTIONS[head], title_justify="left", box=None)
        for name in table_columns(count, summary):
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        for number, row in enumerate(table_rows(summary)):
            table.add_row(*row, style="bold" if number >= len(summary.f1) else "")
        console.print(table)
    for text in result.left_out():
        console.print(text, soft_wrap=True)
