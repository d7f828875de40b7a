"""``fermobile data check``: a table for people, JSON for scripts, a sheet to look at, 3 only when strict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fermobile.data.manifest import DatasetInfo, write_dataset


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A dataset whose one test image is also a training image."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, 48), np.uint8) for _ in range(3)]
    info = DatasetInfo("leaky", emotions=("fear",), action_units=("AU1",))
    with write_dataset(tmp_path / "leaky", info) as writer:
        for image, split in ((images[0], "train"), (images[1], "train"), (images[2], "val"), (images[0], "test")):
            writer.add_array(image, split=split, emotion="fear", aus={"AU1": 1})
    return tmp_path / "leaky"


def test_people_see_counts_and_findings(fermobile: Callable[..., Any], leaky: Path) -> None:
    result = fermobile("data", "check", leaky)
    assert result.exit_code == 0, result.stderr
    assert "leaky: 4 samples" in result.stdout
    assert "AU1" in result.stdout and "2 of 2 (100.0%)" in result.stdout
    assert "error: equal images across splits: 1 images of test (100.0%) have one in train" in result.stdout
    assert result.stderr == ""


def test_strict_fails_on_errors(fermobile: Callable[..., Any], leaky: Path) -> None:
    result = fermobile("data", "check", leaky, "--strict")
    assert result.exit_code == 3
    assert "equal images across splits" in result.stdout
    assert "1 error(s) among the findings" in result.stderr


def test_json(fermobile: Callable[..., Any], leaky: Path) -> None:
    report = json.loads(fermobile("data", "check", leaky, "--json").stdout)
    assert report["emotions"]["train"] == {"fear": 2}
    assert report["equal"]["across"]["test/train"] == 1
    assert report["findings"][0]["code"] == "equal_across_splits"


def test_sheet(fermobile: Callable[..., Any], leaky: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    assert fermobile("data", "check", leaky, "--sheet", sheet).exit_code == 0
    assert cv2.imread(str(sheet)).shape[2] == 3
    assert fermobile("data", "check", leaky, "--sheet", sheet).exit_code == 2
    assert fermobile("data", "check", leaky, "--sheet", sheet, "--force").exit_code == 0
    wrong = fermobile("data", "check", leaky, "--sheet", tmp_path / "sheet.txt")
    assert wrong.exit_code == 2
    assert "choose from: .jpg" in wrong.stderr


def test_a_name_is_no_markup(fermobile: Callable[..., Any], leaky: Path) -> None:
    path = leaky / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": "odd [/x] [red]"}))
    result = fermobile("data", "check", leaky)
    assert result.exit_code == 0, result.stderr
    assert "odd [/x] [red]: 4 samples" in result.stdout


def test_not_a_dataset(fermobile: Callable[..., Any], tmp_path: Path) -> None:
    result = fermobile("data", "check", tmp_path)
    assert result.exit_code == 2
    assert "not a dataset folder" in result.stderr
