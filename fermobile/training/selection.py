"""Which of a model's answers on unlabelled faces are sure enough to become labels (numpy only).

Each class has a threshold of its own (Li et al. 2022, Ada-CM), so that classes that are hard to be sure of are not
shut out, and a quota, so that a class that the model likes too well does not drown the rare ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Ada-CM's share of the mean confidence, and its lowest threshold.
SHARE, FLOOR = 0.97, 0.8


@dataclass(frozen=True)
class Selection:
    """The faces chosen.

    Attributes:
        rows: their row numbers, int64 (M,), rising.
        classes: the class of each, int64 (M,).
        margins: its confidence less the threshold of its class, float64 (M,), at least 0.
        predicted, sure: faces of each class by the model's answer, and those of them at or above the threshold: int64
            (C,).  What is sure and not chosen was cut by the quota.
    """

    rows: np.ndarray
    classes: np.ndarray
    margins: np.ndarray
    predicted: np.ndarray
    sure: np.ndarray

    @property
    def chosen(self) -> np.ndarray:
        """Faces chosen of each class, int64 (C,)."""
        return np.bincount(self.classes, minlength=len(self.predicted))


def adaptive_thresholds(scores: np.ndarray, labels: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    """The least confidence of each class: max(floor, 0.97 · mean confidence of its faces that are recognised).

    Ada-CM divides the mean by 1 + e^-epoch, as its thresholds rise while the model learns; a trained model is at the
    end of that, where the divisor is 1.  There the faces are those that were trained on; here they are held out, on
    which confidence is not too high.

    Args:
        scores: (N, C), calibrated probabilities of labelled faces that were not trained on.
        labels: int (N,), their classes; -1 where unlabelled.
        floor: the lowest threshold.
    Returns:
        float64 (C,); infinity for a class of which no face is recognised: nothing says when to believe the model.
    """
    answers, confidence = scores.argmax(axis=1), scores.max(axis=1).astype(np.float64)
    thresholds = np.full(scores.shape[1], np.inf)
    for label in range(scores.shape[1]):
        recognised = (labels == label) & (answers == label)
        if recognised.any():
            thresholds[label] = max(floor, SHARE * confidence[recognised].mean())
    return thresholds


def class_quotas(labels: np.ndarray, classes: int, pool: int) -> np.ndarray:
    """The most faces of each class that are chosen: its share of the labelled set times the pool's size, rounded up.

    Args:
        labels: int (N,), classes of the labelled set; -1 where unlabelled.
        classes: number of classes.
        pool: number of faces in the pool.
    Returns:
        int64 (C,).
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    return np.ceil(counts * pool / max(1, counts.sum())).astype(np.int64)


def select(scores: np.ndarray, thresholds: np.ndarray, quotas: np.ndarray) -> Selection:
    """Choose the faces whose confidence reaches the threshold of their class, the surest up to its quota.

    Args:
        scores: (N, C), calibrated probabilities of the pool.
        thresholds, quotas: (C,).
    """
    answers, confidence = scores.argmax(axis=1), scores.max(axis=1).astype(np.float64)
    sure = confidence >= thresholds[answers]
    chosen = []
    for label, quota in enumerate(quotas.tolist()):
        candidates = np.flatnonzero(sure & (answers == label))
        surest = np.argsort(-confidence[candidates], kind="stable")[:quota]
        chosen.append(candidates[surest])
    rows = np.sort(np.concatenate(chosen))
    classes = answers[rows]
    counts = (np.bincount(answers[which], minlength=len(quotas)) for which in (slice(None), sure))
    return Selection(rows, classes, confidence[rows] - thresholds[classes], *counts)
