"""Figures about scores: F1s, precision-recall curves, thresholds.  numpy only.

Unlabelled rows and cells are left out of every figure.  A class that never occurs in the truth has no recall,
hence no F1: it is left out of the means and listed as absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .calibration import expected_calibration_error


@dataclass(frozen=True)
class EmotionMetrics:
    """Figures of a softmax head; all fractions in [0, 1].

    Attributes:
        accuracy: share of labelled rows whose top class is right.
        macro_f1: mean F1 of the classes that occur in the truth.
        weighted_f1: F1 weighted by how often each class occurs.
        mean_recall: mean recall of the classes that occur in the truth.
        ece: expected calibration error of the top label, 15 bins.
        per_class: {name: {precision, recall, f1, support}}.
        confusion: int64 (C, C), rows truth, columns prediction.
        n: labelled rows.
        absent: classes without one row in the truth.
    """

    accuracy: float
    macro_f1: float
    weighted_f1: float
    mean_recall: float
    ece: float
    per_class: Mapping[str, Mapping[str, float]]
    confusion: np.ndarray
    n: int
    absent: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return {**asdict(self), "confusion": self.confusion.tolist(), "absent": list(self.absent)}


@dataclass(frozen=True)
class AUMetrics:
    """Figures of a sigmoid head; all fractions in [0, 1].

    Attributes:
        mean_f1: mean F1 of the action units that occur in the truth.
        micro_f1: F1 over all labelled cells together.
        all_positive_f1: mean F1 of a model that always says yes: the floor under ``mean_f1``.
        per_au: {name: {precision, recall, f1, threshold, positives, average_precision, n}}.
        n: rows with at least one labelled cell.
        absent: action units without one positive in the truth.
    """

    mean_f1: float
    micro_f1: float
    all_positive_f1: float
    per_au: Mapping[str, Mapping[str, float]]
    n: int
    absent: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return {**asdict(self), "absent": list(self.absent)}


def emotion_metrics(scores: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> EmotionMetrics:
    """Figures of softmax scores against hard labels.

    Args:
        scores: float32 (N, C).
        labels: int64 (N,), indices into ``names``; -1 = unlabelled.
        names: C class names.
    Raises:
        InputError: no row is labelled, or the shapes do not fit.
    """
    _same(scores.shape, (len(labels), len(names)))
    keep = labels >= 0
    n = int(keep.sum())
    if n == 0:
        raise InputError("no row carries an emotion label that the model knows: there is nothing to measure")
    count = len(names)
    cells = labels[keep] * count + scores[keep].argmax(axis=1)
    confusion = np.bincount(cells, minlength=count * count).reshape(count, count)
    hits, predicted, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall, f1 = precision_recall_f1(hits, predicted, support)
    present = support > 0
    return EmotionMetrics(
        accuracy=float(hits.sum() / n),
        macro_f1=float(f1[present].mean()),
        weighted_f1=float((f1 * support).sum() / n),
        mean_recall=float(recall[present].mean()),
        ece=expected_calibration_error(scores, labels),
        per_class={
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, name in enumerate(names)
        },
        confusion=confusion,
        n=n,
        absent=tuple(name for i, name in enumerate(names) if not present[i]),
    )


def au_metrics(
    scores: np.ndarray, labels: np.ndarray, names: Sequence[str], thresholds: Mapping[str, float] | None = None
) -> AUMetrics:
    """Figures of sigmoid scores against 0/1 labels.

    Args:
        scores: float32 (N, A).
        labels: (N, A), 1, 0 or NaN = unlabelled.
        names: A action units.
        thresholds: a score at or above it means present; 0.5 where absent.
    Raises:
        InputError: no cell is labelled, or the shapes do not fit.
    """
    _same(scores.shape, labels.shape)
    _same(scores.shape[1:], (len(names),))
    known = np.isfinite(labels)
    if not known.any():
        raise InputError("no row carries an action-unit label that the model knows: there is nothing to measure")
    at = np.array([(thresholds or {}).get(name, 0.5) for name in names], np.float32)
    said, true = (scores >= at) & known, (labels == 1) & known
    hits, predicted, positives = (x.sum(axis=0) for x in (said & true, said, true))
    rows = known.sum(axis=0)
    precision, recall, f1 = precision_recall_f1(hits, predicted, positives)
    present = positives > 0
    micro = precision_recall_f1(hits.sum(), predicted.sum(), positives.sum())[2]
    floor = precision_recall_f1(positives, rows, positives)[2]
    return AUMetrics(
        mean_f1=float(f1[present].mean()) if present.any() else 0.0,
        micro_f1=float(micro),
        all_positive_f1=float(floor[present].mean()) if present.any() else 0.0,
        per_au={
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "threshold": float(at[i]),
                "positives": int(positives[i]),
                "average_precision": average_precision(scores[:, i], labels[:, i]),
                "n": int(rows[i]),
            }
            for i, name in enumerate(names)
        },
        n=int(known.any(axis=1).sum()),
        absent=tuple(name for i, name in enumerate(names) if not present[i]),
    )


def precision_recall_f1(
    hits: np.ndarray, predicted: np.ndarray, positives: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 from counts (or weighted counts) of any one shape; 0 where undefined."""

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.asarray(part / np.where(whole > 0, whole, 1))

    return share(hits, predicted), share(hits, positives), share(2 * hits, predicted + positives)


def pr_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and recall at every distinct score.

    Args:
        scores: (N,).
        labels: (N,), 1, 0 or NaN = unlabelled.
    Returns:
        precision, recall, thresholds: float64, equally long, thresholds falling; "score >= threshold" gives
        the point.  Empty when there is no labelled row.
    """
    keep = np.isfinite(labels)
    values, truth = scores[keep].astype(np.float64), labels[keep] == 1
    order = np.argsort(-values, kind="stable")
    values, truth = values[order], truth[order]
    last = np.flatnonzero(np.diff(values, append=-np.inf))  # the last row of each distinct score
    hits = np.cumsum(truth)[last].astype(np.float64)
    precision = hits / (last + 1)
    recall = hits / max(int(truth.sum()), 1)
    return precision, recall, values[last]


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the precision-recall steps, without interpolation; 0 when there is no positive."""
    precision, recall, _ = pr_curve(scores, labels)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def roc_auc(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve: how often a positive scores higher than a negative, ties counting half.

    (Mann & Whitney 1947; Hanley & McNeil 1982.)

    Args:
        scores: (N,).
        labels: (N,), 1, 0 or NaN = unlabelled.
        counts: (R, N), how often each row is drawn in each resample, as
            :func:`fermobile.evaluation.bootstrap.resample_counts` gives it; every row once where there is none.
    Returns:
        float64 (R,), or a scalar without ``counts``; NaN where there is no positive or no negative.
    """
    keep = np.isfinite(labels)
    order = np.argsort(scores[keep], kind="stable")
    values, positive = scores[keep][order], labels[keep][order] == 1
    drawn = np.ones((1, len(values))) if counts is None else counts[:, keep][:, order].astype(np.float64)
    if not len(values):
        return np.full(() if counts is None else len(counts), np.nan)
    groups = np.flatnonzero(np.diff(values, prepend=-np.inf))  # the first row of each distinct score
    hits, misses = (np.add.reduceat(drawn * part, groups, axis=1) for part in (positive, ~positive))
    won = hits * (np.cumsum(misses, axis=1) - misses / 2)
    with np.errstate(invalid="ignore"):
        area = np.asarray(won.sum(axis=1) / (hits.sum(axis=1) * misses.sum(axis=1)))
    return area if counts is not None else np.asarray(area[0])


def best_thresholds(scores: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """The decision threshold of each action unit that maximises its F1.

    It lies half way between the lowest score taken and the highest one left, so that a small drift of the
    scores (quantization) does not tip a whole plateau.  Units without a positive are left out.

    Args:
        scores: (N, A) of a held-out split (never the test split).
        labels: (N, A), 1, 0 or NaN.
    """
    out: dict[str, float] = {}
    for i, name in enumerate(names):
        precision, recall, cuts = pr_curve(scores[:, i], labels[:, i])
        total = precision + recall
        if not total.any():
            continue
        best = int(np.argmax(2 * precision * recall / np.where(total > 0, total, 1)))
        below = cuts[best + 1] if best + 1 < len(cuts) else 0.0
        out[name] = float((cuts[best] + below) / 2)
    return out


def _same(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise InputError(f"scores and labels do not fit together: {found} against {expected}")
