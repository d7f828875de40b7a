"""The official folds: everybody once, and whom the literature puts where."""

from __future__ import annotations

from fermobile.data.readers.protocols import official_folds


def test_disfa_tests_27_people_in_thirds() -> None:
    folds = official_folds("disfa", [])
    assert [len(fold) for fold in folds] == [9, 9, 9]
    people = [subject for fold in folds for subject in fold]
    assert len(set(people)) == 27
    assert {"SN014", "SN015", "SN019", "SN020", "SN022"}.isdisjoint(people)  # numbers that the set leaves out
    assert folds == (
        ("SN001", "SN002", "SN009", "SN010", "SN016", "SN026", "SN027", "SN030", "SN032"),
        ("SN006", "SN011", "SN012", "SN013", "SN018", "SN021", "SN024", "SN028", "SN031"),
        ("SN003", "SN004", "SN005", "SN007", "SN008", "SN017", "SN023", "SN025", "SN029"),
    )


def test_bp4d_tests_41_people() -> None:
    folds = official_folds("bp4d", [])
    assert [len(fold) for fold in folds] == [14, 14, 13]
    everybody = [f"F{n:03}" for n in range(1, 24)] + [f"M{n:03}" for n in range(1, 19)]
    assert sorted(subject for fold in folds for subject in fold) == everybody
    assert set(folds[0]) == {
        "F001", "F002", "F008", "F009", "F010", "F016", "F018", "F023", "M001", "M004", "M007", "M008", "M012", "M014",
    }  # fmt: skip
    assert set(folds[1]) == {
        "F003", "F005", "F011", "F013", "F020", "F022", "M002", "M005", "M010", "M011", "M013", "M016", "M017", "M018",
    }  # fmt: skip
    assert set(folds[2]) == {
        "F004", "F006", "F007", "F012", "F014", "F015", "F017", "F019", "F021", "M003", "M006", "M009", "M015",
    }  # fmt: skip


def test_ck_plus_takes_every_tenth_of_the_sorted_subjects() -> None:
    folds = official_folds("ck-plus", [f"S{n:03}" for n in reversed(range(23))])
    assert folds[0] == ("S000", "S010", "S020") and folds[9] == ("S009", "S019") and len(folds) == 10


def test_other_sets_have_none() -> None:
    assert official_folds("fer2013", ["a"]) == ()
