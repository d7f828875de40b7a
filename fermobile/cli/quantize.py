"""``fermobile quantize``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@click.option("--data", type=click.Path(path_type=Path), help="Dataset folder, if it moved since the training.")
@click.option("--epochs", type=int, help="Epochs of fine-tuning.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--batch", type=int, help="Images per batch.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--force", is_flag=True, help="Replace an existing run.")
@click.option("--json", "as_json", is_flag=True, help="Print the epochs as JSON lines.")
def quantize(
    run: Path,
    out: Path,
    data: Path | None,
    epochs: int | None,
    learning_rate: float | None,
    batch: int | None,
    resume: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Fine-tune RUN with simulated int8 arithmetic, so that its int8 export stays as right as it is.

    \b
    Example:
      fermobile quantize runs/fer --out runs/fer-qat
    """
    import dataclasses

    from ..training.runs import Run
    from .training_report import TrainingReport, finish

    opened = Run.open(run)
    changes = {"quantize.epochs": epochs, "quantize.learning_rate": learning_rate, "quantize.batch": batch}
    opened = dataclasses.replace(opened, recipe=opened.recipe.override(**changes))
    dataset = opened.open_dataset(data)
    from ..training import quantization_aware

    result = quantization_aware.quantize(opened, dataset, out, resume, force, TrainingReport(as_json))
    finish(result.folder, f"fermobile export {result.folder} --int8 -o model.tflite", as_json)
