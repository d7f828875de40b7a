"""What the losses compare with: targets and masks of every row, as arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..contract import ModelContract
from ..data.manifest import Dataset
from ..errors import DatasetError
from .recipe import LabelRecipe


@dataclass(frozen=True)
class Targets:
    """Targets of N rows.

    Attributes:
        emotion: float32 (N, C), a distribution over the emotions; zeros where unlabelled.
        emotion_weight: float32 (N,), 0 where unlabelled, mean 1 over labelled rows.
        au: float32 (N, A), 0 or 1; 0 where unlabelled.
        au_weight: float32 (N, A), 0 where unlabelled, mean 1 over labelled cells.
        taught_emotion, taught_au: what teachers answer, float32 (N, C) and (N, A); (N, 0) where nobody teaches.
    """

    emotion: np.ndarray
    emotion_weight: np.ndarray
    au: np.ndarray
    au_weight: np.ndarray
    taught_emotion: np.ndarray
    taught_au: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Which rows carry any label, bool (N,)."""
        return np.asarray((self.emotion_weight > 0) | (self.au_weight > 0).any(axis=1))

    def take(self, rows: np.ndarray) -> Targets:
        """A copy of the targets of some rows."""
        return Targets(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})

    def taught_by(self, answers: Mapping[str, np.ndarray]) -> Targets:
        """The same with teachers' answers, {head: (N, labels)}."""
        return dataclasses.replace(self, **{f"taught_{head}": scores for head, scores in answers.items()})

    def au_rates(self) -> np.ndarray:
        """Share of positives over the labelled cells of each action unit, float64 (A,); 0 where none is labelled."""
        known = self.au_weight > 0
        return np.asarray((self.au * known).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1))


def make_targets(dataset: Dataset, rows: np.ndarray, contract: ModelContract, recipe: LabelRecipe) -> Targets:
    """Targets of ``rows`` for the contract's labels.

    Raises:
        DatasetError: a class of the contract has no training example, or nothing is labelled.
    """
    emotion, emotion_weight = _emotion_targets(dataset, rows, contract, recipe)
    au, au_weight = _au_targets(dataset, rows, contract, recipe)
    nobody = np.zeros((len(rows), 0), np.float32)
    targets = Targets(emotion, emotion_weight, au, au_weight, nobody, nobody)
    if not targets.labelled.any():
        raise DatasetError(f"{dataset.folder}: no row carries a label of this model ({', '.join(contract.heads)})")
    return targets


def absent_labels(dataset: Dataset, rows: np.ndarray, contract: ModelContract) -> list[str]:
    """Emotions and action units of the contract that no row of ``rows`` shows: no figure of ``rows`` speaks of them."""
    emotions = set(dataset.emotion[rows].tolist())
    units = dataset.au_labels(contract.action_units)[rows]
    return [name for name in contract.emotions if name not in emotions] + _never_shown(units, contract.action_units)


def _never_shown(labels: np.ndarray, action_units: tuple[str, ...]) -> list[str]:
    """Action units without a positive among ``labels`` (N, A), 1, 0 or NaN."""
    return [name for name, seen in zip(action_units, (labels == 1).any(axis=0), strict=True) if not seen]


def refuse_unlabelled(dataset: Dataset, rows: np.ndarray, contract: ModelContract) -> None:
    """Raise DatasetError when ``rows`` hold no label of a head of the contract: nothing could be selected by them."""
    known = {
        "emotion": dataset.hard_labels(contract.emotions)[rows] >= 0,
        "au": np.isfinite(dataset.au_labels(contract.action_units)[rows]),
    }
    for head in contract.heads:
        if not known[head].any():
            split = dataset.split[rows[0]]
            raise DatasetError(
                f"{dataset.folder}: the split {split} carries no {head} label of {', '.join(contract.labels(head))}"
            )


def _emotion_targets(
    dataset: Dataset, rows: np.ndarray, contract: ModelContract, recipe: LabelRecipe
) -> tuple[np.ndarray, np.ndarray]:
    names, n = contract.emotions, len(rows)
    if not names:
        return np.zeros((n, 0), np.float32), np.zeros(n, np.float32)
    hard = dataset.hard_labels(names)[rows]
    target = np.zeros((n, len(names)), np.float32)
    target[hard >= 0, hard[hard >= 0]] = 1
    if recipe.soft and dataset.info.vote_emotions:
        soft = dataset.soft_labels(names)[rows]
        voted = np.isfinite(soft).all(axis=1)
        target[voted] = soft[voted]
    known = target.sum(axis=1) > 0
    counts = target[known].sum(axis=0)
    if known.any() and (counts == 0).any():
        empty = ", ".join(name for name, count in zip(names, counts, strict=True) if count == 0)
        raise DatasetError(f"{dataset.folder}: no training example of {empty}")
    weight = known.astype(np.float32)
    if known.any() and recipe.balance:
        per_class = (counts.sum() / (len(names) * counts)) ** recipe.balance
        weight = (target @ per_class.astype(np.float32)) * known
        weight /= weight[known].mean()
    target[known] = target[known] * (1 - recipe.smoothing) + recipe.smoothing / len(names)
    return target, weight.astype(np.float32)


def _au_targets(
    dataset: Dataset, rows: np.ndarray, contract: ModelContract, recipe: LabelRecipe
) -> tuple[np.ndarray, np.ndarray]:
    labels = dataset.au_labels(contract.action_units)[rows]
    known = np.isfinite(labels)
    never = _never_shown(labels, contract.action_units)
    if never and known.any():
        raise DatasetError(
            f"{dataset.folder}: no training example of {', '.join(never)}; name the others in the recipe's action_units"
        )
    target = np.where(known, labels, 0).astype(np.float32)
    weight = known.astype(np.float32)
    if recipe.au_balance and known.any():
        rate = np.clip(target.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 1e-3, 1 - 1e-3)
        positive, negative = (0.5 / rate) ** recipe.au_balance, (0.5 / (1 - rate)) ** recipe.au_balance
        weight = known * np.where(target > 0, positive, negative).astype(np.float32)
        weight /= weight[known].mean()
    return target, weight.astype(np.float32)
