from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.bench.photo import STAGES, measure_photo
from fermobile.bench.rows import read_rows
from fermobile.data.images import write_image
from fermobile.errors import InputError
from fermobile.inference.session import DEFAULT_MODEL

pytest.importorskip("mediapipe", reason="faces in photos need mediapipe")


def test_a_photos_way_is_told_by_stage(fermobile: Callable[..., Any], portrait: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", portrait)
    quick = ("--seconds", 0.1, "--rounds", 1, "--cooldown", 0, "--photo", tmp_path / "photo.png")
    result = fermobile("bench", "desktop", DEFAULT_MODEL, *quick, "-o", tmp_path / "rows.jsonl")
    assert result.exit_code == 0, result.stderr
    (row,) = read_rows(tmp_path / "rows.jsonl")
    assert tuple(row.stages_ms) == STAGES
    assert min(row.stages_ms.values()) > 0
    assert "a photo takes decode" in result.stdout


def test_a_photo_without_a_face_is_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(InputError, match=r"wall\.png: no face is found"):
        measure_photo(DEFAULT_MODEL, tmp_path / "wall.png", 1, 0.1)
