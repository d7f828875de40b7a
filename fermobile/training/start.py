"""The network that a recipe starts from, and how provenance names its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..contract import ModelContract
from ..errors import InputError
from ..files import sha256
from ..models.keras import keras
from ..models.network import NetworkSpec, build_network, copy_weights, set_frozen_vgg
from .recipe import Recipe
from .runs import WEIGHTS_FILE, Run, network_spec


def initial_network(recipe: Recipe, contract: ModelContract) -> keras.Model:
    """The network with the weights that the recipe names, those of Awei's frozen VGG among them.

    Raises:
        InputError: there are no such weights, or they are another network's.
        ModelFileError: a weights file does not fit.
    """
    spec = network_spec(recipe, contract)
    model = _network(spec, recipe.network.weights)
    if spec.frozen_vgg:
        vgg = dataclasses.replace(spec, backbone="vgg16", frozen_vgg=False)
        set_frozen_vgg(model, _network(vgg, recipe.network.frozen_vgg))
    return model


def _network(spec: NetworkSpec, weights: str) -> keras.Model:
    if weights in ("imagenet", "faces", "none"):
        return build_network(spec, None if weights == "none" else weights)
    path = Path(weights)
    if not path.exists():
        raise InputError(
            f"weights {weights!r}: choose 'imagenet', 'faces', 'none', a Keras weights file, or a run folder"
        )
    if path.is_file():
        return build_network(spec, weights)
    run = Run.open(path)
    if run.recipe.network.backbone != spec.backbone:
        raise InputError(f"{path}: that run's backbone is {run.recipe.network.backbone}, not {spec.backbone}")
    model = build_network(spec)
    if not copy_weights(run.load_model(), model):
        raise InputError(f"{path}: that run's network shares no layer with {spec.backbone} at alpha {spec.alpha}")
    return model


def starting_points(recipe: Recipe) -> list[Path]:
    """What a training by this recipe reads: weights and teachers, some of which may be names that are no files."""
    network = recipe.network
    return [Path(path) for path in (network.weights, network.frozen_vgg, *recipe.distill.teachers)]


def weights_name(weights: str) -> str:
    """How provenance names the starting weights: a file or run by its name and hash, never by where it lies."""
    path = Path(weights)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    return f"{path.name} (sha256 {sha256(file)})" if file.is_file() else weights
