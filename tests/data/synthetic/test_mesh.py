"""The baked face mesh, and the head that is closed around it."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from fermobile.data.synthetic.expressions import UNITS
from fermobile.data.synthetic.head import MESH_FILE, load_face_mesh, measured_head, smoothstep


def _edges(triangles: np.ndarray) -> set[tuple[int, int]]:
    pairs = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return {(int(a), int(b)) for a, b in pairs}


def test_the_triangles_are_made_of_mediapipes_edges() -> None:
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("needs mediapipe: pip install 'fermobile[face]'")
    from fermobile.face.mediapipe_import import import_mediapipe

    import_mediapipe()
    from mediapipe.python.solutions import face_mesh_connections as connections

    theirs = {(min(e), max(e)) for e in connections.FACEMESH_TESSELATION}
    assert _edges(load_face_mesh().triangles) == theirs


def test_the_mesh_has_four_holes_and_no_edge_with_three_faces() -> None:
    triangles = load_face_mesh().triangles
    pairs = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    _, count = np.unique(pairs, axis=0, return_counts=True)
    assert set(count) == {1, 2}
    assert (count == 1).sum() == 36 + 20 + 16 + 16  # oval, mouth, eyes


def test_every_face_triangle_of_a_frontal_head_is_wound_the_same_way() -> None:
    face = load_face_mesh()
    a, b, c = (face.mean[face.triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] < 0).mean() > 0.97  # the rest lies on the sides and under the nose


def test_regions_mirror_each_other() -> None:
    face = load_face_mesh()
    for name, indices in face.regions.items():
        if name.startswith("right"):
            assert (face.mirror[indices] == face.regions[name.replace("right", "left")]).all()
            assert (face.mean[indices, 0] < 0).all()


def test_the_mesh_file_says_where_the_shape_comes_from() -> None:
    text = str(np.load(MESH_FILE)["attribution"])
    assert "Face Research Lab London Set" in text and "CC BY 4.0" in text


def test_rendering_needs_no_mediapipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    from fermobile.data.synthetic import render_face

    assert render_face(0, 0, 32).image.shape == (32, 32, 3)


def test_lips_touch_at_rest_on_everybody() -> None:
    head = measured_head()
    rng = np.random.default_rng(0)
    for _ in range(10):
        v = head.neutral(rng.normal(size=head.identities))
        gap = v[head.regions["lips_lower"][-1]] - v[head.regions["lips_upper"][-1]]
        assert np.abs(gap).max() < 1e-6


def test_identity_changes_the_face() -> None:
    head = measured_head()
    other = np.zeros(head.identities)
    other[0] = 2.0
    assert np.abs(head.neutral(other) - head.neutral(np.zeros(head.identities))).max() > 0.01


def test_no_expression_is_no_displacement() -> None:
    assert not measured_head().displacement(np.zeros((len(UNITS), 2))).any()


def test_smoothstep_is_clipped() -> None:
    assert smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]
