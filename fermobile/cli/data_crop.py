"""``fermobile data crop``: find, align and crop the faces of a dataset of photos."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("crop")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="Dataset folder to make.")
@click.option("--size", type=click.IntRange(16, 1024), default=96, show_default=True, help="Side of a crop in pixels.")
@click.option(
    "--eye-distance",
    type=click.FloatRange(0.05, 1.0),
    help="Distance of the eyes, as a fraction of the side.  [default: as in FER2013]",
)
@click.option(
    "--eye-y",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Height of the eyes below the upper edge, as a fraction of the side.  [default: as in FER2013]",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option(
    "--max-rejects",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Largest share of images without a usable face; they are left out and listed in rejects.csv.",
)
@click.option("--force", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def data_crop(
    dataset: Path,
    out: Path,
    size: int,
    eye_distance: float | None,
    eye_y: float | None,
    workers: int | None,
    max_rejects: float,
    force: bool,
    as_json: bool,
) -> None:
    """Align the largest face of every photo of the folder DATASET into a new dataset folder.

    Every crop has its eyes level and at the same place, which the new folder records, training passes on to the
    model, and 'predict' then does to a user's photo.

    \b
    Example:
      fermobile data import imagefolder ~/photos --out data/photos
      fermobile data crop data/photos --out data/faces --size 96
    """
    import dataclasses
    import json

    from ..contract import CropSpec
    from ..data.manifest import Dataset
    from ..face.alignment import DEFAULT_CROP
    from ..face.crops import crop_dataset
    from ..files import refuse_existing
    from .progress import progress

    refuse_existing(out, force)
    crop = CropSpec(
        eye_distance=DEFAULT_CROP.eye_distance if eye_distance is None else eye_distance,
        eye_y=DEFAULT_CROP.eye_y if eye_y is None else eye_y,
    )
    source = Dataset(dataset)
    with progress("crop", len(source), "images") as advance:
        summary = crop_dataset(
            source,
            out,
            crop=crop,
            size=size,
            workers=workers,
            max_rejects=max_rejects,
            force=force,
            advance=advance,
        )
    if as_json:
        click.echo(
            json.dumps({**dataclasses.asdict(summary), "crop": dataclasses.asdict(crop), "size": size}, indent=2)
        )
        return
    if summary.rejects:
        why = ", ".join(f"{count} {reason}" for reason, count in summary.reasons.items())
        click.echo(f"rejected: {len(summary.rejects)} ({why}), listed in {out / 'rejects.csv'}")
    if summary.several:
        click.echo(f"several faces: {summary.several} images, of which the largest face was taken")
    click.echo(f"wrote {summary.written} faces of {size} pixels to {out}")
