"""The rasteriser against a slow one that looks at every pixel and triangle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fermobile.data.synthetic.raster import cover, interpolate, vertex_normals


def _slow(points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    out = np.full((size, size), -1)
    pixel = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5
    for t in sorted(range(len(triangles)), key=lambda t: -depth[triangles[t]].sum()):
        a, b, c = points[triangles[t]]
        inside = np.ones((size, size), bool)
        for v, w in ((a, b), (b, c), (c, a)):
            (ex, ey), along = w - v, pixel - v
            inside &= ex * along[..., 1] - ey * along[..., 0] < 0
        out[inside] = t
    return out


@given(st.integers(0, 2**32))
def test_cover_agrees_with_testing_every_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-4, 16, (9, 2)).astype(np.float32)  # some reach over the edges
    depth = rng.uniform(0, 1, 9).astype(np.float32)
    triangles = np.array([rng.choice(9, 3, replace=False) for _ in range(6)], np.int32)
    np.testing.assert_array_equal(cover(points, depth, triangles, 12, 12), _slow(points, depth, triangles, 12))


@given(st.integers(0, 2**32))
def test_interpolation_reproduces_an_affine_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 20, (6, 2)).astype(np.float32)
    triangles = np.array([[0, 1, 2], [3, 5, 4], [0, 2, 1]], np.int32)
    values = (points @ np.array([[2.0], [-3.0]], np.float32) + 5).astype(np.float32)
    seen = cover(points, np.zeros(6, np.float32), triangles, 20, 20)
    (plane,) = interpolate(seen, points, triangles, values)
    y, x = np.nonzero(seen >= 0)
    np.testing.assert_allclose(plane[y, x], 2 * (x + 0.5) - 3 * (y + 0.5) + 5, atol=0.5)


def test_neighbours_leave_no_gap_between_them() -> None:
    line = np.linspace(1, 30, 7, dtype=np.float32)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    cells = [(i * 7 + j, i * 7 + j + 7, i * 7 + j + 1, i * 7 + j + 8) for i in range(6) for j in range(6)]
    triangles = np.array([t for a, b, c, d in cells for t in ((a, b, c), (c, b, d))], np.int32)
    seen = cover(grid, np.zeros(len(grid), np.float32), triangles, 32, 32)
    assert (seen[1:30, 1:30] >= 0).all() and (seen[0] == -1).all()


def test_normals_of_a_plane() -> None:
    vertices = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], np.float32)
    normals = vertex_normals(vertices, np.array([[0, 1, 2], [2, 1, 3]], np.int32))
    np.testing.assert_allclose(normals, np.tile([0, 0, -1], (4, 1)), atol=1e-6)
