"""Cross-validation on patterns: one run per fold, resumable, thresholds from validation subjects."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.info import set_folds
from fermobile.data.manifest import Dataset, write_dataset
from fermobile.errors import DatasetError, InputError, OutputExistsError, RunError
from fermobile.evaluation.metrics import au_metrics, best_thresholds
from fermobile.training import cross_validation
from fermobile.training.cross_validation import FOLDS_FILE, CrossValidation, cross_validate, fold_metrics
from fermobile.training.loop import Silent
from fermobile.training.recipe import recipe_from_dict
from fermobile.training.scoring import predict_rows
from fermobile.training.transfer import train

from .conftest import AUS, EMOTIONS

RECIPE = recipe_from_dict(
    {
        "name": "tiny",
        "tasks": ["emotion", "au"],
        "network": {"alpha": 0.25, "size": 32, "weights": "faces"},
        "head": {"epochs": 10, "batch": 8, "learning_rate": 0.02, "views": 0},
        "tune": {"epochs": 0},
        "ema": 0.5,
    }
)


class Watcher(Silent):
    """Keeps the epochs that it hears of; stops the training at the first of ``stop_at``."""

    def __init__(self, stop_at: int = 0) -> None:
        self.epochs: list[tuple[int, int]] = []
        self._stop_at = stop_at

    def epoch(self, row: dict[str, Any]) -> None:
        if row["fold"] == self._stop_at:
            raise KeyboardInterrupt
        self.epochs.append((row["fold"], row["epoch"]))


def with_folds(source: Dataset, folder: Path, faint: int = 0) -> Dataset:
    """A copy of the patterns in three folds; people of the fold ``faint`` hide their action units in grey.

    Corners that are nearly as dark with a unit as without it score low either way, so that the threshold that fits
    these people is not the one that fits the others.
    """
    folds = tuple(tuple(f"s{i}" for i in range(first, 96, 3)) for first in range(3))
    with write_dataset(folder, source.info) as writer:
        for row in range(len(source)):
            image = source.image(row).copy()
            if faint and source.subject[row] in folds[faint - 1]:
                corners = image[:8, [*range(8), *range(24, 32)]]
                image[:8, [*range(8), *range(24, 32)]] = np.where(corners > 200, 90, corners)
            writer.add_array(image, **source.labels(row))
    set_folds(folder, folds)
    return Dataset(folder)


@pytest.fixture(scope="module")
def dataset(patterns: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return with_folds(patterns, tmp_path_factory.mktemp("folds") / "set", faint=1)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    return cross_validate(RECIPE, dataset.every_fold(), tmp_path_factory.mktemp("runs") / "cv")


def test_every_fold_leaves_a_run_that_is_tested_on_the_people_it_never_saw(
    whole: CrossValidation, dataset: Dataset
) -> None:
    assert sorted(p.name for p in whole.folder.iterdir()) == ["fold-1", "fold-2", "fold-3", "folds.json"]
    for fold in whole.folds:
        opened = Dataset(dataset.folder, fold=fold.number)
        assert fold.run.info["dataset"]["fold_sha256"] == opened.origin["fold_sha256"]
        rows = np.flatnonzero(np.isin(opened.subject.astype(str), dataset.info.folds[fold.number - 1]))
        assert (fold.subjects, fold.faces) == (32, 32)
        np.testing.assert_array_equal(fold.labels["emotion"], opened.hard_labels(EMOTIONS)[rows])
        expected = predict_rows(fold.run.load_model(), opened, rows, fold.run.contract)
        np.testing.assert_allclose(fold.scores["au"], expected["au"], atol=1e-6)


def test_thresholds_fit_the_validation_subjects_and_not_the_tested_ones(
    whole: CrossValidation, dataset: Dataset
) -> None:
    fold = whole.folds[0]
    opened = Dataset(dataset.folder, fold=1)
    rows = opened.indices("val")
    scores = predict_rows(fold.run.load_model(), opened, rows, fold.run.contract)["au"]
    assert fold.run.contract.thresholds == pytest.approx(
        best_thresholds(scores, opened.au_labels(AUS)[rows], AUS), abs=1e-4
    )
    said, true = fold.scores["au"], fold.labels["au"]
    at_best = au_metrics(said, true, AUS, best_thresholds(said, true, AUS))
    assert fold.metrics.au is not None and fold.metrics.au_at_half is not None
    assert at_best.mean_f1 > fold.metrics.au.mean_f1 + 0.05, "the tested people's own thresholds would flatter"
    assert fold.metrics.au.to_dict() == au_metrics(said, true, AUS, fold.run.contract.thresholds).to_dict()
    assert {unit["threshold"] for unit in fold.metrics.au_at_half.per_au.values()} == {0.5}


def test_the_summary_is_that_of_the_folds(whole: CrossValidation) -> None:
    told = json.loads((whole.folder / FOLDS_FILE).read_text())
    assert told == json.loads(json.dumps(whole.to_dict()))
    assert [entry["fold"] for entry in told["folds"]] == [1, 2, 3] and told["count"] == 3
    values = [entry["emotion"]["macro_f1"] for entry in told["folds"]]
    summary = told["summary"]["emotion"]["figures"]["macro_f1"]
    assert summary["values"] == values
    mean = sum(values) / 3
    assert summary["mean"] == pytest.approx(mean)
    assert summary["sd"] == pytest.approx((sum((v - mean) ** 2 for v in values) / 2) ** 0.5)
    assert told["summary"]["au_at_half"]["f1"]["AU4"]["values"] == [
        entry["au_at_half"]["per_au"]["AU4"]["f1"] for entry in told["folds"]
    ]


def test_what_was_stopped_goes_on_where_it_was(whole: CrossValidation, dataset: Dataset, tmp_path: Path) -> None:
    folder, folds = tmp_path / "cv", dataset.every_fold()
    with pytest.raises(KeyboardInterrupt):
        cross_validate(RECIPE, folds, folder, report=Watcher(stop_at=2))
    assert [entry["fold"] for entry in json.loads((folder / FOLDS_FILE).read_text())["folds"]] == [1]
    with pytest.raises(OutputExistsError):
        cross_validate(RECIPE, folds, folder)
    with pytest.raises(RunError, match="fold-1 was started with another recipe"):
        cross_validate(RECIPE.override(seed=9), folds, folder, resume=True)
    first = (folder / "fold-1" / "model.weights.h5").stat().st_mtime_ns
    heard = Watcher()
    resumed = cross_validate(RECIPE, folds, folder, resume=True, report=heard)
    assert (1, 1) not in heard.epochs and (3, 2) in heard.epochs
    assert (folder / "fold-1" / "model.weights.h5").stat().st_mtime_ns == first
    for ours, theirs in zip(resumed.folds, whole.folds, strict=True):
        np.testing.assert_array_equal(ours.scores["au"], theirs.scores["au"])
    assert resumed.to_dict()["summary"] == whole.to_dict()["summary"]


def test_force_replaces_a_cross_validation_and_nothing_else(dataset: Dataset, tmp_path: Path) -> None:
    short = RECIPE.override(**{"head.epochs": 1})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").touch()
    with pytest.raises(InputError, match=r"holds no folds\.json"):
        cross_validate(short, dataset.every_fold(), tmp_path / "mine", force=True)
    with pytest.raises(RunError, match=r"is no cross-validation \(no folds\.json\)"):
        cross_validate(short, dataset.every_fold(), tmp_path / "mine", resume=True)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["precious.txt"]
    old = tmp_path / "old"
    (old / "fold-9").mkdir(parents=True)
    (old / FOLDS_FILE).write_text("{}")
    cross_validate(short, dataset.every_fold()[:2], old, force=True)
    assert sorted(p.name for p in old.iterdir()) == ["fold-1", "fold-2", "folds.json"]


def test_a_fold_that_cannot_be_trained_is_named_before_the_first_is(
    patterns: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validation, "train", lambda *args, **kwargs: pytest.fail("trained"))
    folder = shutil.copytree(patterns.folder, tmp_path / "set")
    surprised = tuple(patterns.subject[patterns.emotion == "surprise"])
    others = tuple(patterns.subject[patterns.emotion != "surprise"])
    set_folds(folder, (others[:10], surprised, others[10:20]))
    with pytest.raises(DatasetError, match=r"fold 2: .* no training example of surprise"):
        cross_validate(RECIPE, Dataset(folder).every_fold(), tmp_path / "cv")
    assert not (tmp_path / "cv").exists()


def test_a_start_that_has_seen_the_tested_people_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    run = train(RECIPE.override(**{"head.epochs": 1}), dataset, tmp_path / "seen")
    for changes in ({"network.weights": str(run.folder)}, {"distill.teachers": [str(run.folder)]}):
        with pytest.raises(InputError, match="it has seen faces that are held out here"):
            cross_validate(RECIPE.override(**changes), dataset.every_fold(), tmp_path / "cv")
    assert not (tmp_path / "cv").exists()


def test_a_label_that_nobody_tested_shows_is_left_out_and_said(whole: CrossValidation) -> None:
    contract = ModelContract("m", EMOTIONS, AUS, InputSpec(32))
    fold = whole.folds[0]
    labels = {"emotion": fold.labels["emotion"], "au": np.where([True, False], fold.labels["au"], 0.0)}
    labels["emotion"] = np.where(labels["emotion"] == 2, -1, labels["emotion"])
    lacking = cross_validation.Fold(
        1, fold.run, 32, fold.scores, labels, fold_metrics(fold.scores, labels, contract)
    )  # fmt: skip
    result = CrossValidation(whole.folder, RECIPE, 3, (lacking, *whole.folds[1:]))
    assert result.left_out() == [
        "fold 1: no test face shows surprise; left out of its means",
        "fold 1: no test face shows AU12; left out of its means",
    ]
    found = result.summaries()["au"].f1["AU12"]
    assert found.values[0] is None
    assert found.mean == pytest.approx(np.mean([value for value in found.values[1:] if value is not None]))


def test_means_over_other_units_than_the_benchmark_reports_are_said(whole: CrossValidation) -> None:
    fold = whole.folds[0]
    of_disfa = {**fold.run.info, "dataset": {**fold.run.info["dataset"], "name": "disfa"}}
    run = dataclasses.replace(fold.run, info=of_disfa)
    (said,) = dataclasses.replace(whole, folds=(dataclasses.replace(fold, run=run), *whole.folds[1:])).left_out()
    assert f"over {', '.join(AUS)}; what is published of disfa is over AU1, AU2, AU4, AU6, AU9, AU12, AU25," in said


def test_nothing_labelled_means_no_figures() -> None:
    contract = ModelContract("m", EMOTIONS, AUS, InputSpec(32))
    scores = {"emotion": np.full((4, 3), 1 / 3, np.float32), "au": np.full((4, 2), 0.5, np.float32)}
    labels = {"emotion": np.full(4, -1), "au": np.full((4, 2), np.nan, np.float32)}
    metrics = fold_metrics(scores, labels, contract)
    assert metrics.emotion is None and metrics.au is None and metrics.au_at_half is None
