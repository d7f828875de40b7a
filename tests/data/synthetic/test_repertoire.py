"""Action units at the rates of DISFA: as often and as strong as its table says, and never contradictory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.data.manifest import Dataset
from fermobile.data.synthetic import render_face, render_faces, write_synthetic
from fermobile.data.synthetic.expressions import PRESENT, UNITS, Expression, compatible
from fermobile.data.synthetic.repertoire import Rates, repertoire
from fermobile.errors import InputError

#: Frames with the unit present (intensity 2 and more) of DISFA's 130,814 frames.
POSITIVES = {
    "AU1": 6506, "AU2": 5644, "AU4": 19933, "AU6": 10327, "AU9": 5473, "AU12": 16851, "AU25": 36247, "AU26": 11533,
}  # fmt: skip


@pytest.fixture(scope="module")
def faces() -> list[Expression]:
    rng = np.random.default_rng(1)
    return [repertoire("disfa").show(0, 0, 0, rng) for _ in range(20_000)]


def test_units_are_present_as_often_as_in_disfa(faces: list[Expression]) -> None:
    assert repertoire("disfa").units == tuple(POSITIVES)
    for unit, count in POSITIVES.items():
        rate = count / 130_814
        spread = np.sqrt(rate * (1 - rate) / len(faces))
        assert np.mean([f.present[unit] for f in faces]) == pytest.approx(rate, abs=4 * spread), unit
    assert not any(f.present[unit] for f in faces for unit in UNITS if unit not in POSITIVES)


def test_many_are_traces_below_presence(faces: list[Expression]) -> None:
    # AU12 at intensity A: 13,943 frames, nearly as many as all stronger ones together.
    smiles = np.array([f.intensities["AU12"] for f in faces])
    assert np.mean((smiles > 0.1) & (smiles < PRESENT)) == pytest.approx(13_943 / 130_814, abs=0.01)
    assert np.mean(smiles >= 0.7) == pytest.approx((2577 + 172) / 130_814, abs=0.006)
    assert smiles.max() <= 1


def test_no_face_contradicts_itself(faces: list[Expression]) -> None:
    for face in faces[:4000]:
        shown = {unit for unit, value in face.intensities.items() if value > 0.1}
        assert all(compatible(unit, shown - {unit}) for unit in shown)
        assert face.present["AU25"] or not face.present["AU26"]
        assert face.emotion == ""


def test_a_unit_that_excludes_another_keeps_its_share() -> None:
    rates = Rates({"AU9": (0, 40, 0, 0, 0), "AU2": (0, 0, 30, 0, 0)}, total=100)
    rng = np.random.default_rng(2)
    shown = np.array([[f.present["AU9"], f.present["AU2"]] for f in (rates.show(0, 0, 0, rng) for _ in range(8000))])
    assert not shown.all(axis=1).any()
    np.testing.assert_allclose(shown.mean(axis=0), [0.4, 0.3], atol=0.02)


def test_the_dataset_labels_these_units_alone(tmp_path: Path) -> None:
    data = Dataset(write_synthetic(tmp_path / "set", count=220, seed=3, size=16, rates="disfa", workers=1))
    assert data.info.emotions == () and data.info.action_units == tuple(POSITIVES)
    assert set(data.emotion) == {""} and not np.isnan(data.aus).any()
    assert "--rates disfa" in data.info.source and data.info.extra["subjects"] == 3
    assert [list(data.subject).count(s) for s in sorted(set(data.subject))] == [100, 100, 20]
    face = render_face(3, 101, 16, rates="disfa")
    assert (data.image(101) == face.image).all() and data.aus[101].tolist() == [face.aus[u] for u in POSITIVES]


def test_workers_do_not_change_a_byte() -> None:
    one, two = (list(render_faces(60, seed=1, size=16, rates="disfa", workers=n)) for n in (1, 2))
    assert all((a.image == b.image).all() and a.intensities == b.intensities for a, b in zip(one, two, strict=True))


def test_unknown_rates_list_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown rates 'bp4d'; choose from: disfa"):
        repertoire("bp4d")
