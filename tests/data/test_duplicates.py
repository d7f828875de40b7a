"""Equal and similar images are found, and only those."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from fermobile.data.duplicates import NEAR, digest, duplicate_pairs, is_blank, near_pairs, thumbnail

Draw = Callable[..., np.ndarray]


def pairs_of(images: list[np.ndarray]) -> tuple[list[list[int]], list[list[int]]]:
    equal, near = duplicate_pairs([digest(i) for i in images], np.stack([thumbnail(i) for i in images]))
    return equal.tolist(), near.tolist()


def test_equal_images_pair_with_the_first(smooth_image: Draw) -> None:
    a, b = smooth_image(1), smooth_image(2)
    assert pairs_of([a, b, a, a]) == ([[0, 2], [0, 3]], [])


@pytest.mark.parametrize(
    "change",
    [
        lambda i: cv2.convertScaleAbs(i, alpha=0.7, beta=20),  # darker, less contrast
        lambda i: cv2.GaussianBlur(i, (5, 5), 1.5),
        lambda i: cv2.resize(i, (96, 96)),
        lambda i: cv2.imdecode(cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE),
        lambda i: cv2.cvtColor(i, cv2.COLOR_GRAY2RGB),
        lambda i: cv2.putText(i.copy(), "stock", (6, 44), cv2.FONT_HERSHEY_PLAIN, 0.7, 255),  # a watermark
    ],
)
def test_the_same_photo_changed_is_a_near_duplicate(smooth_image: Draw, change: Callable[..., np.ndarray]) -> None:
    images = [smooth_image(seed) for seed in range(200)]
    assert pairs_of([*images, change(images[7])]) == ([], [[7, 200]])


@pytest.mark.parametrize("detail", [5, 6, 8, 12])
def test_finds_what_comparing_all_with_all_finds(detail: int) -> None:
    rng = np.random.default_rng(0)
    draw = (rng.integers(0, 256, (detail, detail), np.uint8) for _ in range(300))
    base = np.stack([thumbnail(cv2.resize(coarse, (32, 32))) for coarse in draw])
    noisy = np.clip(base[:150] + rng.normal(0, 6, (150, 256)), 0, 255).astype(np.uint8)
    thumbnails = np.concatenate([base, noisy])
    correlation = np.corrcoef(thumbnails.astype(float))
    expected = {(a, b) for a, b in np.argwhere(correlation >= NEAR + 1e-4).tolist() if a < b}
    found = {(a, b) for a, b in near_pairs(thumbnails).tolist()}
    assert len(expected) >= 140
    assert len(found & expected) >= 0.98 * len(expected)
    assert all(correlation[a, b] >= NEAR - 1e-4 for a, b in found)


def test_blank_images_are_not_similar_to_anything() -> None:
    images = [np.full((48, 48), level, np.uint8) for level in (0, 1, 200)]
    assert pairs_of(images) == ([], [])
    assert is_blank(np.stack([thumbnail(i) for i in images])).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_images(smooth_image: Draw, count: int) -> None:
    thumbnails = np.array([thumbnail(smooth_image(i)) for i in range(count)], np.uint8).reshape(count, 256)
    equal, near = duplicate_pairs([bytes([i]) for i in range(count)], thumbnails)
    assert equal.shape == near.shape == (0, 2)


def test_many_alike_frames_stay_bounded() -> None:
    frame = np.random.default_rng(0).integers(0, 256, 256).astype(np.int16)
    noise = np.random.default_rng(1).integers(-2, 3, (2000, 256))
    near = near_pairs(np.clip(frame + noise, 0, 255).astype(np.uint8))
    # All are alike: 2,000 * 1,999 / 2 pairs.  Only neighbours in 16 tables are compared.
    assert 2000 < len(near) <= 2000 * 64 * 16


def test_digest_tells_shape_and_channels(smooth_image: Draw) -> None:
    grey = smooth_image(1)
    assert len({digest(grey), digest(grey.reshape(24, 96)), digest(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))}) == 3
