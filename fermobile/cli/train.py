"""``fermobile train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("recipe")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Dataset folder, with train and val.")
@click.option("--add", "added", type=click.Path(path_type=Path), multiple=True,
              help="Train on the train split of this dataset too; may be repeated.")  # fmt: skip
@click.option("--fold", type=int, help="Train on this fold of the dataset, from 1, instead of on its own splits.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@click.option("--weights", help="Start from 'imagenet', 'faces', 'none', a Keras weights file, or a run folder.")
@click.option("--backbone", help="Backbone: mobilenet_v1 or _v2, densenet121 or 201, resnet18, vgg16, awei.")
@click.option("--alpha", type=float, help="Width multiplier.")
@click.option("--size", type=int, help="Input side in pixels.")
@click.option("--frozen-vgg", help="VGG-16 whose features Awei adds, said like --weights.")
@click.option("--head-epochs", type=int, help="Epochs of stage 1, the frozen backbone.")
@click.option("--epochs", type=int, help="Epochs of stage 2, fine-tuning.")
@click.option("--batch", type=int, help="Images per batch of stage 2.")
@click.option("--learning-rate", type=float, help="Peak learning rate of stage 2.")
@click.option("--unfreeze", help="First layer that stage 2 trains, or 'all'.")
@click.option("--teacher", "teachers", multiple=True, help="Learn from this run's answers too; may be repeated.")
@click.option("--seed", type=int, help="Seed of everything random.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--force", is_flag=True, help="Replace an existing run.")
@click.option("--json", "as_json", is_flag=True, help="Print the epochs as JSON lines.")
def train(
    recipe: str,
    data: Path,
    added: tuple[Path, ...],
    out: Path,
    resume: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train RECIPE, the name of a shipped recipe or a TOML file, on the train split of a dataset.

    Options override the recipe; the resolved recipe is saved with the run.  The val split stops and selects; it is
    that of --data alone, of which no face may be among those that --add trains on.

    \b
    Example:
      fermobile train mobilenet_v1_emotions --data data/ferplus --out runs/fer
    """
    from ..data.joined import images_to_compare, join
    from ..data.manifest import Dataset
    from ..training.recipe import load_recipe
    from .progress import progress
    from .training_report import TrainingReport, finish

    resolved = load_recipe(recipe).override(
        **{
            "network.weights": options["weights"],
            "network.backbone": options["backbone"],
            "network.alpha": options["alpha"],
            "network.size": options["size"],
            "network.frozen_vgg": options["frozen_vgg"],
            "head.epochs": options["head_epochs"],
            "tune.epochs": options["epochs"],
            "tune.batch": options["batch"],
            "tune.learning_rate": options["learning_rate"],
            "tune.unfreeze": options["unfreeze"],
            "distill.teachers": options["teachers"] or None,
            "seed": options["seed"],
        }
    )
    dataset = Dataset(data, options["fold"])
    if added:
        others = [Dataset(folder) for folder in added]
        with progress("comparing", images_to_compare(dataset, others), "images") as advance:
            dataset = join(dataset, others, advance)
    from ..training import transfer  # only now: what is wrong so far is said before TensorFlow's seconds

    run = transfer.train(resolved, dataset, out, resume, force, TrainingReport(as_json))
    finish(run.folder, f"fermobile quantize {run.folder} --out {run.folder}-qat", as_json)
