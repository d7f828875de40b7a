"""Means and spreads over folds, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

pytest.importorskip("scipy")

from fermobile.evaluation.fold_metrics import FoldMetrics, spread, summarise_action_units, summarise_emotions
from fermobile.evaluation.metrics import au_metrics, emotion_metrics

UNITS = ("AU4", "AU12")


def test_mean_deviation_and_t_interval_of_three_folds() -> None:
    found = spread([0.5, 0.6, 0.7])
    assert found.mean == pytest.approx(0.6) and found.sd == pytest.approx(0.1)
    reach = 4.302653 * 0.1 / math.sqrt(3)  # t of 0.975 at two degrees of freedom, from a table
    assert (found.low, found.high) == pytest.approx((0.6 - reach, 0.6 + reach))


def test_a_fold_without_the_label_is_left_out() -> None:
    found = spread([None, 0.4, 0.8])
    assert found.values == (None, 0.4, 0.8)
    assert found.mean == pytest.approx(0.6) and found.sd == pytest.approx(0.4 / math.sqrt(2))
    reach = 12.706205 * found.sd / math.sqrt(2)
    assert found.high == pytest.approx(0.6 + reach)


@pytest.mark.parametrize(("values", "mean"), [([0.3], 0.3), ([None, 0.3], 0.3), ([None, None], None), ([], None)])
def test_one_fold_has_no_spread(values: list[float | None], mean: float | None) -> None:
    found = spread(values)
    assert (found.mean, found.sd, found.low, found.high) == (mean, None, None, None)


def _units(scores: list[list[float]], labels: list[list[float]]) -> FoldMetrics:
    said, true = np.array(scores, np.float32), np.array(labels, np.float32)
    tuned = au_metrics(said, true, UNITS, {"AU4": 0.2})
    return FoldMetrics(None, tuned, au_metrics(said, true, UNITS))


def test_action_units_with_their_floor_and_area() -> None:
    # AU4 scores every positive above every negative, but below 0.5; the second fold shows no AU12
    first = _units([[0.3, 0.9], [0.1, 0.8], [0.1, 0.1], [0.1, 0.1]], [[1, 1], [0, 0], [0, 0], [0, 0]])
    second = _units([[0.3, 0.9], [0.3, 0.1], [0.1, 0.1], [0.3, 0.1]], [[1, 0], [1, 0], [0, 0], [0, 0]])
    tuned = summarise_action_units([first.au, second.au], UNITS)
    assert tuned.f1["AU4"].values == pytest.approx((1, 0.8))  # 2·2 / (2·2 + 1 false alarm)
    assert tuned.f1["AU12"].values == (pytest.approx(2 / 3), None)
    assert tuned.figures["mean_f1"].values == pytest.approx(((1 + 2 / 3) / 2, 0.8))
    assert tuned.figures["micro_f1"].values == pytest.approx((2 * 2 / (2 * 2 + 1), 2 * 2 / (2 * 2 + 1 + 1)))
    assert tuned.floor["AU4"].values == pytest.approx((2 / 5, 4 / 6))
    assert tuned.floor["AU12"].values == (pytest.approx(2 / 5), None)
    assert tuned.floor["mean_f1"].values == pytest.approx((2 / 5, 4 / 6))
    assert tuned.area["AU4"].values == pytest.approx((1, 2 / 3))  # three equal scores hold both positives
    assert tuned.figures["mean_average_precision"].values == pytest.approx((1, 2 / 3))
    half = summarise_action_units([first.au_at_half, second.au_at_half], UNITS)
    assert half.f1["AU4"].values == (0, 0)
    assert json.dumps(half.to_dict())


def test_a_fold_that_shows_no_unit_at_all_has_no_figures() -> None:
    other = _units([[0.3, 0.9], [0.1, 0.1]], [[1, 1], [0, 0]])
    found = summarise_action_units([None, other.au], UNITS)
    assert all(s.values[0] is None for s in (*found.f1.values(), *found.figures.values(), *found.floor.values()))
    assert found.figures["mean_f1"].mean == 1


def test_emotions_leave_out_the_class_that_a_fold_lacks() -> None:
    names = ("neutral", "anger", "fear")

    def fold(said: list[int], true: list[int]) -> FoldMetrics:
        metrics = emotion_metrics(np.eye(3, dtype=np.float32)[said], np.array(true), names)
        return FoldMetrics(metrics, None, None)

    first, second = fold([0, 0, 1], [0, 0, 1]), fold([0, 1, 2, 2], [0, 0, 1, 2])
    found = summarise_emotions([first.emotion, second.emotion], names)
    assert found.f1["fear"].values == (None, pytest.approx(2 / 3))
    assert found.figures["macro_f1"].values == pytest.approx((1, (2 / 3 + 0 + 2 / 3) / 3))
    assert found.figures["accuracy"].mean == pytest.approx((1 + 1 / 2) / 2)
    assert not found.floor and not found.area
