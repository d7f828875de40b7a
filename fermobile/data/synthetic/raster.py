"""A small triangle rasteriser in numpy: which triangle covers each pixel, and attributes interpolated over it.

OpenCV draws what is flat; :func:`fixed_point` gives its functions sub-pixel accuracy.
"""

from __future__ import annotations

import numpy as np

#: Fractional bits of :func:`fixed_point`, the ``shift`` of OpenCV's drawing functions.
SHIFT = 4


def fixed_point(points: np.ndarray) -> np.ndarray:
    """Points (..., 2) in pixels as int32 for OpenCV's drawing functions, which count from the first pixel's centre."""
    return np.rint((points - 0.5) * (1 << SHIFT)).astype(np.int32)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals, float32 (V, 3)."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = _cross(b - a, c - a)
    corners = triangles.ravel()
    out = np.empty_like(vertices)
    for axis in range(3):
        out[:, axis] = np.bincount(corners, np.repeat(face[:, axis], 3), minlength=len(vertices))
    out /= np.sqrt(np.einsum("ij,ij->i", out, out))[:, None] + 1e-9
    return out


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of rows; several times faster than np.cross on thousands of short rows."""
    ax, ay, az, bx, by, bz = *a.T, *b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def cover(points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    """The front-facing triangle seen at each pixel centre, int32 (height, width); -1 where there is none.

    Triangles are painted far to near (painter's algorithm): right for a head, whose triangles do not cross.
    Each triangle becomes the row spans it covers, all at once, so no pixel outside it is touched.

    Args:
        points: (V, 2) pixels, x right and y down; pixel (i, j) has its centre at (j + 0.5, i + 0.5).
        depth: (V,) larger is farther.
        triangles: (T, 3); those with a negative screen area (normal towards the viewer) are drawn.
    """
    seen = np.full(height * width, -1, np.int32)
    corners = points[triangles]
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k].T for k in range(3))
    front = np.flatnonzero((bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0)
    order = front[np.argsort(-depth[triangles[front]].sum(axis=1), kind="stable")]
    corners = np.take_along_axis(corners[order], np.argsort(corners[order, :, 1:], axis=1), axis=1)
    top = np.clip(np.ceil(corners[:, 0, 1] - 0.5), 0, height).astype(np.int32)
    rows = np.clip(np.ceil(corners[:, 2, 1] - 0.5), 0, height).astype(np.int32) - top
    owner, row = _expand(top, rows)
    left, right = _crossings(corners, owner, row)
    first = np.clip(np.ceil(left - np.float32(0.5)), 0, width).astype(np.int32)
    length = np.clip(np.ceil(right - np.float32(0.5)), 0, width).astype(np.int32) - first
    span, pixel = _expand(row * np.int32(width) + first, length)
    seen[pixel] = order[owner][span]  # where a pixel occurs twice numpy keeps the last, that is the nearest
    return seen.reshape(height, width)


def _crossings(corners: np.ndarray, owner: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right x at which each row's centre line crosses its triangle, whose corners are sorted by y."""
    line = row + np.float32(0.5)
    (x0, y0), (x1, y1), (x2, y2) = (corners[:, k].T for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        long = (x2 - x0) / (y2 - y0)
        # The long edge is on one side; on the other the upper short edge, then the lower one.
        short = np.stack([(x1 - x0) / (y1 - y0), (x2 - x1) / (y2 - y1)], axis=1)
        short_base = np.stack([x0, x1], axis=1) - short * np.stack([y0, y1], axis=1)
    edge = 2 * owner + (line >= y1[owner])
    a = (x0 - long * y0)[owner] + long[owner] * line
    b = short_base.ravel()[edge] + short.ravel()[edge] * line
    return np.minimum(a, b), np.maximum(a, b)


def _expand(start: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concatenated ranges ``start[i] … start[i] + count[i] - 1``, with the index i of each element."""
    owner = np.repeat(np.arange(len(start), dtype=np.int32), count)
    offset = np.cumsum(count) - count
    return owner, np.arange(len(owner), dtype=np.int32) + (start - offset).astype(np.int32)[owner]


def interpolate(seen: np.ndarray, points: np.ndarray, triangles: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Vertex attributes over the picture.

    Each attribute is an affine function of the pixel inside a triangle, so three numbers per triangle suffice.

    Args:
        seen: what :func:`cover` returned, (H, W).
        values: float32 (V, K).
    Returns:
        float32 (K, H, W); meaningless where nothing is seen.
    """
    p, v = points[triangles], values[triangles]
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    d1, d2 = v[:, 1] - v[:, 0], v[:, 2] - v[:, 0]
    area = e1[:, 0] * e2[:, 1] - e2[:, 0] * e1[:, 1]
    area = np.where(area == 0, 1, area)[:, None].astype(np.float32)
    dx = (d1 * e2[:, 1:] - d2 * e1[:, 1:]) / area
    dy = (d2 * e1[:, :1] - d1 * e2[:, :1]) / area
    base = v[:, 0] - dx * (p[:, 0, :1] - np.float32(0.5)) - dy * (p[:, 0, 1:] - np.float32(0.5))
    height, width = seen.shape
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    owner = np.maximum(seen, 0)
    out = np.empty((values.shape[1], height, width), np.float32)
    for k, (b, gx, gy) in enumerate(zip(base.T, dx.T, dy.T, strict=True)):
        plane = np.take(np.ascontiguousarray(gx), owner, out=out[k], mode="clip")
        plane *= x
        plane += np.take(np.ascontiguousarray(gy), owner) * y
        plane += np.take(np.ascontiguousarray(b), owner)
    return out
