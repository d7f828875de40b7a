"""One spelling for every emotion."""

from __future__ import annotations

import pytest

from fermobile.errors import InputError
from fermobile.labels import ACTION_UNITS, EMFACS, EMOTIONS, emotion_name


@pytest.mark.parametrize(
    ("text", "name"),
    [("Happy", "happiness"), ("  joy ", "happiness"), ("AN", "anger"), ("Afraid", "fear"), ("Neutral", "neutral")],
)
def test_emotions_as_public_datasets_spell_them(text: str, name: str) -> None:
    assert emotion_name(text) == name


@pytest.mark.parametrize("name", EMOTIONS)
def test_a_canonical_emotion_is_itself(name: str) -> None:
    assert emotion_name(name) == name


def test_an_unknown_emotion_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'bored'; known: neutral, happiness"):
        emotion_name("bored")


def test_prototypes_of_emotions_are_action_units_we_know() -> None:
    assert set(EMFACS) == set(EMOTIONS)
    assert all(unit in ACTION_UNITS for units in EMFACS.values() for unit in units)
