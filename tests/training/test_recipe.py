from __future__ import annotations

import json
from pathlib import Path

import pytest

from fermobile.errors import InputError
from fermobile.training.recipe import Recipe, load_recipe, recipe_from_dict, shipped_recipes


def test_every_shipped_recipe_loads_and_begins_with_what_it_is() -> None:
    assert "mobilenet_v1_emotions" in shipped_recipes()
    for name in shipped_recipes():
        assert load_recipe(name).name == name
        text = (Path(load_recipe.__code__.co_filename).parent / "recipes" / f"{name}.toml").read_text()
        assert text.startswith("# "), f"{name} must say what it is, what to expect and how long it takes"


def test_a_recipe_survives_json() -> None:
    recipe = load_recipe("mobilenet_v1_emotions")
    assert recipe_from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_overrides_change_nested_fields_and_none_leaves_them() -> None:
    recipe = Recipe("r").override(**{"tune.epochs": 3, "network.alpha": None, "seed": 7})
    assert (recipe.tune.epochs, recipe.network.alpha, recipe.seed) == (3, 1.0, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "unknown entry sed; known: name, tasks"),
        ("[tune]\nepoch = 1", "unknown entry tune.epoch; known: tune.epochs"),
        ("[tune]\nepochs = 'many'", "tune.epochs must be int, not 'many'"),
        ("seed = true", "seed must be int"),
        ("tune = 3", "tune must be a table"),
        ("tasks = ['gender']", "tasks"),
        ("[network]\nsize = 100", "multiple of 32"),
        ("[head]\nepochs = 0\n[tune]\nepochs = 0", "nothing to train"),
        ("ema = 1.0", "ema"),
        ("[labels]\nsmoothing = -0.1", "smoothing"),
        ("[tune]\nlearning_rate = -1e-3", "tune.learning_rate -0.001 is not a positive number"),
        ("[head]\nlearning_rate = inf", "head.learning_rate inf is not a positive number"),
        ("[quantize]\nlearning_rate = nan", "quantize.learning_rate nan is not a positive number"),
        ("[quantize]\nepochs = 0", "quantize.epochs must be at least 1"),
        ("seed = -1", "seed -1 is not in 0..4294967295"),
        ("seed = 5000000000", "seed 5000000000 is not in"),
        ("[augment]\nerase = 0.01", "augment.erase 0.01: 0, or 0.02 to 1"),
        ("[augment]\nzoom = 1.5", "augment.zoom 1.5 is not below 1"),
        ("[augment]\nrotate = nan", "augment.rotate nan is not"),
        ("tasks = ['au']\n[labels]\nsmoothing = 0.2", "labels.smoothing and balance are of emotions"),
        ("[labels]\nau_balance = 1.0", "labels.au_balance is set, but 'au' is not among the tasks"),
        ("x = ", "Invalid value"),
    ],
)
def test_a_wrong_recipe_says_where_and_what(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_recipe(str(path))
    assert message in str(error.value) and str(path) in str(error.value)


def test_an_unknown_recipe_lists_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"shipped: .*mobilenet_v1_emotions"):
        load_recipe("mobilenet_v9")


def test_every_entry_stands_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    values = recipe_from_dict({"name": "r"}).to_dict()
    entries = [key for section in values.values() if isinstance(section, dict) for key in section]
    missing = [key for key in (*values, *entries) if f"`{key}`" not in text and f"[{key}]" not in text]
    assert missing == ["name"]
