from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fermobile.data.augment import NONE, Augment, augmented
from fermobile.data.images import resize_square

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("size", [32, 48, 96])
def test_no_augmentation_is_the_plain_resize(size: int) -> None:
    view = augmented(IMAGE, size, NONE, rng())
    # A warp rounds its coordinates to 1/32 of a pixel.
    assert np.abs(view.astype(int) - resize_square(IMAGE, size)).mean() < 1.5


def test_a_flip_is_the_mirrored_image() -> None:
    how = dataclasses.replace(NONE, flip=True)
    views = {augmented(IMAGE, 48, how, rng(seed)).tobytes() for seed in range(20)}
    assert views == {IMAGE.tobytes(), IMAGE[:, ::-1].tobytes()}


def test_a_shift_moves_the_image_by_at_most_its_fraction() -> None:
    dot = np.zeros((64, 64, 3), np.uint8)
    dot[30:34, 30:34] = 255
    how = dataclasses.replace(NONE, shift=0.1)
    centres = []
    for seed in range(60):
        view = augmented(dot, 64, how, rng(seed))[..., 0].astype(float)
        centres.append([(view.sum(axis) * np.arange(64)).sum() / view.sum() for axis in (0, 1)])
    moved = np.abs(np.array(centres) - 31.5)
    assert moved.max() <= 6.5 and moved.max() > 5


def test_grey_views_may_become_coloured_and_stay_uint8() -> None:
    grey = np.repeat(IMAGE[..., :1], 3, axis=2)
    how = dataclasses.replace(NONE, color=0.4)
    views = [augmented(grey, 48, how, rng(seed)) for seed in range(40)]
    spread = [np.ptp(v.astype(int), axis=2).max() for v in views]
    assert 5 < sum(s == 0 for s in spread) < 35 and max(spread) > 20
    assert all(v.dtype == np.uint8 and v.shape == (48, 48, 3) for v in views)


def test_erasing_covers_no_more_than_asked() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    how = dataclasses.replace(NONE, erase=0.25)
    covered = [(augmented(white, 64, how, rng(seed)) != 255).any(axis=2).mean() for seed in range(60)]
    assert max(covered) <= 0.26 and max(covered) > 0.1 and min(covered) == 0


def test_the_same_generator_gives_the_same_view() -> None:
    views = [augmented(IMAGE, 96, Augment(erase=0.2), rng(seed)).tobytes() for seed in (1, 1, 2)]
    assert views[0] == views[1] != views[2]
