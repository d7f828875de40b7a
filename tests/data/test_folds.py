"""Folds test everybody once, never put a person on both sides, and are opened again as they were trained on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.data.folds import balanced_folds, fold_splits
from fermobile.data.info import set_folds
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.data.splits import crossing_subjects, refuse_crossing_subjects
from fermobile.errors import DatasetError

FOLDS = (("S1", "S2"), ("S3", "S4"), ("S5",))


def write(folder: Path, subjects: list[str], folds: tuple[tuple[str, ...], ...] = ()) -> Path:
    """One grey image per entry of ``subjects``; all are in train."""
    with write_dataset(folder, DatasetInfo("people", folds=folds)) as writer:
        for i, subject in enumerate(subjects):
            writer.add_array(np.full((4, 4), i, np.uint8), split="train", subject=subject)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "people", [f"S{1 + i % 5}" for i in range(15)], FOLDS)


def test_a_fold_replaces_the_splits_and_no_one_is_on_both_sides(folder: Path) -> None:
    assert set(Dataset(folder).split) == {"train"}
    for number, tested in enumerate(FOLDS, 1):
        dataset = Dataset(folder, fold=number)
        assert dataset.fold == number
        assert set(dataset.subject[dataset.split == "test"]) == set(tested)
        assert len(set(dataset.subject[dataset.split == "val"])) == 1
        assert not crossing_subjects(dataset.subject, dataset.split)
        assert dataset.split.tolist() == Dataset(folder, fold=number).split.tolist()
    assert Dataset(folder, fold=1).sha256 == Dataset(folder).sha256 == Dataset(folder).content_sha256()


def test_every_fold_is_as_when_it_is_opened_alone(folder: Path) -> None:
    folds = Dataset(folder).every_fold()
    assert [dataset.origin for dataset in folds] == [Dataset(folder, fold=n).origin for n in (1, 2, 3)]
    for number, dataset in enumerate(folds, 1):
        assert dataset.split.tolist() == Dataset(folder, fold=number).split.tolist()


def test_one_subject_in_ten_is_val() -> None:
    subjects = np.array([f"S{i:02}" for i in range(41)] * 3, dtype=object)
    split = fold_splits(subjects, (("S00",),), 1, "d")
    assert Counter(split.tolist()) == {"test": 3, "val": 12, "train": 108}


@pytest.mark.parametrize(
    ("fold", "said"),
    [(0, "has 3 folds, 1 to 3; there is no fold 0"), (4, "has 3 folds, 1 to 3; there is no fold 4")],
)
def test_a_fold_that_is_not_there(folder: Path, fold: int, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        Dataset(folder, fold=fold)


def test_a_set_without_folds_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no folds; make some with: fermobile data folds .*d --count 5"):
        Dataset(write(tmp_path / "d", ["a", "b", "c"]), fold=1)
    with pytest.raises(DatasetError, match="has no folds; make some with"):
        Dataset(tmp_path / "d").every_fold()


def test_a_subject_that_no_row_shows(folder: Path) -> None:
    set_folds(folder, (("S1", "SN001"), ("S2",)))
    with pytest.raises(DatasetError, match=r"no sample shows the subject\(s\) SN001; known: S1, S2, S3, S4, S5"):
        Dataset(folder, fold=1)
    assert len(Dataset(folder, fold=2)) == 15


def test_a_subject_in_two_folds(folder: Path) -> None:
    set_folds(folder, (("S1", "S2"), ("S3", "S1")))
    with pytest.raises(DatasetError, match=r"dataset\.json: the subject 'S1' is in fold 1 and in fold 2"):
        Dataset(folder)


@pytest.mark.parametrize("folds", [["S1", "S2"], [[1]], [[""]], [["S1"], 3], 7])
def test_folds_that_are_no_lists_of_names(folder: Path, folds: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "folds": folds}))
    with pytest.raises(DatasetError, match=r"dataset\.json is damaged"):
        Dataset(folder)


def test_rows_without_a_subject(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", ["a", "", "b", "c"], (("a",), ("b",)))
    with pytest.raises(DatasetError, match="1 of 4 samples name no subject; folds by image would put one person"):
        Dataset(folder, fold=1)


def test_too_few_people_to_train_and_choose_by(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", ["a", "b", "c"], (("a", "b"), ("c",)))
    with pytest.raises(DatasetError, match="fold 1 tests 2 of 3 subjects"):
        Dataset(folder, fold=1)


def test_people_who_are_left_out_of_a_copy_leave_its_folds(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", ["S1", "S3", "S4"], FOLDS)
    assert Dataset(folder).info.folds == (("S1",), ("S3", "S4"), ())
    with pytest.raises(DatasetError, match="none of the subjects that fold 3 tests is in this copy"):
        Dataset(folder, fold=3)


def test_it_is_opened_as_it_was_trained_on(folder: Path) -> None:
    origin = Dataset(folder, fold=2).origin
    assert (origin["fold"], origin["sha256"]) == (2, Dataset(folder).sha256)
    reopened = Dataset(folder).as_trained(origin)
    assert reopened.fold == 2 and reopened.split.tolist() == Dataset(folder, fold=2).split.tolist()
    own = Dataset(folder, fold=1).as_trained(Dataset(folder).origin)
    assert own.fold is None and set(own.split) == {"train"}
    assert Dataset(folder).as_trained({**origin, "sha256": "other"}).fold is None


@pytest.mark.parametrize("opened", [None, 2])
def test_folds_that_were_made_again_are_not_those_that_were_trained_on(folder: Path, opened: int | None) -> None:
    origin = Dataset(folder, fold=2).origin
    set_folds(folder, (FOLDS[1], FOLDS[0]))
    with pytest.raises(DatasetError, match="fold 2 tests other subjects than when the model was trained"):
        Dataset(folder, fold=opened).as_trained(origin)


def test_a_crossing_subject_is_named() -> None:
    subjects, splits = ["a", "b", "b", "", ""], ["train", "train", "test", "train", "test"]
    assert crossing_subjects(subjects, splits) == {"b": {"train", "test"}}
    with pytest.raises(DatasetError, match=r"1 subject\(s\) are in .* \(b: test, train\).*data folds d"):
        refuse_crossing_subjects(subjects, splits, "d")
    refuse_crossing_subjects(subjects[:2], splits[:2], "d")


@given(sizes=st.lists(st.integers(1, 50), min_size=4, max_size=40), count=st.integers(2, 4), seed=st.integers(0, 3))
def test_balanced_folds_hold_everybody_once(sizes: list[int], count: int, seed: int) -> None:
    subjects = np.array([f"S{i:02}" for i, n in enumerate(sizes) for _ in range(n)], dtype=object)
    folds = balanced_folds(subjects, count, seed, "d")
    assert sorted(s for fold in folds for s in fold) == sorted(set(subjects))
    filled = [sum(sizes[int(s[1:])] for s in fold) for fold in folds]
    assert max(filled) - min(filled) <= max(sizes)  # the fullest fold was the emptiest before its last subject came
    assert folds == balanced_folds(subjects, count, seed, "d")


def test_the_seed_decides_who_is_in_which_fold() -> None:
    subjects = np.array([f"S{i:02}" for i in range(30)] * 2, dtype=object)
    assert balanced_folds(subjects, 3, 0, "d") != balanced_folds(subjects, 3, 1, "d")


def test_more_folds_than_people() -> None:
    with pytest.raises(DatasetError, match="d has 3 subjects: choose from 2 to 3 folds, not 4"):
        balanced_folds(np.array(["a", "b", "c"], dtype=object), 4, 0, "d")
