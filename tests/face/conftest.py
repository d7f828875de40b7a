"""One detector for all tests of the front end: making it takes longer than using it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fermobile.face.detector import Detector


@pytest.fixture(scope="session")
def detector() -> Iterator[Detector]:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    with Detector() as made:
        yield made
