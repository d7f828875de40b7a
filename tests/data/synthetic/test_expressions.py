"""Labels say what is shown: emotions are their EMFACS units, exclusive units never meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.data.synthetic.expressions import (
    _COMPANIONS,
    _EXCLUSIVE,
    PARTING,
    PRESENT,
    UNITS,
    emotion_expression,
    expression,
    free_expression,
)
from fermobile.labels import EMFACS, EMOTIONS


@given(st.sampled_from(EMOTIONS), st.integers(0, 2**32))
def test_an_emotion_shows_its_prototype_and_only_allowed_companions(emotion: str, seed: int) -> None:
    face = emotion_expression(emotion, np.random.default_rng(seed))
    shown = {unit for unit, on in face.present.items() if on}
    prototype = {u for u in EMFACS[emotion] if not (u == "AU26" and "AU27" in shown)}
    allowed = prototype | {unit for unit, _ in _COMPANIONS[emotion]} | {"AU25"}
    if emotion == "surprise":
        allowed.add("AU27")
    assert prototype <= shown <= allowed
    assert face.emotion == emotion


@given(st.integers(0, 2**32))
def test_units_never_contradict_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for face in (free_expression(rng), *(emotion_expression(e, rng) for e in EMOTIONS)):
        shown = {unit for unit, on in face.present.items() if on}
        assert not any(pair <= shown for pair in _EXCLUSIVE)
        if shown & set(PARTING):
            assert "AU25" in shown


@given(st.integers(0, 2**32))
def test_intensity_is_either_visible_or_a_trace(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for value in free_expression(rng).intensities.values():
        assert value <= 0.1 or PRESENT <= value <= 1.0


@given(st.integers(0, 2**32))
def test_contempt_is_one_sided(seed: int) -> None:
    face = emotion_expression("contempt", np.random.default_rng(seed))
    right, left = face.activation[UNITS.index("AU12")]
    assert max(right, left) >= PRESENT and min(right, left) < 0.15


def test_a_free_combination_has_no_emotion() -> None:
    assert free_expression(np.random.default_rng(0)).emotion == ""


def test_every_unit_occurs_among_free_combinations() -> None:
    rng = np.random.default_rng(0)
    counts = np.sum([list(free_expression(rng).present.values()) for _ in range(400)], axis=0)
    assert (counts >= 20).all(), dict(zip(UNITS, counts, strict=True))


def test_exact_units_are_taken_as_given() -> None:
    face = expression("contempt", {"AU12": 0.8, "AU14": 0.5}, side="left")
    assert face.activation[UNITS.index("AU12")].tolist() == [0.0, pytest.approx(0.8)]
    assert {u for u, on in face.present.items() if on} == {"AU12", "AU14"}
