"""``fermobile data synth``: render synthetic faces with exact labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Dataset folder to write.")
@click.option("--count", default=4000, show_default=True, type=click.IntRange(min=1), help="Number of faces.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Same seed, same bytes.")
@click.option("--size", default=96, show_default=True, type=click.IntRange(16, 1024), help="Side of a face in pixels.")
@click.option(
    "--eye-distance",
    type=click.FloatRange(0.05, 1.0),
    help="Distance of the eyes, as a fraction of the side.  [default: 0.31]",
)
@click.option(
    "--eye-y",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Height of the eyes below the upper edge, as a fraction of the side.  [default: 0.36]",
)
@click.option("--mesh", metavar="ict:PATH", help="Render ICT-FaceKit's mesh (its .npz) instead of the built-in one.")
@click.option("--rates", metavar="disfa", help="Action units as often and as strong as in DISFA; no emotions.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option("--sheet", type=click.Path(path_type=Path), help="Also draw the named expressions into this image file.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--force", is_flag=True, help="Replace existing output.")
def data_synth(
    out: Path,
    count: int,
    seed: int,
    size: int,
    eye_distance: float | None,
    eye_y: float | None,
    mesh: str | None,
    rates: str | None,
    workers: int | None,
    sheet: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Render synthetic faces with exact emotion, action-unit, keypoint and subject labels.

    Subjects never cross splits; 70 % are for training, 15 % for validation, 15 % for testing.

    To train on rendered and real faces together, frame both alike: --eye-distance and --eye-y of the real ones.

    With --rates disfa only that set's eight action units are shown and labelled, at its frequencies and
    intensities, 100 faces per person.

    \b
    Example:
      fermobile data synth --out data/synth --count 4000 --sheet sheet.png
      fermobile data synth --out data/units --count 20000 --rates disfa --mesh ict:ict_facekit_light.npz
    """
    import json
    import time

    from ..contract import CropSpec
    from ..data.images import check_image_target, write_image
    from ..data.synthetic import DEFAULT_CROP, contact_sheet, write_synthetic
    from .progress import progress

    if sheet is not None:
        if sheet.absolute() == out.absolute():
            raise click.BadParameter(f"{sheet} is the dataset folder too; choose another path", param_hint="--sheet")
        check_image_target(sheet, force)
    crop = CropSpec(
        eye_distance=DEFAULT_CROP.eye_distance if eye_distance is None else eye_distance,
        eye_y=DEFAULT_CROP.eye_y if eye_y is None else eye_y,
    )
    start = time.monotonic()
    with progress("rendering", count, "faces") as advance:
        write_synthetic(
            out, count, seed, size, crop, mesh=mesh, rates=rates, workers=workers, force=force, advance=advance
        )
    seconds = time.monotonic() - start
    if sheet is not None:
        write_image(sheet, contact_sheet(seed, mesh=mesh))
    summary = {**_summary(out), "seconds": round(seconds, 2), "faces_per_second": round(count / seconds, 1)}
    if as_json:
        click.echo(json.dumps(summary))
        return
    splits = ", ".join(f"{name} {n}" for name, n in summary["splits"].items())
    click.echo(f"{out}: {count} faces of {summary['subjects']} people ({splits})")
    click.echo(f"{summary['faces_per_second']} faces/s, sha256 {summary['sha256'][:16]}")


def _summary(folder: Path) -> dict[str, Any]:
    """Counts of what was written."""
    from collections import Counter

    from ..data.manifest import SPLITS, Dataset

    data = Dataset(folder)
    splits, emotions = Counter(data.split), Counter(data.emotion)
    return {
        "folder": str(folder),
        "count": len(data),
        "subjects": len(set(data.subject)),
        "splits": {name: splits[name] for name in SPLITS},
        "emotions": {name: emotions[name] for name in data.info.emotions},
        "action_units": {u: int(data.aus[:, i].sum()) for i, u in enumerate(data.info.action_units)},
        "sha256": data.sha256,
    }
