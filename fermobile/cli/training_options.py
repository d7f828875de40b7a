"""What the verbs that train a recipe have in common: their options, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..data.manifest import Dataset
    from ..training.recipe import Recipe

#: A recipe's fields that an option overrides; a parameter is named by the field's path, with two underscores per dot.
_OVERRIDES = (
    click.option("--weights", "network__weights",
                 help="Start from 'imagenet', 'faces', 'none', a Keras weights file, or a run folder."),
    click.option("--backbone", "network__backbone",
                 help="Backbone: mobilenet_v1 or _v2, densenet121 or 201, resnet18, vgg16, awei."),
    click.option("--alpha", "network__alpha", type=float, help="Width multiplier."),
    click.option("--size", "network__size", type=int, help="Input side in pixels."),
    click.option("--frozen-vgg", "network__frozen_vgg", help="VGG-16 whose features Awei adds, said like --weights."),
    click.option("--head-epochs", "head__epochs", type=int, help="Epochs of stage 1, the frozen backbone."),
    click.option("--epochs", "tune__epochs", type=int, help="Epochs of stage 2, fine-tuning."),
    click.option("--batch", "tune__batch", type=int, help="Images per batch of stage 2."),
    click.option("--learning-rate", "tune__learning_rate", type=float, help="Peak learning rate of stage 2."),
    click.option("--unfreeze", "tune__unfreeze", help="First layer that stage 2 trains, or 'all'."),
    click.option("--teacher", "distill__teachers", multiple=True,
                 help="Learn from this run's answers too; may be repeated."),
    click.option("--seed", type=int, help="Seed of everything random."),
)  # fmt: skip

_DATA = (
    click.option("--data", type=click.Path(path_type=Path), required=True, help="Dataset folder."),
    click.option("--add", "added", type=click.Path(path_type=Path), multiple=True,
                 help="Train on the train split of this dataset too; may be repeated."),
)  # fmt: skip


def data_options(command: click.decorators.FC) -> click.decorators.FC:
    """``--data`` and ``--add``, as ``data`` and ``added``."""
    return _with(_DATA, command)


def recipe_options(command: click.decorators.FC) -> click.decorators.FC:
    """The options that override a recipe, for :func:`resolve`."""
    return _with(_OVERRIDES, command)


def _with(options: Sequence[Any], command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(options):
        command = option(command)
    return command


def resolve(name_or_path: str, overrides: Mapping[str, Any]) -> Recipe:
    """The recipe with what the options say otherwise."""
    from ..training.recipe import load_recipe

    given = {name.replace("__", "."): None if value == () else value for name, value in overrides.items()}
    return load_recipe(name_or_path).override(**given)


def with_added(dataset: Dataset, folders: Sequence[Path]) -> Dataset:
    """The dataset joined with those of ``--add``; looks for images of theirs that it holds back."""
    if not folders:
        return dataset
    from ..data.joined import images_to_compare, join
    from ..data.manifest import Dataset
    from .progress import progress

    others = [Dataset(folder) for folder in folders]
    with progress("comparing", images_to_compare(dataset, others), "images") as advance:
        return join(dataset, others, advance)
