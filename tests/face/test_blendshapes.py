"""Signals become labels where they are clear; on renders whose units are known the labels are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.data.synthetic.dataset import DEFAULT_CROP, render_photo
from fermobile.data.synthetic.expressions import expression
from fermobile.data.synthetic.head import measured_head
from fermobile.data.synthetic.render import render
from fermobile.data.synthetic.scene import plain_scene
from fermobile.data.synthetic.subjects import make_subject
from fermobile.face.blendshapes import CUTS, Cuts, action_units, signals
from fermobile.face.landmarker import Landmarker, Landmarks

_SINGLE = ("browInnerUp", "jawOpen")
_PAIRED = ("browOuterUp", "eyeWide", "mouthSmile", "eyeBlink")


def _face(gap: float = 0.0, width: float = 1.0, **shapes: float) -> Landmarks:
    """Landmarks of a mouth ``width`` wide whose lips are ``gap`` apart; blendshapes are 0 unless given."""
    points = np.full((478, 2), 7.0, np.float32)
    points[13], points[14], points[78], points[308] = (0, 0), (0, gap), (-width / 2, 0), (width / 2, 0)
    names = [*_SINGLE, *(name + side for name in _PAIRED for side in ("Left", "Right"))]
    return Landmarks(points, {**dict.fromkeys(names, 0.0), **shapes})


@pytest.mark.parametrize(
    ("signal", "label"), [(0.0, 0), (0.1, 0), (0.11, None), (0.39, None), (0.4, 1), (0.6, 1), (0.61, None)]
)
def test_between_the_cuts_and_beyond_the_limit_nothing_is_said(signal: float, label: int | None) -> None:
    assert Cuts(0.1, 0.4, until=0.6).label(signal) == label


def test_every_unit_has_its_signal() -> None:
    assert signals(_face()) == dict.fromkeys(CUTS, 0.0)
    found = signals(
        _face(gap=0.5, width=2, browInnerUp=0.1, jawOpen=0.2, mouthSmileLeft=0.8, mouthSmileRight=0.4, eyeWideLeft=0.6)
    )
    assert found == pytest.approx(
        {"AU1": 0.1, "AU2": 0, "AU5": 0.3, "AU12": 0.6, "AU25": 0.25, "AU26": 0.2, "AU27": 0.2, "AU43": 0}
    )


def test_a_face_at_rest_shows_nothing() -> None:
    assert action_units(_face()) == dict.fromkeys(CUTS, 0)


@pytest.mark.parametrize(
    ("jaw", "drop", "stretch"),
    [(0.05, 0, 0), (0.2, None, 0), (0.3, 1, 0), (0.4, 1, None), (0.55, None, None), (0.6, None, 1)],
)
def test_a_jaw_drops_before_it_stretches(jaw: float, drop: int | None, stretch: int | None) -> None:
    found = action_units(_face(jawOpen=jaw))
    assert (found.get("AU26"), found.get("AU27")) == (drop, stretch)


def test_the_gap_of_the_lips_counts_by_the_width_of_the_mouth() -> None:
    assert action_units(_face(gap=0.3, width=1))["AU25"] == 1
    assert action_units(_face(gap=0.3, width=10))["AU25"] == 0
    assert "AU25" not in action_units(_face(gap=0.3, width=3))
    assert action_units(_face(gap=0.0, width=0.0))["AU25"] == 0  # no mouth is seen: no division by zero


@pytest.mark.parametrize("turn", [0.0, 0.4, 2.0])
def test_the_gap_does_not_depend_on_how_the_head_is_held(turn: float) -> None:
    face = _face(gap=0.3, width=1.2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
    held = Landmarks(face.points @ rotation.T * 40 + 12, face.blendshapes)
    assert signals(held)["AU25"] == pytest.approx(0.25, abs=1e-4)


#: Of renders that show one of these, with what comes with it, how many the teacher must find; it may be wrong on none.
_SHOWN = {
    "AU12": ({"AU12": 0.9, "AU6": 0.5}, 8),
    "AU25": ({"AU25": 0.9, "AU16": 0.5}, 7),
    "AU26": ({"AU26": 0.7, "AU25": 0.9}, 8),
    "AU27": ({"AU27": 1.0, "AU25": 0.9}, 7),
    "AU43": ({"AU43": 1.0}, 6),
    "AU5": ({"AU5": 1.0, "AU1": 0.8, "AU2": 0.8}, 5),
}


def _label(landmarker: Landmarker, shown: dict[str, float]) -> list[dict[str, int]]:
    """The labels of eight people who show these units."""
    head, labels = measured_head(), []
    for person in range(8):
        subject = make_subject(3, person, head.identities)
        image, _ = render(head, subject, expression(intensities=shown), plain_scene(), DEFAULT_CROP, 96)
        face = landmarker.find(image)
        assert face is not None
        labels.append(action_units(face))
    return labels


@pytest.mark.parametrize("unit", _SHOWN)
def test_units_of_renders_are_found(landmarker: Landmarker, unit: str) -> None:
    shown, least = _SHOWN[unit]
    found = [labels.get(unit) for labels in _label(landmarker, shown)]
    assert found.count(1) >= least and found.count(0) == 0


def test_a_render_at_rest_shows_no_unit(landmarker: Landmarker) -> None:
    for labels in _label(landmarker, {}):
        assert not any(labels.values()) and {"AU26", "AU27", "AU43"} <= labels.keys()


def test_smiling_photos_smile_and_neutral_ones_do_not(landmarker: Landmarker) -> None:
    def smiles(emotion: str) -> list[int | None]:
        faces = [landmarker.find(render_photo(5, 12 * i, 192, emotion=emotion).image) for i in range(8)]
        return [action_units(face).get("AU12") for face in faces if face is not None]

    assert smiles("happiness").count(1) >= 7
    assert smiles("neutral") == [0] * 8


def test_nothing_is_seen_where_there_is_no_face(landmarker: Landmarker) -> None:
    assert landmarker.find(np.full((48, 48, 3), 120, np.uint8)) is None


def test_points_and_blendshapes_have_their_shapes(landmarker: Landmarker, portrait: np.ndarray) -> None:
    face = landmarker.find(portrait[0:220, 140:320].copy())  # not square
    assert face is not None and face.points.shape == (478, 2) and face.points.dtype == np.float32
    assert len(face.blendshapes) == 52 and all(0 <= v <= 1 for v in face.blendshapes.values())
    assert action_units(face)["AU12"] == 1  # she smiles


def test_it_can_be_closed_twice(shared: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    with Landmarker(shared / "mediapipe" / "face_landmarker.task") as landmarker:
        landmarker.close()
