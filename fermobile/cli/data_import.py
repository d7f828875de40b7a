"""``fermobile data import``: read a public dataset as distributed."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="Dataset folder to make.")
@click.option(
    "--val-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of train held out as val (and test) where the source has no such split.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the hold-out.")
@click.option(
    "--max-rejects",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Largest share of broken samples; they are skipped and listed in rejects.csv.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Take one frame in so many of disfa and bp4d, whose neighbouring frames are nearly equal.",
)
@click.option("--force", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def data_import(
    name: str,
    path: Path,
    out: Path,
    val_fraction: float,
    seed: int,
    max_rejects: float,
    every: int,
    force: bool,
    as_json: bool,
) -> None:
    """Read the public dataset NAME at PATH into a dataset folder.

    \b
    NAME is one of
      fer2013      fer2013.csv
      ferplus      fer2013.csv with fer2013new.csv, or FER2013Train/label.csv, Valid, Test
      raf-db       EmoLabel/ and Image/ (aligned images; originals if PATH is Image/original)
      affectnet    Manually_Annotated_file_lists/ and _Images/, or train_set/ and val_set/
      kdef, jaffe  the folder of the images
      celeba       Anno/, Eval/ and Img/: attributes as proxies of action units
      ck-plus      cohn-kanade-images/ with Emotion/, FACS/ or both
      disfa        ActionUnit_Labels/ with videos or frames (PATH/Videos_RightCamera chooses)
      bp4d         AUCoding/AU_OCC/ with frames such as F001/T1/2440.jpg
      bosphorus    bs000/bs000_LFAU_12_0.png and so on
      imagefolder  <split>/<class>/ or <class>/ with images

    \b
    Example:
      fermobile data import ferplus ~/fer2013 --out data/ferplus
    """
    import dataclasses
    import json

    from ..data.importer import import_dataset
    from ..data.readers import open_reader
    from ..files import refuse_existing
    from .progress import progress

    refuse_existing(out, force)
    reader = open_reader(name, path, every)
    with progress(f"import {name}", reader.total, reader.unit) as advance:
        summary = import_dataset(
            reader,
            out,
            val_fraction=val_fraction,
            seed=seed,
            max_rejects=max_rejects,
            force=force,
            advance=advance,
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary), indent=2))
        return
    for split, counts in summary.counts.items():
        parts = ", ".join(f"{emotion or 'no single emotion'} {count}" for emotion, count in counts.items())
        click.echo(f"{split}: {sum(counts.values())}" + (f" ({parts})" if set(counts) != {""} else ""))
    click.echo(f"splits: {summary.split_rule}")
    if summary.folds:
        tested = ", ".join(map(str, summary.folds))
        click.echo(f"folds: {len(summary.folds)} of the official protocol, which test {tested} images")
    for unit, coded in summary.action_units.items():
        if coded["labelled"]:
            rate = coded["positive"] / coded["labelled"]
            click.echo(f"{unit}: {coded['positive']} of {coded['labelled']} ({rate:.1%}) positive")
    for note in summary.notes:
        click.echo(f"note: {note}")
    for reason, count in summary.dropped.items():
        click.echo(f"dropped: {count} {reason}")
    if summary.rejected:
        click.echo(f"rejected: {summary.rejected} broken samples, listed in {out / 'rejects.csv'}")
    click.echo(f"wrote {summary.samples} samples to {out}")
