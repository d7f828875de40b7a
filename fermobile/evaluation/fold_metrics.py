"""Figures of a cross-validation: what each fold measured, and how far folds differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..errors import needs_extra
from .bootstrap import LEVEL
from .metrics import AUMetrics, EmotionMetrics

#: Figures of a head over all its labels: key -> name for people.
FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "mean_recall": "mean recall",
    "mean_f1": "average F1",
    "micro_f1": "F1-micro",
    "mean_average_precision": "mean PR area",
}


@dataclass(frozen=True)
class FoldMetrics:
    """One fold's figures on its test subjects.

    Attributes:
        emotion: None without emotions, or when no test face is labelled with one.
        au: at the thresholds of the fold's contract, which its validation subjects gave; None without action units,
            or when no test face shows one.
        au_at_half: at threshold 0.5, as the benchmarks' protocols ask.
    """

    emotion: EmotionMetrics | None
    au: AUMetrics | None
    au_at_half: AUMetrics | None

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        heads = {"emotion": self.emotion, "au": self.au, "au_at_half": self.au_at_half}
        return {name: None if metrics is None else metrics.to_dict() for name, metrics in heads.items()}


@dataclass(frozen=True)
class Spread:
    """A figure over folds.

    Attributes:
        values: one per fold; None where the fold's test part has nothing to measure it on.
        mean: of the folds that have it; None when none has.
        sd: their standard deviation (n - 1); None for fewer than two.
        low, high: the 95 % interval of the mean by Student's t; None for fewer than two.
    """

    values: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


def spread(values: Sequence[float | None]) -> Spread:
    """Mean, standard deviation and t interval of a figure over folds.

    The interval takes folds for independent draws.  Their training sets overlap, so it is rather too narrow
    (Bengio & Grandvalet 2004).

    Raises:
        MissingExtraError: scipy is not installed.
    """
    with needs_extra("report"):
        from scipy.stats import t

    known = [value for value in values if value is not None]
    mean = float(np.mean(known)) if known else None
    if mean is None or len(known) < 2:
        return Spread(tuple(values), mean, None, None, None)
    sd = float(np.std(known, ddof=1))
    reach = float(t.ppf((1 + LEVEL) / 2, len(known) - 1)) * sd / math.sqrt(len(known))
    return Spread(tuple(values), mean, sd, mean - reach, mean + reach)


@dataclass(frozen=True)
class HeadSummary:
    """One head over all folds.

    Attributes:
        f1: per label.
        figures: over all labels, keys of :data:`FIGURES`.
        area: area under the precision-recall curve per action unit; empty for emotions.
        floor: F1 of always saying yes per action unit, and its mean as "mean_f1"; empty for emotions.
    """

    f1: Mapping[str, Spread]
    figures: Mapping[str, Spread]
    area: Mapping[str, Spread] = field(default_factory=dict)
    floor: Mapping[str, Spread] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return asdict(self)


def summarise_emotions(folds: Sequence[EmotionMetrics | None], names: Sequence[str]) -> HeadSummary:
    """The emotions over all folds; one that a fold's test part lacks has no F1 there."""
    keys = ("accuracy", "macro_f1", "weighted_f1", "mean_recall")
    return HeadSummary(
        f1={
            name: spread([None if m is None or name in m.absent else m.per_class[name]["f1"] for m in folds])
            for name in names
        },
        figures={key: spread([None if m is None else getattr(m, key) for m in folds]) for key in keys},
    )


def summarise_action_units(folds: Sequence[AUMetrics | None], names: Sequence[str]) -> HeadSummary:
    """The action units over all folds; one without a positive in a fold's test part has no F1 and no curve there."""

    def per_unit(figure: Callable[[Mapping[str, float]], float]) -> dict[str, Spread]:
        return {
            name: spread([None if m is None or name in m.absent else figure(m.per_au[name]) for m in folds])
            for name in names
        }

    def overall(figure: Callable[[AUMetrics], float]) -> Spread:
        return spread([None if m is None else figure(m) for m in folds])

    return HeadSummary(
        f1=per_unit(lambda unit: unit["f1"]),
        figures={
            "mean_f1": overall(lambda m: m.mean_f1),
            "micro_f1": overall(lambda m: m.micro_f1),
            "mean_average_precision": overall(_mean_average_precision),
        },
        area=per_unit(lambda unit: unit["average_precision"]),
        floor={
            **per_unit(lambda unit: 2 * unit["positives"] / (unit["n"] + unit["positives"])),
            "mean_f1": overall(lambda m: m.all_positive_f1),
        },
    )


def _mean_average_precision(metrics: AUMetrics) -> float:
    """Over the units that occur in the truth."""
    areas = [unit["average_precision"] for name, unit in metrics.per_au.items() if name not in metrics.absent]
    return float(np.mean(areas))
