"""``fermobile data measure``: how an already cropped dataset frames its faces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np

    from ..data.manifest import Dataset
    from ..face.geometry import CropMeasurement


@click.command("measure")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="train", show_default=True,
              help="Split whose images are measured.")  # fmt: skip
@click.option("--sample", type=click.IntRange(min=20), default=3000, show_default=True,
              help="Number of images measured, drawn at random with a fixed seed.")  # fmt: skip
@click.option("--write", is_flag=True, help="Record the result in the dataset, for training to pass on to the model.")
@click.option(
    "--sheet", type=click.Path(path_type=Path), help="Draw the mean image with all eyes into this image file."
)
@click.option("--force", is_flag=True, help="Replace the image file, and a crop that is known exactly.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurement as JSON.")
def data_measure(
    dataset: Path, split: str, sample: int, write: bool, sheet: Path | None, force: bool, as_json: bool
) -> None:
    """Measure where the eyes lie in the images of DATASET, a set of faces that came already cropped.

    A model sees a user's photo rightly only if its face is framed like the images it was trained on.  Sets made
    by 'data crop' and 'data synth' know their framing already; for others it is the median over those faces
    that the detector finds and that look ahead.

    \b
    Example:
      fermobile data measure data/ferplus --write --sheet framing.png
    """
    import json

    import numpy as np

    from ..data.images import check_image_target, write_image
    from ..data.info import set_crop
    from ..data.manifest import Dataset
    from ..errors import DatasetError
    from ..face.detector import Detector
    from ..face.geometry import draw_measurement, measure_crop
    from .progress import progress

    if sheet is not None:
        check_image_target(sheet, force)
    data = Dataset(dataset)
    if write and data.info.exactly_framed and not force:
        raise DatasetError(
            f"{dataset}: 'data crop' or 'data synth' put every eye where the recorded crop says, which no measurement "
            "betters; leave out --write, or pass --force to replace it"
        )
    rows = data.indices(split)
    rows = np.sort(np.random.default_rng(0).choice(rows, min(sample, len(rows)), replace=False))
    readable: list[int] = []
    with progress("measure", len(rows), "images") as advance, Detector(tile=False) as detector:

        def images() -> Iterator[np.ndarray]:
            for row in rows.tolist():
                advance(1)
                image = _read(data, row)
                if image is not None:
                    readable.append(row)
                    yield image

        result = measure_crop(images(), detector)
    if sheet is not None:
        write_image(sheet, draw_measurement(result))
    if write:
        set_crop(dataset, result.crop)
    summary = _summary(result, data.emotion[readable], len(rows) - len(readable))
    click.echo(json.dumps(summary, indent=2) if as_json else _text(summary))


def _read(data: Dataset, row: int) -> np.ndarray | None:
    from ..errors import DatasetError, ImageError

    try:
        return data.image(row)
    except (ImageError, DatasetError):
        return None


def _summary(result: CropMeasurement, emotions: np.ndarray, unreadable: int) -> dict[str, Any]:
    """The measurement as plain values; ``emotions`` holds one label per image read, "" where there is none."""
    import dataclasses

    from ..labels import EMOTIONS

    found = {}
    for name in EMOTIONS:
        chosen = emotions == name
        if chosen.any():
            found[name] = {"images": int(chosen.sum()), "found": int(result.found[chosen].sum())}
    return {
        "crop": dataclasses.asdict(result.crop),
        "images": len(result.found),
        "unreadable": unreadable,
        "found": int(result.found.sum()),
        "frontal": int(result.frontal.sum()),
        "quartiles": {name: [round(v, 4) for v in values] for name, values in result.quartiles.items()},
        "found_by_emotion": found,
    }


def _text(summary: dict[str, Any]) -> str:
    share = summary["found"] / summary["images"]
    lines = [
        f"{summary['images']} images: a face found in {summary['found']} ({share:.1%}), "
        f"{summary['frontal']} of them near-frontal",
        "",
        f"{'':24}   25 %  median   75 %",
    ]
    names = {
        "eye_distance": "eye distance / side",
        "eye_x": "middle of eyes, x / side",
        "eye_y": "middle of eyes, y / side",
        "roll": "roll, degrees",
    }
    for key, name in names.items():
        lines.append(f"{name:24} " + " ".join(f"{value:7.3f}" for value in summary["quartiles"][key]))
    if summary["found_by_emotion"]:
        rates = [f"{e} {c['found'] / c['images']:.1%} of {c['images']}" for e, c in summary["found_by_emotion"].items()]
        lines += ["", "found: " + ", ".join(rates)]
    if summary["unreadable"]:
        lines += [
            "",
            f"left out: {summary['unreadable']} images that cannot be read; 'fermobile data check' lists them",
        ]
    crop = summary["crop"]
    lines += ["", f"crop: eye distance {crop['eye_distance']:.3f}, eye height {crop['eye_y']:.3f}"]
    return "\n".join(lines)
