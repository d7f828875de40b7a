"""``fermobile data label-aus``: action units by a teacher, for faces that nobody coded."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("label-aus")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--landmarker", type=click.Path(path_type=Path), required=True,
              help="MediaPipe's face_landmarker.task.")  # fmt: skip
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="Dataset folder to make.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option("--force", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def data_label_aus(dataset: Path, landmarker: Path, out: Path, workers: int | None, force: bool, as_json: bool) -> None:
    """Label action units of the faces of DATASET where MediaPipe's blendshapes show them clearly.

    AU1, AU2, AU5, AU12, AU25, AU26, AU27 and AU43 are labelled as present or absent, or left empty where the face is
    between the two; of other units the blendshapes say too little. Images, splits, emotions and votes stay, and so do
    action units that are labelled already. The labels are a model's: they are for training, beside rendered faces
    with exact ones, and no truth to measure by.

    \b
    Example:
      fermobile data label-aus data/ferplus --landmarker face_landmarker.task --out data/ferplus-aus
    """
    import dataclasses
    import json

    from ..data.manifest import Dataset
    from ..face.au_teacher import label_action_units
    from ..files import refuse_existing
    from .progress import progress

    refuse_existing(out, force)
    source = Dataset(dataset)
    with progress("label", len(source), "images") as advance:
        summary = label_action_units(source, out, landmarker, workers=workers, force=force, advance=advance)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary), indent=2))
        return
    click.echo(f"{'':6}{'present':>9}{'absent':>9}{'unlabelled':>12}")
    for unit, count in summary.units.items():
        click.echo(f"{unit:6}{count['present']:9}{count['absent']:9}{count['unlabelled']:12}")
    if summary.kept:
        click.echo(f"kept: {summary.kept} labels that were there")
    if summary.unreadable:
        click.echo(f"unreadable: {summary.unreadable} images, without labels; 'fermobile data check' lists them")
    click.echo(f"saw a face in {summary.found} of {summary.images} images; wrote {out}")
