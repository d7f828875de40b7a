"""Bake the topology of MediaPipe's face mesh beside the measured face shape.

    python scripts/bake_face_mesh.py face_shape_468.npz fermobile/data/synthetic/face_mesh_468.npz

Rendering then needs no mediapipe.  The triangles are the 3-cycles of FACEMESH_TESSELATION, less the two that
are not faces (all three edges already belong to two others), each wound so that its cross product points away
from the head.  Run it again only when the shape changes.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from fermobile.face.mediapipe_import import import_mediapipe

ATTRIBUTION = (
    "Mean face shape and identity modes measured with MediaPipe's face mesh on the 102 neutral portraits of the "
    "Face Research Lab London Set (DeBruine, L. & Jones, B., 2017, doi:10.6084/m9.figshare.5047666, CC BY 4.0). "
    "Mesh topology: MediaPipe (Apache-2.0)."
)

# Regions of the subject's right half (x < 0); the left ones follow by mirroring.
RIGHT_REGIONS = {
    "right_eye_upper": [33, 246, 161, 160, 159, 158, 157, 173, 133],
    "right_eye_lower": [33, 7, 163, 144, 145, 153, 154, 155, 133],
    "right_lid_upper_1": [130, 247, 30, 29, 27, 28, 56, 190, 243],
    "right_lid_upper_2": [226, 113, 225, 224, 223, 222, 221, 189, 244],
    "right_lid_lower_1": [130, 25, 110, 24, 23, 22, 26, 112, 243],
    "right_lid_lower_2": [226, 31, 228, 229, 230, 231, 232, 233, 244],
    "right_brow_upper": [70, 63, 105, 66, 107],
    "right_brow_lower": [46, 53, 52, 65, 55],
}
# Lips from the skin inwards, each row from the subject's right corner to the left one.
LIPS = {
    "lips_upper": [
        [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291],
        [76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306],
        [62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292],
        [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308],
    ],
    "lips_lower": [
        [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291],
        [76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306],
        [62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292],
        [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308],
    ],
}


def triangles_of(edges: set[tuple[int, int]], vertices: np.ndarray) -> np.ndarray:
    """Faces of a mesh that is given by its edges only, int32 (T, 3)."""
    neighbours: dict[int, set[int]] = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    cycles = sorted({tuple(sorted((a, b, c))) for a, b in edges for c in neighbours[a] & neighbours[b]})
    use = Counter(edge for a, b, c in cycles for edge in ((a, b), (b, c), (a, c)))
    faces = [t for t in cycles if min(use[t[0], t[1]], use[t[1], t[2]], use[t[0], t[2]]) < 3]
    triangles = np.array(faces, np.int32)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    outwards = (a + b + c) / 3 - np.array([0.0, 0.0, 1.0])
    flip = np.einsum("ij,ij->i", np.cross(b - a, c - a), outwards) < 0
    triangles[flip] = triangles[flip][:, ::-1]
    return triangles


def ordered_ring(edges: set[tuple[int, int]], start: int) -> list[int]:
    """Vertices of a closed contour in order."""
    following: dict[int, list[int]] = {}
    for a, b in edges:
        following.setdefault(a, []).append(b)
        following.setdefault(b, []).append(a)
    ring = [start, min(following[start])]
    while (step := next(v for v in following[ring[-1]] if v != ring[-2])) != start:
        ring.append(step)
    return ring


def main(source: Path, target: Path) -> None:
    """Write the baked mesh."""
    import_mediapipe()
    from mediapipe.python.solutions import face_mesh_connections as connections

    shape = np.load(source, allow_pickle=False)
    mean = shape["mean"].astype(np.float32)
    flipped = mean * np.array([-1, 1, 1], np.float32)
    mirror = np.argmin(((flipped[:, None] - mean[None]) ** 2).sum(-1), axis=1).astype(np.int32)
    assert (mirror[mirror] == np.arange(len(mean))).all(), "the mesh is not its own mirror image"
    edges = {(min(e), max(e)) for e in connections.FACEMESH_TESSELATION}
    regions = {name: np.array(v, np.int32) for name, v in {**RIGHT_REGIONS, **LIPS}.items()}
    regions |= {name.replace("right", "left"): mirror[regions[name]] for name in RIGHT_REGIONS}
    regions["oval"] = np.array(ordered_ring({tuple(e) for e in connections.FACEMESH_FACE_OVAL}, 10), np.int32)
    assert all((min(p), max(p)) in edges for row in LIPS["lips_upper"] for p in pairwise(row))
    np.savez_compressed(
        target,
        mean=mean,
        identity_modes=shape["identity_modes"].astype(np.float32),
        triangles=triangles_of(edges, mean),
        mirror=mirror,
        attribution=np.array(ATTRIBUTION),
        **regions,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
