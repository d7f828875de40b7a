"""Small datasets in the layouts in which they are distributed; every image is drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

VOTES_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def smooth_image(seed: int, side: int = 48, channels: int = 1) -> np.ndarray:
    """A random image without fine detail, uint8 (side, side) or (side, side, 3); two seeds look unlike each other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, channels), np.uint8)
    return np.squeeze(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(name="smooth_image")
def _smooth_image() -> Callable[..., np.ndarray]:
    return smooth_image


@pytest.fixture
def write_fer(tmp_path: Path) -> Callable[..., Path]:
    """``write_fer([(label, seed or pixel text, usage)…], votes=[…])`` writes fer2013.csv (and fer2013new.csv)."""

    def write(
        rows: Sequence[tuple[object, int | str, str]],
        votes: Sequence[str] | None = None,
        header: str = "emotion,pixels,Usage",
    ) -> Path:
        folder = tmp_path / "fer2013"
        folder.mkdir(exist_ok=True)
        lines = [header]
        for label, pixels, usage in rows:
            text = pixels if isinstance(pixels, str) else " ".join(map(str, smooth_image(pixels).ravel()))
            lines.append(f"{label},{text},{usage}")
        (folder / "fer2013.csv").write_text("\n".join(lines) + "\n")
        if votes is not None:
            (folder / "fer2013new.csv").write_text("\n".join([VOTES_HEADER, *votes]) + "\n")
        return folder

    return write


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    """``write_folder({"train/happy": 3, …})`` writes that many PNG files per class folder."""

    def write(counts: dict[str, int], channels: int = 3) -> Path:
        root = tmp_path / "images"
        seed = 0
        for name, count in counts.items():
            (root / name).mkdir(parents=True)
            for i in range(count):
                seed += 1
                cv2.imwrite(str(root / name / f"{i:03d}.png"), smooth_image(seed, 64, channels))
        return root

    return write
