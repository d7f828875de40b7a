"""A dataset small enough to train on in seconds: each emotion is a pattern, each action unit a bright corner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

EMOTIONS = ("neutral", "happiness", "surprise")
AUS = ("AU4", "AU12")


def write_patterns(folder: Path, count: int = 96, votes: bool = False, seed: int = 0) -> Dataset:
    """32 px images whose stripes tell the emotion and whose corners tell the action units."""
    rng = np.random.default_rng(seed)
    info = DatasetInfo("patterns", EMOTIONS, AUS, EMOTIONS if votes else (), licence="CC0", crop=CropSpec(0.4, 0.4))
    with write_dataset(folder, info) as writer:
        for i in range(count):
            kind, units = int(rng.integers(3)), rng.integers(0, 2, 2)
            image = rng.integers(60, 120, (32, 32, 3)).astype(np.uint8)
            image[:, :: kind + 2] //= 2
            for unit, at in zip(units, (0, 24), strict=True):
                image[0:8, at : at + 8] = 230 if unit else 20
            labels = {
                "emotion": EMOTIONS[kind],
                "votes": tuple(8.0 if k == kind else 1.0 for k in range(3)) if votes else (),
                # every fifth row carries no AU labels at all
                "aus": {} if i % 5 == 0 else dict(zip(AUS, map(int, units), strict=True)),
            }
            writer.add_array(image, split=("train", "train", "val", "test")[i % 4], subject=f"s{i}", **labels)
    return Dataset(folder)


@pytest.fixture(scope="session")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_patterns(tmp_path_factory.mktemp("patterns") / "set")
