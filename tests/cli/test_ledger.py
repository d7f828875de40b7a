from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.data.ledger import LEDGER_FILE, Ledger
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder in which three labels were changed, one of them twice."""
    folder = tmp_path / "run"
    ledger = Ledger(folder / LEDGER_FILE)
    ledger.record(5, 1, ["a.png", "b.png"], ["fear", "fear"], ["anger", "neutral"], [0.25, 0.75])
    ledger.record(6, 1, ["a.png", "[red].png"], ["anger", "fear"], ["neutral", "anger"], [0.5, 0.3])
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four pseudo-labelled images in a shard and one in a file."""
    folder = tmp_path / "set"
    info = DatasetInfo("set", ("neutral", "fear"), vote_emotions=("neutral", "fear"))
    with write_dataset(folder, info) as writer:
        for i in range(4):
            writer.add_array(np.full((8, 8), 20 * i, np.uint8), split="train", emotion="fear", votes=(0.25, 0.75))
        writer.add_file("x.png", b"any bytes", split="train", subject="s", emotion="neutral", votes=(0.5, 0.5))
        paths = [*(f"shard-0000.npy:{i}" for i in range(4)), "images/x.png"]
        labels = ["fear"] * 4 + ["neutral"]
        Ledger(writer.folder / LEDGER_FILE).record(0, 0, paths, [""] * 5, labels, [0.1] * 5)
    return folder


def test_it_says_what_was_changed_into_what(fermobile: Callable[..., Any], run: Path) -> None:
    done = fermobile("ledger", run)
    assert done.exit_code == 0, done.stderr
    assert "4 changes of 3 samples, 0 undone" in done.stdout
    assert done.stdout.index("b.png") < done.stdout.index("a.png") < done.stdout.index("[red].png")
    found = json.loads(fermobile("ledger", run, "--json").stdout)
    assert {(kind["from"], kind["to"]): kind["count"] for kind in found["kinds"]} == {
        ("fear", "anger"): 2, ("fear", "neutral"): 1, ("anger", "neutral"): 1,
    }  # fmt: skip
    assert found["rows"][0] == {
        "sample": "b.png", "epoch": 5, "step": 1, "from": "fear", "to": "neutral", "margin": 0.75, "undone": False,
    }  # fmt: skip


def test_in_a_run_labels_are_undone_in_its_own_ledger(fermobile: Callable[..., Any], run: Path) -> None:
    done = fermobile("ledger", run, "--undo", "a.png", "--undo", "b.png", "--json")
    assert json.loads(done.stdout)["undone"] == 2
    assert Ledger(run / LEDGER_FILE).labels() == {"[red].png": "anger"}
    assert "3 samples, 3 undone" in fermobile("ledger", run, "--undo-all").stdout


def test_in_a_dataset_labels_are_undone_in_a_new_one(
    fermobile: Callable[..., Any], dataset: Path, tmp_path: Path
) -> None:
    before = Dataset(dataset)
    out = tmp_path / "mended"
    done = fermobile("ledger", dataset, "--undo", "shard-0000.npy:2", "--undo", "images/x.png", "--out", out)
    assert done.exit_code == 0 and "5 samples, 2 undone" in done.stdout, done.stderr
    made = Dataset(out)
    assert made.emotion.tolist() == ["fear", "fear", "", "fear", ""]
    assert np.isnan(made.votes).all(axis=1).tolist() == [False, False, True, False, True]
    assert made.paths == before.paths and made.subject[4] == "s"
    assert made.content_sha256() == made.sha256 != before.sha256 == before.content_sha256()
    assert Ledger(out / LEDGER_FILE).undone() == {"shard-0000.npy:2", "images/x.png"}
    assert Ledger(dataset / LEDGER_FILE).undone() == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{run}", "--undo", "z.png"], "has no change of 'z.png'"),
        (["{dataset}", "--undo-all"], "name it with --out"),
        (["{dataset}", "--undo", "z.png", "--out", "{out}"], "has no change of 'z.png'"),
        (["{run}", "--undo-all", "--out", "{out}"], "--out is for undoing labels in a dataset"),
        (["{dataset}", "--out", "{out}"], "--out is for undoing labels in a dataset"),
        (["{dataset}", "--undo-all", "--out", "{run}"], "pass --force to replace it"),
        (["{dataset}", "--undo-all", "--out", "{dataset}", "--force"], "which is read for it"),
        (["{out}"], "has no relabels.csv"),
    ],
)
def test_mistakes_end_with_two_and_change_nothing(
    fermobile: Callable[..., Any], run: Path, dataset: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "out"
    done = fermobile("ledger", *(a.format(run=run, dataset=dataset, out=out) for a in arguments))
    assert done.exit_code == 2 and said in done.stderr
    assert not out.exists()
    assert Ledger(run / LEDGER_FILE).undone() == Ledger(dataset / LEDGER_FILE).undone() == set()
