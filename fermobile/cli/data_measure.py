"""``fermobile data measure``: how an already cropped dataset frames its faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np

    from ..face.geometry import CropMeasurement


@click.command("measure")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="train", show_default=True,
              help="Split whose images are measured.")  # fmt: skip
@click.option("--sample", type=click.IntRange(min=20), default=3000, show_default=True,
              help="Number of images measured, drawn at random with a fixed seed.")  # fmt: skip
@click.option("--write", is_flag=True, help="Record the result in the dataset, for training to pass on to the model.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Draw the mean image with all eyes into this PNG.")
@click.option("--force", is_flag=True, help="Replace the PNG.")
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

    from ..data.manifest import Dataset, set_crop
    from ..face.detector import Detector
    from ..face.geometry import draw_measurement, mean_image, measure_crop
    from ..files import refuse_existing, write_bytes
    from .progress import progress

    if sheet is not None:
        refuse_existing(sheet, force)
    data = Dataset(dataset)
    rows = data.indices(split)
    rows = np.sort(np.random.default_rng(0).choice(rows, min(sample, len(rows)), replace=False))
    with progress("measure", len(rows), "images") as advance, Detector(tile=False) as detector:

        def images() -> Any:
            for row in rows:
                yield data.image(int(row))
                advance(1)

        result = measure_crop(images(), detector)
    if sheet is not None:
        write_bytes(sheet, _png(draw_measurement(mean_image(data.image(int(row)) for row in rows), result)))
    if write:
        set_crop(dataset, result.crop)
    summary = _summary(result, data.emotion[rows])
    click.echo(json.dumps(summary, indent=2) if as_json else _text(summary))


def _png(image: np.ndarray) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", image[..., ::-1])[1])


def _summary(result: CropMeasurement, emotions: np.ndarray) -> dict[str, Any]:
    """The measurement as plain values; ``emotions`` holds one label per image, "" where there is none."""
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
    crop = summary["crop"]
    lines += ["", f"crop: eye distance {crop['eye_distance']:.3f}, eye height {crop['eye_y']:.3f}"]
    return "\n".join(lines)
