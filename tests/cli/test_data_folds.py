"""``fermobile data folds``: subject-exclusive folds of any set that knows its subjects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Twelve images of four people."""
    with write_dataset(tmp_path / "people", DatasetInfo("people")) as writer:
        for i in range(12):
            writer.add_array(np.full((4, 4), i, np.uint8), split="train", subject=f"S{i % 4}")
    return tmp_path / "people"


def test_folds_are_written_and_printed(fermobile: Callable[..., Any], people: Path) -> None:
    before = Dataset(people)
    result = fermobile("data", "folds", people, "--count", "2")
    assert result.exit_code == 0, result.stderr
    assert [line.partition(" (")[0] for line in result.stdout.splitlines()] == [
        "fold 1: 6 images of 2 subjects",
        "fold 2: 6 images of 2 subjects",
    ]
    after = Dataset(people)
    assert after.sha256 == before.sha256 == after.content_sha256()
    assert sorted(s for fold in after.info.folds for s in fold) == ["S0", "S1", "S2", "S3"]


def test_json_and_the_seed(fermobile: Callable[..., Any], people: Path) -> None:
    told = json.loads(fermobile("data", "folds", people, "--count", "4", "--seed", "3", "--json").stdout)
    assert [entry["images"] for entry in told["folds"]] == [3, 3, 3, 3]
    assert tuple(tuple(entry["subjects"]) for entry in told["folds"]) == Dataset(people).info.folds


def test_folds_that_are_there_are_kept(fermobile: Callable[..., Any], people: Path) -> None:
    assert fermobile("data", "folds", people, "--count", "2").exit_code == 0
    folds = Dataset(people).info.folds
    again = fermobile("data", "folds", people, "--count", "4")
    assert again.exit_code == 2 and "has 2 folds already; pass --force" in again.stderr
    assert Dataset(people).info.folds == folds
    assert fermobile("data", "folds", people, "--count", "4", "--force").exit_code == 0
    assert len(Dataset(people).info.folds) == 4


def test_a_set_without_subjects_is_refused(fermobile: Callable[..., Any], tmp_path: Path) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d")) as writer:
        writer.add_array(np.zeros((4, 4), np.uint8), split="train")
    result = fermobile("data", "folds", tmp_path / "d", "--count", "2")
    assert result.exit_code == 2
    assert "folds by image would put one person on both sides" in result.stderr
