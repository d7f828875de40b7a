"""One spelling for every emotion and action unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.errors import InputError
from fermobile.labels import ACTION_UNITS, EMFACS, EMOTIONS, action_unit_name, emotion_name, sort_action_units


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


@pytest.mark.parametrize("text", ["AU12", "au12", "12", "AU012", " 12 "])
def test_action_units_as_public_datasets_spell_them(text: str) -> None:
    assert action_unit_name(text) == "AU12"


@pytest.mark.parametrize("text", ["", "AU", "0", "AU99", "twelve", "AU1 2"])
def test_an_unknown_action_unit_lists_the_known_ones(text: str) -> None:
    with pytest.raises(InputError, match=r"known: AU1, AU2"):
        action_unit_name(text)


@given(st.lists(st.sampled_from(list(ACTION_UNITS))))
def test_sorting_is_numerical_and_lists_each_once(units: list[str]) -> None:
    numbers = [int(unit[2:]) for unit in sort_action_units(units)]
    assert numbers == sorted({int(unit[2:]) for unit in units})


def test_prototypes_of_emotions_are_action_units_we_know() -> None:
    assert set(EMFACS) == set(EMOTIONS)
    assert all(unit in ACTION_UNITS for units in EMFACS.values() for unit in units)
