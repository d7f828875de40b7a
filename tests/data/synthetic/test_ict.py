"""ICT-FaceKit's mesh behind the same interface."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.manifest import Dataset
from fermobile.data.synthetic import UNITS, expression, render_face, write_synthetic
from fermobile.data.synthetic.dataset import open_head
from fermobile.data.synthetic.expressions import PARTING
from fermobile.data.synthetic.head import Head
from fermobile.errors import InputError
from fermobile.files import sha256


@pytest.fixture(scope="module")
def mesh(shared: Path) -> str:
    path = shared / "data" / "ict_facekit_light.npz"
    if not path.is_file():
        pytest.skip(f"needs ICT-FaceKit's light model {path}, which is not here")
    return f"ict:{path}"


@pytest.fixture(scope="module")
def head(mesh: str) -> Head:
    return open_head(mesh)


@pytest.fixture(scope="module")
def arrays(mesh: str) -> dict[str, np.ndarray]:
    """The model's arrays, with few identities: they are large."""
    with np.load(mesh.removeprefix("ict:")) as file:
        out = {name: file[name] for name in ("neutral", "faces", "expr", "expr_names", "identity")}
    return {**out, "identity": out["identity"][:2]}


def test_labels_are_the_same_as_on_the_built_in_mesh(mesh: str) -> None:
    ours, theirs = render_face(5, 3, 32), render_face(5, 3, 32, mesh=mesh)
    assert ours.emotion == theirs.emotion and ours.intensities == theirs.intensities
    assert ours.subject == theirs.subject and (ours.image != theirs.image).any()
    np.testing.assert_allclose(ours.keypoints[:2], theirs.keypoints[:2], atol=1e-2)  # both framed by the crop


def test_every_unit_moves_the_mesh_on_its_own_side(head: Head) -> None:
    neutral = head.neutral(np.zeros(head.identities))
    for unit in UNITS:
        right = head.displacement(expression(intensities={unit: 1.0}, side="right").activation)
        size = np.linalg.norm(right, axis=1)
        assert size.max() > 0.01, unit
        if unit in ("AU1", "AU2", "AU6", "AU12", "AU14", "AU15", "AU43"):
            assert size[neutral[:, 0] < -0.05].max() > 5 * size[neutral[:, 0] > 0.15].max(), unit


def test_lips_stay_closed_unless_a_unit_parts_them(head: Head) -> None:
    for unit in UNITS:
        moved = head.displacement(expression(intensities={unit: 1.0}).activation)
        gap = (moved[head.regions["lips_lower"][0], 1] - moved[head.regions["lips_upper"][0], 1]).max()
        assert (gap > 0.03) == (unit in PARTING), f"{unit}: {gap}"


def test_smiles_and_brows_go_the_right_way(head: Head) -> None:
    corner = head.regions["lips_upper"][0][0]
    smile = head.displacement(expression(intensities={"AU12": 1.0}).activation)[corner]
    assert smile[0] < -0.02 and smile[1] < -0.02
    drop = head.displacement(expression(intensities={"AU26": 1.0}).activation)[head.regions["lips_lower"][0][2]]
    assert drop[1] > 0.05


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.npz: no such file.*ICT-FaceKit"):
        open_head(f"ict:{tmp_path / 'nowhere.npz'}")


def test_another_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", neutral=np.zeros((4, 3)))
    with pytest.raises(InputError, match="ICT-FaceKit"):
        open_head(f"ict:{tmp_path / 'other.npz'}")


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not a zip")
    with pytest.raises(InputError, match="cannot be read"):
        open_head(f"ict:{tmp_path / 'text.npz'}")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("neutral", lambda a: a[:, :2], r"neutral has shape \(\d+, 2\), expected \(N, 3\)"),
        ("neutral", lambda a: a[:100], "shape"),
        ("expr", lambda a: a * np.nan, "expr holds values that are not finite"),
        ("expr", lambda a: a[:5], "expr has 5 shapes, and expr_names"),
        ("faces", lambda a: a.astype(np.float32), "faces has dtype float32"),
        ("identity", lambda a: a[:0], "identity has shape"),
        ("expr_names", lambda a: np.char.add(a, "x"), "no blendshapes browDown_L"),
    ],
)
def test_wrong_arrays_are_named(
    tmp_path: Path, arrays: dict[str, np.ndarray], name: str, change: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    np.savez(tmp_path / "wrong.npz", **{**arrays, name: change(arrays[name])})
    with pytest.raises(InputError, match=rf"wrong\.npz: .*{said}.*expected the \.npz of ICT-FaceKit"):
        open_head(f"ict:{tmp_path / 'wrong.npz'}")


def test_the_dataset_names_the_mesh_and_its_terms(mesh: str, tmp_path: Path) -> None:
    info = Dataset(write_synthetic(tmp_path / "set", count=2, size=16, mesh=mesh)).info
    assert "ICT-FaceKit" in info.licence and "MIT" in info.licence
    assert info.extra["mesh"] == {"file": mesh, "sha256": sha256(Path(mesh.removeprefix("ict:")))}
