"""One detector and one landmarker for all tests of the front end: making them takes longer than using them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fermobile.face.detector import Detector
from fermobile.face.landmarker import Landmarker


@pytest.fixture(scope="session")
def detector() -> Iterator[Detector]:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    with Detector() as made:
        yield made


@pytest.fixture(scope="session")
def landmarker(shared: Path) -> Iterator[Landmarker]:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    with Landmarker(shared / "mediapipe" / "face_landmarker.task") as made:
        yield made
