"""``fermobile pseudo-label``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("pseudo-label")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--pool", type=click.Path(path_type=Path), required=True, help="Dataset folder of the faces to label.")
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="Dataset folder to make.")
@click.option("--floor", type=click.FloatRange(0, 1), default=0.8, show_default=True,
              help="Lowest threshold of a class, however unsure the model is of it.")  # fmt: skip
@click.option("--leave-out-overlap", is_flag=True,
              help="Leave out faces that the run's val or test split holds, instead of refusing the pool.")  # fmt: skip
@click.option("--keep-unsure", is_flag=True,
              help="Write the other faces too, without a label: 'train --teacher' learns from them.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def pseudo_label(
    runs: tuple[Path, ...], pool: Path, out: Path, floor: float, leave_out_overlap: bool, keep_unsure: bool,
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Label the faces of a pool by RUN, or by several runs together, where they are sure; then train on both sets.

    Labels that the pool has are not looked at. The calibrated mean of the runs' answers on each face and its mirror
    image becomes its label where it reaches the threshold of its class: 0.97 of the mean confidence in the class's
    recognised validation faces, at least --floor. A class gets no more faces than its share of the labelled set times
    the pool's size, the surest first. Every label is in the new folder's ledger: 'fermobile ledger' lists them and
    takes some back.

    \b
    Example:
      fermobile pseudo-label runs/a runs/b --pool data/faces --keep-unsure --out data/faces-labelled
      fermobile train mobilenet_v1_emotions --data data/ferplus --add data/faces-labelled \\
        --teacher runs/a --teacher runs/b --out runs/student
    """
    from ..data.manifest import Dataset
    from ..files import refuse_existing
    from ..training.runs import Run

    refuse_existing(out, force, "dataset.json")
    opened, unlabelled = [Run.open(run) for run in runs], Dataset(pool)
    from ..training import pseudo_label as method  # only now: what is wrong so far is said before TensorFlow's seconds
    from .training_report import TrainingReport

    result = method.pseudo_label(
        opened, unlabelled, out, floor, leave_out_overlap, keep_unsure, force, TrainingReport(as_json)
    ).to_dict()
    if as_json:
        import json

        click.echo(json.dumps(result, indent=2))
        return
    _print(result, out)


def _print(result: dict[str, Any], out: Path) -> None:
    from rich.table import Table

    from .console import open_console

    show = open_console().print
    table = Table("class", "threshold", "predicted", "below it", "cut by quota", "accepted", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in result["classes"].items():
        counts = (found[key] for key in ("predicted", "below_threshold", "cut_by_quota", "accepted"))
        threshold = found["threshold"]
        table.add_row(name, "never" if threshold is None else f"{threshold:.3f}", *map(str, counts))
    show(table)
    if result["overlapping"]:
        show(f"left out: {result['overlapping']} faces that the run's val or test split holds")
    if result["unreadable"]:
        show(f"left out: {result['unreadable']} unreadable images, listed in {out / 'rejects.csv'}", soft_wrap=True)
    show(f"accepted {result['accepted']} of {result['faces']} faces; wrote {out}", soft_wrap=True)
