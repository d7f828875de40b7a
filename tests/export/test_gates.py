from __future__ import annotations

from fermobile.evaluation.drift import Change, F1Changes
from fermobile.export.gates import Gates, missed


def change(drop: float, high: float = 0.0) -> Change:
    return Change(0.9, 0.9 - drop, -2 * abs(drop), high, 50)


def test_the_mean_has_a_gate_of_its_own() -> None:
    assert missed({"emotion": F1Changes(change(0.009), {"fear": change(0.02)})}, Gates()) == ([], [])
    misses, _ = missed({"au": F1Changes(change(0.011), {})}, Gates())
    assert misses == ["mean F1 over action units fell by 0.0110 (gate 0.01)"]


def test_one_label_is_missed_where_chance_does_not_explain_it() -> None:
    for high in (-0.001, 0.0):  # zero: a class that the file never says again
        found = missed({"emotion": F1Changes(change(0.0), {"fear": change(0.04, high)})}, Gates())
        assert found == (["F1 of fear fell by 0.0400 (gate 0.03)"], [])


def test_a_loss_that_chance_may_explain_is_told() -> None:
    found = missed({"emotion": F1Changes(change(0.0), {"fear": change(0.04, 0.01)})}, Gates())
    assert found == ([], ["F1 of fear fell by 0.0400 (gate 0.03), which cannot be told from chance on 50 faces"])
