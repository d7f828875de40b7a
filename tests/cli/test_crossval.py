"""``fermobile crossval``: a run per fold, a table, folds.json and a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.info import set_folds
from fermobile.data.manifest import DatasetInfo, write_dataset

RECIPE = """
tasks = ["emotion", "au"]
[network]
weights = "imagenet"
size = 32
[head]
views = 0
"""
TINY = ["--weights", "none", "--alpha", "0.25", "--epochs", "0", "--head-epochs", "1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """48 people, of whom the last third never shows AU12."""
    rng = np.random.default_rng(0)
    with write_dataset(tmp_path / "data", DatasetInfo("d", ("neutral", "happiness"), ("AU4", "AU12"))) as writer:
        for i in range(48):
            image = rng.integers(0, 100, (32, 32)).astype(np.uint8) + np.uint8(100 * (i % 2))
            units = {"AU4": i // 2 % 2, "AU12": int(i < 32 and i % 2)}
            writer.add_array(
                image, split="train", subject=f"s{i:02}", emotion=("neutral", "happiness")[i % 2], aus=units
            )
    return tmp_path / "data"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path / "tiny.toml"


def test_folds_are_trained_tested_and_told(
    fermobile: Callable[..., Any], data: Path, recipe: Path, tmp_path: Path
) -> None:
    pytest.importorskip("scipy")
    set_folds(data, tuple(tuple(f"s{i:02}" for i in range(first, first + 16)) for first in (0, 16, 32)))
    out = tmp_path / "cv"
    done = fermobile("crossval", recipe, "--data", data, "--out", out, *TINY)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "F1 per emotion" in done.stdout and "F1 per action unit at threshold 0.5" in done.stdout
    row = next(line.split() for line in lines if line.split()[:1] == ["macro-F1"])
    told = json.loads((out / "folds.json").read_text())
    figure = told["summary"]["emotion"]["figures"]["macro_f1"]
    assert [row[1], row[2], *row[-3:]] == [f"{v:.3f}" for v in (figure["mean"], figure["sd"], *figure["values"])]
    assert "fold 3: no test face shows AU12; left out of its means" in lines
    assert "head   1  fold 3" in done.stderr
    assert {p.name for p in out.iterdir()} == {"fold-1", "fold-2", "fold-3", "folds.json", "report.html"}
    assert (out / "fold-2" / "report.html").exists()

    taken = fermobile("crossval", recipe, "--data", data, "--out", out, *TINY)
    assert taken.exit_code == 2 and "--force" in taken.stderr
    again = fermobile("crossval", recipe, "--data", data, "--out", out, *TINY, "--resume", "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == told
    assert "head   1" not in again.stderr
    other = fermobile("crossval", recipe, "--data", data, "--out", out, *TINY, "--seed", "9", "--resume")
    assert other.exit_code == 2 and "was started with another recipe" in other.stderr


def test_a_set_without_folds_says_how_to_make_them(
    fermobile: Callable[..., Any], data: Path, recipe: Path, tmp_path: Path
) -> None:
    done = fermobile("crossval", recipe, "--data", data, "--out", tmp_path / "cv")
    assert done.exit_code == 2
    assert f"has no folds; make some with: fermobile data folds {data} --count 5" in done.stderr
    assert not (tmp_path / "cv").exists()
