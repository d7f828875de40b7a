"""``fermobile train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .training_options import data_options, recipe_options, resolve, with_added


@click.command()
@click.argument("recipe")
@data_options
@click.option("--fold", type=int, help="Train on this fold of the dataset, from 1, instead of on its own splits.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@recipe_options
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--force", is_flag=True, help="Replace an existing run.")
@click.option("--json", "as_json", is_flag=True, help="Print the epochs as JSON lines.")
def train(
    recipe: str,
    data: Path,
    added: tuple[Path, ...],
    fold: int | None,
    out: Path,
    resume: bool,
    force: bool,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Train RECIPE, the name of a shipped recipe or a TOML file, on the train split of a dataset.

    Options override the recipe; the resolved recipe is saved with the run.  The val split stops and selects; it is
    that of --data alone, of which no face may be among those that --add trains on.

    \b
    Example:
      fermobile train mobilenet_v1_emotions --data data/ferplus --out runs/fer
    """
    from ..data.manifest import Dataset
    from .training_report import TrainingReport, finish

    resolved = resolve(recipe, overrides)
    dataset = with_added(Dataset(data, fold), added)
    from ..training import transfer  # only now: what is wrong so far is said before TensorFlow's seconds

    run = transfer.train(resolved, dataset, out, resume, force, TrainingReport(as_json))
    finish(run.folder, f"fermobile quantize {run.folder} --out {run.folder}-qat", as_json)
