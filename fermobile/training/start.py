"""What a recipe starts from: its network's weights and its teachers, and which of them it may not start from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..contract import CONTRACT_FILE, ModelContract
from ..data.joined import JoinedDataset
from ..data.manifest import Dataset
from ..errors import InputError, RunError
from ..files import sha256
from ..models.keras import keras
from ..models.network import NetworkSpec, build_network, copy_weights, set_frozen_vgg
from .recipe import Recipe, recipe_from_dict
from .runs import RUN_FILE, WEIGHTS_FILE, Run, network_spec, read_info

#: Weights that are no path, even where a folder of that name lies about.
_NAMES = ("imagenet", "faces", "none")


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
    if weights in _NAMES:
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
    """The files and run folders that a training by this recipe reads: weights and teachers."""
    weights = [name for name in (recipe.network.weights, recipe.network.frozen_vgg) if name not in _NAMES]
    return [Path(path) for path in (*weights, *recipe.distill.teachers)]


def refuse_other_splits(recipe: Recipe, dataset: Dataset) -> None:
    """Raise InputError when what the recipe starts or learns from was trained on other splits of the dataset.

    What is val or test here was train there.  It may be a run, or added pseudo-labels, or what those came of.
    """
    ours, fold = first_set(dataset.origin)
    seen = {path: learned_from([path]) for path in starting_points(recipe)}
    for part in dataset.parts[1:] if isinstance(dataset, JoinedDataset) else ():
        seen[part.folder] = [tuple(known) for known in part.info.extra.get("pseudo_labels", {}).get("learned_from", [])]
    for path, learned in seen.items():
        for theirs, their_fold in learned:
            if theirs == ours and their_fold != fold:
                splits = "another fold" if their_fold else "the set's own splits"
                raise InputError(
                    f"{path} comes of a training on {splits} of {dataset.folder}, so it has seen faces that are held "
                    "out here: leave it out"
                )


def learned_from(runs: Iterable[Path]) -> list[tuple[str, str | None]]:
    """The sets, as :func:`first_set` names them, that runs were trained on, themselves or through what they began with.

    What is no run, or is gone, counts as none.
    """
    found: list[tuple[str, str | None]] = []
    known, left = set(), list(runs)
    while left:
        path = left.pop()
        if path not in known and (path / RUN_FILE).is_file():
            info = read_info(path)
            found += map(first_set, (info["dataset"], *info["dataset"].get("added", [])))
            left += starting_points(recipe_from_dict(info["recipe"]))
        known.add(path)
    return list(dict.fromkeys(found))


def first_set(origin: Mapping[str, Any]) -> tuple[str, str | None]:
    """Hashes of the set whose val and test splits a training holds out, and of the fold that decides them."""
    return origin.get("first_sha256", origin["sha256"]), origin.get("fold_sha256")


def refuse_other_start(folder: Path, contract: ModelContract) -> None:
    """Raise RunError when what a run in ``folder`` started or learned from has been replaced since.

    Args:
        contract: as it stands before a training.
    """
    then = ModelContract.from_json((folder / CONTRACT_FILE).read_bytes()).provenance.get("recipe")
    if then != json.loads(json.dumps(contract.provenance["recipe"])):
        raise RunError(
            f"{folder} was started from other weights or teachers than lie there now; bring the old ones back, or "
            "start again with --force"
        )


def weights_name(weights: str) -> str:
    """How provenance names the starting weights: a file or run by its name and hash, never by where it lies."""
    if weights in _NAMES:
        return weights
    path = Path(weights)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    return f"{path.name} (sha256 {sha256(file)})" if file.is_file() else weights
