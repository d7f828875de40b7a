"""``fermobile ledger``: the changes of labels that a training or a pseudo-labelling made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..data.ledger import Ledger

_SHOWN = 10


@click.command("ledger")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--undo", multiple=True, metavar="SAMPLE", help="Give this sample its first label back; may be repeated.")
@click.option("--undo-all", is_flag=True, help="Give every sample its first label back.")
@click.option("--out", "-o", type=click.Path(path_type=Path),
              help="Where to write a dataset in which labels are undone; the old one stays as it is.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print every change as JSON.")
def ledger(folder: Path, undo: tuple[str, ...], undo_all: bool, out: Path | None, force: bool, as_json: bool) -> None:
    """List the labels that were changed in FOLDER, a run or a pseudo-labelled dataset, and take some back.

    Self-Cure training changes labels and 'pseudo-label' gives them; both keep a ledger, relabels.csv, to which rows
    are only added. What is undone stays undone. In a run that was stopped it counts from 'train --resume' on. A
    dataset is known by its content, so undoing labels makes a new one, --out, where those faces are unlabelled.

    \b
    Example:
      fermobile ledger runs/fer
      fermobile ledger runs/fer --undo shard-0000.npy:17
      fermobile ledger data/faces-labelled --undo images/17.png --out data/faces-mended
    """
    from ..data.ledger import LEDGER_FILE, Ledger
    from ..errors import InputError

    path = folder / LEDGER_FILE
    if not path.is_file():
        raise InputError(f"{folder} has no {LEDGER_FILE}: no label was changed, or it is not a run or a dataset")
    undoing = bool(undo or undo_all)
    if (folder / "dataset.json").is_file() and undoing:
        if out is None:
            raise click.UsageError("a dataset's labels are undone in a new one; name it with --out")
        from ..data.ledger_undo import write_undone

        write_undone(folder, None if undo_all else undo, out, force)
        path = out / LEDGER_FILE
    elif out is not None:
        raise click.UsageError("--out is for undoing labels in a dataset, with --undo or --undo-all")
    elif undoing:
        Ledger(path).undo(None if undo_all else undo)
        from ..training.runs import RUN_FILE, read_info

        if (folder / RUN_FILE).is_file() and read_info(folder)["status"] == "finished":
            click.echo(f"{folder} is trained to its end: its model stays as it is", err=True)
    found = Ledger(path)
    summary = _summary(found)
    if as_json:
        import json

        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    _print(summary, path)


def _summary(found: Ledger) -> dict[str, Any]:
    """The ledger as plain values; the largest margins first."""
    import dataclasses
    from collections import Counter

    names = {"before": "from", "after": "to"}
    changes = found.changes()
    kinds = Counter((change.before, change.after) for change in changes if not change.undone)
    return {
        "changes": len(changes),
        "samples": len({change.sample for change in changes}),
        "undone": len(found.undone()),
        "kinds": [{"from": old, "to": new, "count": count} for (old, new), count in kinds.most_common()],
        "rows": [
            {names.get(key, key): value for key, value in row.items()}
            for row in map(dataclasses.asdict, sorted(changes, key=lambda change: -change.margin))
        ],
    }


def _print(summary: dict[str, Any], path: Path) -> None:
    from rich.table import Table

    from .console import open_console

    show = open_console().print
    show(
        f"{path}: {summary['changes']} changes of {summary['samples']} samples, {summary['undone']} undone",
        soft_wrap=True,
    )
    kinds = Table("from", "to", "changes", box=None)
    for kind in summary["kinds"]:
        kinds.add_row(kind["from"] or "(none)", kind["to"], str(kind["count"]))
    rows = Table("largest margins", "epoch", "from", "to", "margin", "", box=None)
    for row in summary["rows"][:_SHOWN]:
        undone = "undone" if row["undone"] else ""
        rows.add_row(
            row["sample"], str(row["epoch"]), row["from"] or "(none)", row["to"], f"{row['margin']:.3f}", undone
        )
    for table in (kinds, rows):
        if table.row_count:
            show()
            show(table)
