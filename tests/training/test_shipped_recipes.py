"""Each shipped recipe trains: its network, head, losses and method, on tiny faces and from random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from fermobile.data.manifest import Dataset
from fermobile.training.recipe import load_recipe, shipped_recipes
from fermobile.training.scoring import predict_rows
from fermobile.training.transfer import train

_TINY = {"network.size": 32, "network.weights": "none", "head.epochs": 1, "tune.epochs": 1, "tune.batch": 16}


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_trains(name: str, patterns: Dataset, tmp_path: Path) -> None:
    recipe = load_recipe(name).override(**_TINY, **{"network.frozen_vgg": "none", "self_cure.relabel_from": 1})
    run = train(recipe, patterns, tmp_path / "run")
    scores = predict_rows(run.load_model(), patterns, patterns.indices("test"), run.contract)
    assert set(scores) == set(recipe.tasks)
    assert {row["stage"] for row in run.metrics()} == {"head", "tune"}
