"""How far one model's answers are from another's on the same images, and what that costs in F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .bootstrap import RESAMPLES, interval, resample_counts
from .metrics import precision_recall_f1


@dataclass(frozen=True)
class ScoreDrift:
    """Distance between two sets of scores, of one head.

    Attributes:
        max_abs: the largest difference of any score.
        mean_abs: the mean difference.
        cosine: mean cosine of the two score vectors of an image.
        agreement: share of images with the same top class; with the same decision about the action unit on which the
            two differ most.
        n: images.
    """

    max_abs: float
    mean_abs: float
    cosine: float
    agreement: float
    n: int

    def to_dict(self) -> dict[str, float]:
        """Plain Python values, for JSON."""
        return asdict(self)


def score_drift(
    reference: np.ndarray, candidate: np.ndarray, thresholds: Sequence[float] | np.ndarray | None = None
) -> ScoreDrift:
    """Compare scores (N, C) of two models on the same images.

    Args:
        reference, candidate: float32 (N, C).
        thresholds: decision thresholds (C,) of a sigmoid head; None for a softmax head.
    """
    gap = np.abs(reference.astype(np.float64) - candidate)
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(candidate, axis=1)
    cosine = (reference * candidate).sum(axis=1) / np.maximum(norms, 1e-12)
    if thresholds is None:
        same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    else:
        same = (reference >= thresholds) == (candidate >= thresholds)
    agreement = float(same.mean(axis=0).min())
    return ScoreDrift(float(gap.max()), float(gap.mean()), float(cosine.mean()), agreement, len(reference))


def flip_matrix(reference: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """How many images moved from the reference's top class (row) to the candidate's (column): int64 (C, C)."""
    count = reference.shape[1]
    cells = reference.argmax(axis=1) * count + candidate.argmax(axis=1)
    return np.bincount(cells, minlength=count * count).reshape(count, count)


@dataclass(frozen=True)
class Change:
    """F1 of the reference and of the candidate, and their difference with its 95 % paired bootstrap interval."""

    reference: float
    candidate: float
    low: float
    high: float
    support: int

    @property
    def drop(self) -> float:
        """How much the candidate lost; negative when it gained."""
        return self.reference - self.candidate

    def to_dict(self) -> dict[str, float]:
        """Plain Python values, for JSON; ``low`` and ``high`` bound ``change`` = candidate - reference."""
        return {**asdict(self), "change": self.candidate - self.reference}


@dataclass(frozen=True)
class F1Changes:
    """Changes per label and of their mean, labels without a positive left out."""

    mean: Change
    per_label: Mapping[str, Change]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return {"mean": self.mean.to_dict(), "per_label": {k: v.to_dict() for k, v in self.per_label.items()}}


def f1_changes(
    truth: np.ndarray,
    reference: np.ndarray,
    candidate: np.ndarray,
    names: Sequence[str],
    n: int = RESAMPLES,
    seed: int = 0,
) -> F1Changes:
    """F1 per label of two models on the same images, with paired bootstrap intervals of the difference.

    Both models are measured on the same resample, so what is hard for both does not widen the interval.

    Args:
        truth: (N, K), 1, 0 or NaN = unlabelled; a one-hot matrix for classes.
        reference, candidate: bool (N, K), what each model says.
        names: K labels.
        n, seed: resamples and their seed.
    """
    known = np.isfinite(truth)
    true = (truth == 1) & known
    support = true.sum(axis=0)
    present = support > 0
    ones = np.ones((1, len(truth)), np.float32)
    counts = np.concatenate([ones, resample_counts(len(truth), n, seed)])  # row 0 is the sample itself

    def f1(said: np.ndarray) -> np.ndarray:
        said = said & known
        sums = [counts @ x.astype(np.float32) for x in (said & true, said, true)]
        values = precision_recall_f1(*sums)[2]
        values[sums[2] == 0] = np.nan  # a resample without the class says nothing about it
        return np.asarray(values[:, present])

    before, after = f1(reference), f1(candidate)
    labels = [name for name, there in zip(names, present, strict=True) if there]
    per_label = {name: _change(before[:, i], after[:, i], int(support[present][i])) for i, name in enumerate(labels)}
    mean = _change(_mean(before), _mean(after), int(support.sum()))
    return F1Changes(mean, per_label)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the labels of each resample, NaN where none occurs (numpy's own would warn)."""
    there = np.isfinite(values).sum(axis=1)
    return np.asarray(np.nansum(values, axis=1) / np.where(there > 0, there, np.nan))


def _change(before: np.ndarray, after: np.ndarray, support: int) -> Change:
    low, high = interval((after - before)[1:])
    return Change(float(before[0]), float(after[0]), float(low), float(high), support)


def one_hot(labels: np.ndarray, count: int) -> np.ndarray:
    """Class indices (N,), -1 = unlabelled, as float32 (N, count): 1, 0, and NaN rows where unlabelled."""
    out = np.asarray(labels[:, None] == np.arange(count), np.float32)
    out[labels < 0] = np.nan
    return out
