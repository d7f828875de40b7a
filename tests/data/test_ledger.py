from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.data.ledger import LEDGER_FILE, Ledger
from fermobile.errors import DatasetError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / LEDGER_FILE


def filled(path: Path) -> Ledger:
    ledger = Ledger(path)
    ledger.record(0, 5, ["a.png", "b.png"], ["anger", "fear"], ["sadness", "surprise"], [0.3, 0.25])
    ledger.record(1, 0, ["a.png"], ["sadness"], ["neutral"], [0.4])
    ledger.record(1, 7, ["c.png"], ["disgust"], ["anger"], [0.9])
    return ledger


def test_labels_are_the_last_of_each_sample(path: Path) -> None:
    for ledger in (filled(path), Ledger(path)):
        assert ledger.labels() == {"a.png": "neutral", "b.png": "surprise", "c.png": "anger"}
        assert [(c.sample, c.epoch, c.step, c.before, c.after) for c in ledger.changes()][2] == (
            "a.png", 1, 0, "sadness", "neutral",
        )  # fmt: skip
        assert [c.margin for c in ledger.changes()] == [0.3, 0.25, 0.4, 0.9]


def test_the_file_is_only_appended_to(path: Path) -> None:
    ledger = filled(path)
    before = path.read_bytes()
    ledger.undo(["a.png"])
    ledger.record(2, 0, ["b.png"], ["surprise"], ["fear"], [0.5])
    assert path.read_bytes().startswith(before)
    assert len(path.read_bytes().splitlines()) == 1 + 4 + 2


def test_rewind_forgets_what_was_made_at_or_after_the_position(path: Path) -> None:
    filled(path).rewind(1, 0)
    assert Ledger(path).labels() == {"a.png": "sadness", "b.png": "surprise"}
    again = Ledger(path)
    again.record(1, 0, ["a.png"], ["sadness"], ["neutral"], [0.4])
    again.record(1, 7, ["c.png"], ["disgust"], ["anger"], [0.9])
    assert path.read_bytes() == filled(path.with_name("whole.csv")).path.read_bytes()


def test_undone_samples_keep_their_first_label_for_good(path: Path) -> None:
    ledger = filled(path)
    assert ledger.undo(["a.png"]) == 1
    assert ledger.undo(["a.png"]) == 0
    for now in (ledger, Ledger(path)):
        assert now.undone() == {"a.png"}
        assert now.labels() == {"b.png": "surprise", "c.png": "anger"}
        assert [c.undone for c in now.changes()] == [True, False, True, False]
        with pytest.raises(ValueError, match=r"a\.png was undone"):
            now.record(3, 0, ["c.png", "a.png"], ["anger", "anger"], ["fear", "fear"], [0.5, 0.5])
    assert path.read_text().splitlines()[-1] == "a.png,,,neutral,anger,,1"


def test_undo_all(path: Path) -> None:
    ledger = filled(path)
    ledger.undo(["b.png"])
    assert ledger.undo() == 2
    assert Ledger(path).labels() == {}
    assert Ledger(path).undone() == {"a.png", "b.png", "c.png"}


def test_undo_of_a_sample_that_was_never_changed_says_which_were(path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no change of 'z\.png'; samples that it changed: a\.png, b\.png"):
        filled(path).undo(["a.png", "z.png"])
    assert Ledger(path).undone() == set()


def test_an_undo_outlives_a_rewind(path: Path) -> None:
    ledger = filled(path)
    ledger.undo(["c.png"])
    ledger.rewind(0, 0)
    assert Ledger(path).undone() == {"c.png"}
    assert Ledger(path).changes() == []


def test_a_training_that_does_not_know_of_an_undo_does_no_harm(path: Path) -> None:
    training = filled(path)
    Ledger(path).undo(["a.png"])
    training.record(2, 0, ["a.png", "b.png"], ["neutral", "surprise"], ["fear", "fear"], [0.5, 0.5])
    assert Ledger(path).labels() == {"b.png": "fear", "c.png": "anger"}
    assert Ledger(path).undone() == {"a.png"}


@given(cut=st.integers(0, 400))
def test_a_cut_file_reads_as_its_whole_lines_and_goes_on(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / LEDGER_FILE
    filled(path).record(2, 0, ["é.png"], [""], ["fear"], [0.125])
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    kept = Ledger(path).changes()
    assert len(kept) == max(0, data[:cut].count(b"\n") - 1)
    Ledger(path).record(9, 0, ["new.png"], ["fear"], ["anger"], [0.5])
    assert [c.sample for c in Ledger(path).changes()] == [*(c.sample for c in kept), "new.png"]


@given(samples=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1), unique=True))
def test_any_name_of_a_sample_survives(tmp_path_factory: pytest.TempPathFactory, samples: list[str]) -> None:
    path = tmp_path_factory.mktemp("names") / LEDGER_FILE
    n = len(samples)
    Ledger(path).record(0, 0, samples, [""] * n, ["fear"] * n, [0.5] * n)
    assert Ledger(path).labels() == dict.fromkeys(samples, "fear")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,split\n", "line 1: not a ledger"),
        ("sample,epoch,step,from,to,margin,undo\na,1,2,fear\n", "line 2: 4 fields, expected 7"),
        ("sample,epoch,step,from,to,margin,undo\na,1,x,fear,anger,0.5,\n", "line 2: epoch, step or margin"),
    ],
)
def test_another_file_is_refused(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        Ledger(path)


def test_a_ledger_without_changes_writes_no_file(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record(0, 0, [], [], [], [])
    ledger.rewind(0, 0)
    assert ledger.undo() == 0
    assert not path.exists()
