"""The contract survives its JSON, matches its published schema, and refuses what nobody could run by."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.contract import CropSpec, InputSpec, ModelContract
from fermobile.errors import ContractError
from fermobile.labels import ACTION_UNITS, EMOTIONS

SCHEMA = json.loads(files("fermobile").joinpath("contract.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

_finite = st.floats(-1000, 1000, allow_nan=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _finite | st.text(max_size=8),
    lambda leaf: st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=5), leaf, max_size=3),
    max_leaves=6,
)


@st.composite
def contracts(draw: st.DrawFn) -> ModelContract:
    emotions = draw(st.lists(st.sampled_from(EMOTIONS), unique=True))
    units = draw(st.lists(st.sampled_from(list(ACTION_UNITS)), unique=True, min_size=0 if emotions else 1))
    heads = [head for head, labels in (("emotion", emotions), ("au", units)) if labels]
    crop = st.builds(CropSpec, eye_distance=st.floats(0.05, 1), eye_y=st.floats(0.01, 0.99))
    return ModelContract(
        name=draw(st.text(max_size=12)),
        emotions=tuple(emotions),
        action_units=tuple(units),
        input=InputSpec(draw(st.integers(16, 1024)), draw(_finite), draw(st.floats(1e-3, 1000))),
        crop=draw(st.none() | crop),
        outputs=tuple(draw(st.just([]) | st.permutations(heads))),
        thresholds={unit: draw(st.floats(0, 1)) for unit in units if draw(st.booleans())},
        temperature=draw(st.floats(1e-3, 100)),
        provenance=draw(st.dictionaries(st.text(max_size=5), _json, max_size=3)),
    )


def contract(**changes: Any) -> ModelContract:
    base: dict[str, Any] = {
        "name": "test",
        "emotions": ("happiness", "sadness"),
        "action_units": ("AU12", "AU1"),
        "input": InputSpec(96),
        "crop": CropSpec(0.4, 0.35),
        "outputs": ("au", "emotion"),
        "thresholds": {"AU12": 0.3},
    }
    return ModelContract(**{**base, **changes})


@given(contracts())
def test_json_round_trip_gives_the_same_contract_and_the_same_bytes(made: ModelContract) -> None:
    text = made.to_json()
    assert ModelContract.from_json(text) == made
    assert ModelContract.from_json(text.encode()).to_json() == text


@given(contracts())
def test_every_contract_fits_the_published_schema(made: ModelContract) -> None:
    VALIDATOR.validate(json.loads(made.to_json()))


def test_schema_is_a_schema_and_names_the_labels_and_the_version_of_the_code() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["emotions"]["items"]["enum"] == list(EMOTIONS)
    assert SCHEMA["$defs"]["action_unit"]["enum"] == list(ACTION_UNITS)
    assert SCHEMA["properties"]["schema_version"]["const"] == contract().schema_version
    assert set(SCHEMA["properties"]) == set(json.loads(contract().to_json()))


def test_order_of_labels_outputs_and_heads() -> None:
    both = contract()
    assert both.heads == ("emotion", "au")
    assert both.labels("au") == ("AU12", "AU1")
    assert both.outputs == ("au", "emotion")
    assert contract(emotions=(), outputs=("au",)).heads == ("au",)


def test_threshold_is_one_half_where_none_was_chosen() -> None:
    assert contract().threshold("AU12") == 0.3
    assert contract().threshold("AU1") == 0.5


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"emotions": (), "action_units": (), "thresholds": {}}, "neither emotions nor action units"),
        ({"emotions": ("happiness", "happiness")}, "listed twice"),
        ({"emotions": ("joyful",)}, "unknown emotion 'joyful'; known: neutral"),
        ({"action_units": ("AU12", "AU99")}, "unknown action unit 'AU99'"),
        ({"input": InputSpec(8)}, "input size 8"),
        ({"input": InputSpec(96, std=0)}, "std > 0"),
        ({"input": InputSpec(96, mean=float("nan"))}, "mean and std"),
        ({"input": InputSpec(96, color="BGR")}, "'BGR' is not 'RGB'"),
        ({"crop": CropSpec(1.2, 0.4)}, "eye_distance"),
        ({"crop": CropSpec(0.4, 1.0)}, "eye_y"),
        ({"outputs": ("emotion",)}, "do not match heads"),
        ({"thresholds": {"AU2": 0.5}}, "which the model does not have"),
        ({"thresholds": {"AU12": 1.5}}, "not in 0..1"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
    ],
)
def test_a_contract_nobody_could_run_by_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ContractError, match=why):
        contract(**changes)


def _changed(**changes: Any) -> str:
    return json.dumps({**json.loads(contract().to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "not a JSON object"),
        (_changed(schema_version=2), "schema version 2; this fermobile reads 1"),
        (_changed(schema_version=None), "schema version None"),
        (_changed(schema_version=True), "schema version True"),
        (_changed(labels=["happy"]), "unknown fields.*labels"),
        (_changed(input={"size": 96, "gamma": 2}), "unknown fields.*gamma"),
        (_changed(crop={"eye_y": 0.3}), "incomplete.*eye_distance"),
        (_changed(crop=0.3), "incomplete"),
        (_changed(emotions=7), "incomplete"),
        (_changed(emotions=[["happiness"]]), "incomplete"),
        (_changed(name=7), "name"),
        (_changed(thresholds=[0.5]), "thresholds"),
        (_changed(provenance=[]), "provenance"),
        (_changed(temperature=10**400), "temperature"),
        (_changed(temperature="1"), "temperature"),
        ("{}", "schema version None"),
        ('{"schema_version": 1}', "incomplete.*emotions"),
    ],
)
def test_text_that_is_no_contract_is_refused(text: str | bytes, why: str) -> None:
    with pytest.raises(ContractError, match=why):
        ModelContract.from_json(text)


@given(st.data())
def test_any_json_value_in_any_field_is_read_or_refused_and_never_crashes(data: st.DataObject) -> None:
    raw = json.loads(contract().to_json())
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(_json)
    try:
        read = ModelContract.from_json(json.dumps(raw))
    except ContractError:
        return
    VALIDATOR.validate(json.loads(read.to_json()))
