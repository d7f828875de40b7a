"""Cross-validation over subject-exclusive folds: one run per fold, measured on the people it never saw.

::

    fold-1/ fold-2/ …    runs, as ``fermobile train --fold`` leaves them
    folds.json           figures of every finished fold, and how far folds differ

The thresholds and the temperature of a fold's contract come from its validation subjects, who are among those that the
fold does not test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import ModelContract
from ..data.batches import batches
from ..data.manifest import Dataset
from ..data.readers.protocols import reported_units
from ..errors import DatasetError, RunError
from ..evaluation.calibration import apply_temperature
from ..evaluation.fold_metrics import FoldMetrics, HeadSummary, summarise_action_units, summarise_emotions
from ..evaluation.metrics import au_metrics, emotion_metrics
from ..files import refuse_sources_inside, write_json, writing_folder
from ..models.keras import tf
from .loop import Reporter, Silent
from .recipe import Recipe
from .runs import Run
from .scoring import predict
from .start import refuse_other_splits, starting_points
from .targets import make_targets, refuse_unlabelled
from .transfer import starting_contract, train

FOLDS_FILE = "folds.json"
FOLDS_VERSION = 1


@dataclass(frozen=True)
class Fold:
    """One finished fold.

    Attributes:
        number: from 1.
        run: trained without its test subjects.
        subjects: how many people it tests.
        scores: of its test faces, head -> float32 (N, labels), emotions calibrated.
        labels: their truth, "emotion" int64 (N,) with -1 = unlabelled, "au" 0/1/NaN (N, A).
        metrics: figures of these.
    """

    number: int
    run: Run
    subjects: int
    scores: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    metrics: FoldMetrics

    @property
    def faces(self) -> int:
        """How many faces it tests."""
        return len(next(iter(self.scores.values())))

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        contract = self.run.contract
        return {
            "fold": self.number,
            "run": self.run.folder.name,
            "weights_sha256": self.run.weights_sha256,
            "fold_sha256": self.run.info["dataset"]["fold_sha256"],
            "subjects": self.subjects,
            "faces": self.faces,
            "thresholds": dict(contract.thresholds),
            "temperature": contract.temperature,
            **self.metrics.to_dict(),
        }


@dataclass(frozen=True)
class CrossValidation:
    """Finished folds of one recipe on one dataset, at least one of them.

    Attributes:
        folder: where the runs lie.
        recipe: the resolved recipe.
        count: folds of the dataset.
        folds: those that are finished, in order.
    """

    folder: Path
    recipe: Recipe
    count: int
    folds: tuple[Fold, ...]

    @property
    def contract(self) -> ModelContract:
        """Of the first fold; labels and input are those of every fold."""
        return self.folds[0].run.contract

    def summaries(self) -> dict[str, HeadSummary]:
        """Over the folds: "emotion", "au" (thresholds from validation subjects) and "au_at_half" (threshold 0.5)."""
        found, contract = [fold.metrics for fold in self.folds], self.contract
        summaries = {}
        if contract.emotions:
            summaries["emotion"] = summarise_emotions([m.emotion for m in found], contract.emotions)
        if contract.action_units:
            summaries["au"] = summarise_action_units([m.au for m in found], contract.action_units)
            summaries["au_at_half"] = summarise_action_units([m.au_at_half for m in found], contract.action_units)
        return summaries

    def left_out(self) -> list[str]:
        """What the means leave out, in words: labels that a fold lacks, and units that the benchmark reports."""
        said, name = [], self.folds[0].run.info["dataset"]["name"]
        reported, ours = reported_units(name), self.contract.action_units
        if ours and reported and set(ours) != set(reported):
            said.append(
                f"the means are over {', '.join(ours)}; what is published of {name} is over {', '.join(reported)} "
                "(action_units of a recipe)"
            )
        for fold in self.folds:
            for head, metrics in (("emotion", fold.metrics.emotion), ("au", fold.metrics.au)):
                labels = self.contract.labels(head)
                absent = labels if metrics is None else metrics.absent
                if absent:
                    said.append(f"fold {fold.number}: no test face shows {', '.join(absent)}; left out of its means")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        dataset = self.folds[0].run.info["dataset"]
        return {
            "folds_version": FOLDS_VERSION,
            "recipe": self.recipe.name,
            "dataset": {"name": dataset["name"], "sha256": dataset["sha256"]},
            "count": self.count,
            "folds": [fold.to_dict() for fold in self.folds],
            "summary": {head: summary.to_dict() for head, summary in self.summaries().items()},
            "left_out": self.left_out(),
        }


def cross_validate(
    recipe: Recipe,
    folds: Sequence[Dataset],
    folder: Path,
    resume: bool = False,
    force: bool = False,
    report: Reporter | None = None,
) -> CrossValidation:
    """Train a recipe once per fold and measure each run on its fold's test subjects.

    Args:
        folds: the dataset, opened on each of its folds in order; see :meth:`Dataset.every_fold`.
        folder: gets the runs and ``folds.json``, which is written anew after every fold.
        resume: go on with what is there: finished runs are measured, a killed one goes on.
        force: replace an earlier cross-validation.
    Raises:
        OutputExistsError: the folder is taken and neither ``resume`` nor ``force`` is given.
        DatasetError: a fold cannot be trained, chosen by or tested; said of all folds before the first is trained.
        RunError: ``resume`` finds runs of another recipe or dataset, or no cross-validation.
        InputError: as for :func:`fermobile.training.transfer.train`.
        MissingExtraError: scipy, which knows Student's t, is not installed.
    """
    report = report or Silent()
    for dataset in folds:
        _refuse_unfit(recipe, dataset)
    _claim(recipe, folder, resume, force)
    finished: list[Fold] = []
    for number, dataset in enumerate(folds, 1):
        watched = _OfFold(report, number, len(folds))
        run = train(recipe, dataset, folder / f"fold-{number}", resume, report=watched)
        finished.append(_measure(number, run, dataset, watched))
        result = CrossValidation(folder, recipe, len(folds), tuple(finished))
        write_json(folder / FOLDS_FILE, result.to_dict())
    return result


def _refuse_unfit(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse what would else come up hours later: labels that a part of a fold lacks, a start that knows its faces."""
    try:
        contract = starting_contract(recipe, dataset)
        make_targets(dataset, dataset.indices("train"), contract, recipe.labels)
        for split in ("val", "test"):
            refuse_unlabelled(dataset, dataset.indices(split), contract)
    except DatasetError as error:
        raise DatasetError(f"fold {dataset.fold}: {error}") from None
    refuse_other_splits(recipe, dataset)


def _claim(recipe: Recipe, folder: Path, resume: bool, force: bool) -> None:
    """Make the folder, or see that it is one to go on with."""
    if resume and folder.exists() and any(folder.iterdir()):
        if not (folder / FOLDS_FILE).is_file():
            raise RunError(f"{folder} is no cross-validation (no {FOLDS_FILE}): there is nothing to resume")
        return
    refuse_sources_inside(folder, starting_points(recipe))
    with writing_folder(folder, FOLDS_FILE, force) as new:
        write_json(new / FOLDS_FILE, {"folds_version": FOLDS_VERSION, "recipe": recipe.name, "folds": []})


def _measure(number: int, run: Run, dataset: Dataset, report: Reporter) -> Fold:
    """Score a fold's test faces with its run."""
    rows, contract = dataset.indices("test"), run.contract
    with report.progress("testing", len(rows), "images") as advance:

        def images() -> Iterator[tf.Tensor]:
            for positions, batch in batches(dataset, rows, contract.input, 128):
                yield batch
                advance(len(positions))

        scores = predict(run.load_model(), images(), contract)
    labels = {}
    if "emotion" in scores:
        scores["emotion"] = apply_temperature(scores["emotion"], contract.temperature)
        labels["emotion"] = dataset.hard_labels(contract.emotions)[rows]
    if "au" in scores:
        labels["au"] = dataset.au_labels(contract.action_units)[rows]
    metrics = fold_metrics(scores, labels, contract)
    return Fold(number, run, len(set(dataset.subject[rows])), scores, labels, metrics)


def fold_metrics(
    scores: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], contract: ModelContract
) -> FoldMetrics:
    """Figures of one fold: at the contract's thresholds, and for action units at 0.5 too.

    Args:
        scores, labels: as in :class:`Fold`.
    """
    emotion = au = au_at_half = None
    if (labels.get("emotion", np.array(-1)) >= 0).any():
        emotion = emotion_metrics(scores["emotion"], labels["emotion"], contract.emotions)
    if (labels.get("au", np.array(0)) == 1).any():
        au = au_metrics(scores["au"], labels["au"], contract.action_units, contract.thresholds)
        au_at_half = au_metrics(scores["au"], labels["au"], contract.action_units)
    return FoldMetrics(emotion, au, au_at_half)


class _OfFold:
    """Tells a reporter which fold it hears of."""

    def __init__(self, report: Reporter, number: int, count: int) -> None:
        self._report, self._number, self._count = report, number, count

    def progress(
        self, label: str, total: int | None, unit: str
    ) -> contextlib.AbstractContextManager[Callable[[int], None]]:
        return self._report.progress(f"fold {self._number}/{self._count}, {label}", total, unit)

    def epoch(self, row: dict[str, Any]) -> None:
        self._report.epoch({"fold": self._number, **row})
