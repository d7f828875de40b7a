"""The official folds: everybody once, and whom the literature puts where."""

from __future__ import annotations

from fermobile.data.readers.protocols import official_folds


def test_disfa_tests_27_people_in_thirds() -> None:
    folds = official_folds("disfa", [])
    assert [len(fold) for fold in folds] == [9, 9, 9]
    people = [subject for fold in folds for subject in fold]
    assert len(set(people)) == 27
    assert {"SN014", "SN015", "SN019", "SN020", "SN022"}.isdisjoint(people)  # numbers that the set leaves out
    assert "SN016" in folds[0] and "SN006" in folds[1] and "SN029" in folds[2]


def test_bp4d_tests_41_people() -> None:
    folds = official_folds("bp4d", [])
    assert [len(fold) for fold in folds] == [14, 14, 13]
    everybody = [f"F{n:03}" for n in range(1, 24)] + [f"M{n:03}" for n in range(1, 19)]
    assert sorted(subject for fold in folds for subject in fold) == everybody
    assert "M014" in folds[0] and "M018" in folds[1] and {"F004", "M003", "M015"} <= set(folds[2])


def test_ck_plus_takes_every_tenth_of_the_sorted_subjects() -> None:
    folds = official_folds("ck-plus", [f"S{n:03}" for n in reversed(range(23))])
    assert folds[0] == ("S000", "S010", "S020") and folds[9] == ("S009", "S019") and len(folds) == 10


def test_other_sets_have_none() -> None:
    assert official_folds("fer2013", ["a"]) == ()
