"""Model files for the inference tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import models_util
import numpy as np
import pytest


@pytest.fixture
def model_path(tmp_path: Path) -> Callable[..., Path]:
    """``model_path("int8", "uint8", temperature=2.0) -> Path`` of a tiny model that carries its contract."""

    def write(kind: str = "int8", io_type: str = "uint8", **changes: object) -> Path:
        path = tmp_path / f"{kind}_{io_type}.tflite"
        path.write_bytes(models_util.tiny_file(kind, io_type, **changes))
        return path

    return write


@pytest.fixture
def faces() -> list[np.ndarray]:
    """Twelve smooth colour pictures of the tiny model's size."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 256, (12, 4, 4, 3)).astype(np.uint8)
    return [np.kron(c, np.ones((8, 8, 1), np.uint8)) for c in corners]
