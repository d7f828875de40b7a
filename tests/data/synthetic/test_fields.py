"""Each action unit moves the landmarks that FACS says it moves, the way FACS says."""

from __future__ import annotations

import numpy as np
import pytest

from fermobile.data.synthetic.expressions import PARTING, UNITS, expression
from fermobile.data.synthetic.head import measured_head

_RIGHT, _LEFT, _DOWN, _UP = (0, -1), (0, 1), (1, 1), (1, -1)

# unit -> (MediaPipe landmark, axis and direction it moves in).  x grows to the viewer's right, y downwards.
_MOVES = {
    "AU1": [(107, _UP), (336, _UP)],
    "AU2": [(63, _UP), (293, _UP)],
    "AU4": [(107, _DOWN), (107, _LEFT), (336, _RIGHT)],
    "AU5": [(159, _UP), (386, _UP)],
    "AU6": [(50, _UP), (280, _UP)],
    "AU7": [(145, _UP), (159, _DOWN)],
    "AU9": [(64, _UP), (294, _UP), (107, _DOWN)],
    "AU10": [(40, _UP), (270, _UP)],
    "AU12": [(61, _UP), (61, _RIGHT), (291, _UP), (291, _LEFT)],
    "AU14": [(61, _RIGHT), (291, _LEFT)],
    "AU15": [(61, _DOWN), (291, _DOWN)],
    "AU16": [(17, _DOWN)],
    "AU17": [(199, _UP), (17, _UP)],
    "AU20": [(61, _RIGHT), (291, _LEFT)],
    "AU23": [(61, _LEFT), (0, _DOWN), (17, _UP)],
    "AU24": [(0, _DOWN), (17, _UP)],
    "AU25": [(14, _DOWN), (13, _UP)],
    "AU26": [(152, _DOWN), (14, _DOWN)],
    "AU27": [(152, _DOWN), (14, _DOWN), (61, _LEFT)],
    "AU43": [(159, _DOWN), (386, _DOWN)],
}


def _moved(unit: str, side: str = "both", value: float = 1.0) -> np.ndarray:
    return measured_head().displacement(expression(intensities={unit: value}, side=side).activation)


def test_every_unit_is_described() -> None:
    assert set(_MOVES) == set(UNITS)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_moves_its_landmarks_the_right_way(unit: str) -> None:
    moved = _moved(unit)
    for landmark, (axis, sign) in _MOVES[unit]:
        assert moved[landmark, axis] * sign > 0.01, f"{unit}: landmark {landmark} moves by {moved[landmark]}"


@pytest.mark.parametrize("unit", UNITS)
def test_both_sides_are_mirror_images(unit: str) -> None:
    head = measured_head()
    right, left = _moved(unit, "right")[:468], _moved(unit, "left")[:468]
    np.testing.assert_allclose(left[head.face.mirror] * [-1, 1, 1], right, atol=1e-5)


@pytest.mark.parametrize("unit", ["AU12", "AU14", "AU1", "AU43"])
def test_one_side_leaves_the_other_still(unit: str) -> None:
    head = measured_head()
    still = head.face.mean[:, 0] > 0.12
    assert np.abs(_moved(unit, "right")[:468][still]).max() < 1e-4


@pytest.mark.parametrize("unit", UNITS)
def test_movement_grows_with_intensity(unit: str) -> None:
    np.testing.assert_allclose(_moved(unit, value=0.5) * 2, _moved(unit), atol=1e-6)


@pytest.mark.parametrize("unit", UNITS)
def test_lips_part_only_where_a_unit_parts_them(unit: str) -> None:
    head, moved = measured_head(), _moved(unit)
    gap = moved[head.regions["lips_lower"][-1], 1] - moved[head.regions["lips_upper"][-1], 1]
    if unit in PARTING:
        assert gap.max() > 0.03
    else:
        assert np.abs(gap).max() < 1e-6


def test_jaw_drop_and_mouth_stretch_differ_clearly() -> None:
    assert _moved("AU27")[152, 1] > 1.6 * _moved("AU26")[152, 1]


def test_closed_eyes_are_closed() -> None:
    head = measured_head()
    v = head.neutral(np.zeros(head.identities)) + _moved("AU43")
    opening = v[head.regions["right_eye_lower"], 1] - v[head.regions["right_eye_upper"], 1]
    assert opening.max() < 0.02
