"""Hold-outs keep proportions and never divide a group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.data.splits import complete_splits, each_pair, hold_out, join, subject_pairs
from fermobile.errors import DatasetError


def singles(count: int) -> np.ndarray:
    return np.arange(count)


def test_every_stratum_gives_its_share() -> None:
    strata = ["happiness"] * 1000 + ["fear"] * 100 + ["contempt"] * 20
    held = hold_out(strata, singles(len(strata)), 0.1, seed=3)
    assert [int(held[np.array(strata) == s].sum()) for s in ("happiness", "fear", "contempt")] == [100, 10, 2]


def test_the_seed_decides() -> None:
    strata = ["a"] * 100
    first, again, other = (hold_out(strata, singles(100), 0.2, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(
    groups=st.lists(st.integers(0, 30), min_size=2, max_size=200).filter(lambda g: len(set(g)) > 1),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_groups_stay_together_and_neither_side_is_empty(groups: list[int], fraction: float, seed: int) -> None:
    array = np.array(groups)
    strata = [str(g % 3) for g in groups]
    held = hold_out(strata, array, fraction, seed)
    assert held.any() and not held.all()
    assert not set(array[held]) & set(array[~held])


def test_subjects_with_every_emotion_are_held_out_in_proportion() -> None:
    groups = np.repeat(np.arange(50), 6)
    held = hold_out(["a", "b", "c"] * 100, groups, 0.2, seed=0)
    assert held.sum() == 60


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(DatasetError, match="between 0 and 1"):
        hold_out(["a", "b"], singles(2), fraction, 0)


def test_one_group_cannot_be_divided() -> None:
    with pytest.raises(DatasetError, match=r"3 sample\(s\) in 1 group"):
        hold_out(["a"] * 3, np.zeros(3, int), 0.1, 0)


def test_join_connects_through_others() -> None:
    groups = join(6, [(0, 1), (2, 3), (1, 2)])
    assert len(set(groups[:4])) == 1
    assert len(set(groups)) == 3


def test_unknown_subjects_are_not_one_person() -> None:
    assert subject_pairs(["", "S1", "", "S1"]) == [(1, 1), (1, 3)]


@pytest.mark.parametrize(
    ("official", "expected", "rule"),
    [
        ({"train": 20, "val": 5, "test": 5}, {"train": 20, "val": 5, "test": 5}, "the source's own splits"),
        ({"train": 20, "val": 5}, {"train": 18, "val": 2, "test": 5}, "only held-out one, is test; 10% of train"),
        ({"train": 20, "test": 5}, {"train": 18, "val": 2, "test": 5}, "10% of train held out as val"),
        ({"train": 20}, {"train": 18, "val": 2}, "10% of train held out as val"),
        ({"test": 5}, {"test": 5}, "the source's own splits"),
        ({"val": 5}, {"test": 5}, "is test"),
        ({"val": 5, "test": 5}, {"val": 5, "test": 5}, "the source's own splits"),
        ({"": 100}, {"train": 81, "val": 9, "test": 10}, "no splits: 10% held out as test; 10% of train"),
    ],
)
def test_missing_splits_are_filled_in(official: dict[str, int], expected: dict[str, int], rule: str) -> None:
    rows = [split for split, count in official.items() for _ in range(count)]
    split, said = complete_splits(rows, ["x"] * len(rows), singles(len(rows)), 0.1, 0)
    assert {name: int((split == name).sum()) for name in set(split)} == expected
    assert rule in said


def test_pairs_come_one_by_one_in_their_order() -> None:
    first, second = np.arange(100_000).reshape(-1, 2), np.array([[7, 8]])
    assert list(each_pair(first, np.empty((0, 2), np.int64), second)) == [*first.tolist(), [7, 8]]
    assert iter(found := each_pair(first)) is found  # a generator, not a list
