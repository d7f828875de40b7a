"""What the experiments report of a run's emotions, always all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fermobile.data.manifest import Dataset

if TYPE_CHECKING:
    from fermobile.training.runs import Run


def judged(data: Dataset, folder: Path) -> dict[str, Any]:
    """A run's figures on the validation and on the test split, and how long it trained."""
    from fermobile.training.runs import Run

    run = Run.open(folder)
    seconds = sum(row["seconds"] for row in run.metrics())
    return {"seconds": seconds, **{split: judged_on(run, data, split) for split in ("val", "test")}}


def judged_on(run: Run, data: Dataset, split: str) -> dict[str, Any]:
    """A run's figures on a split: overall, and F1, recall and number of faces per class."""
    from fermobile.evaluation.metrics import emotion_metrics
    from fermobile.training.scoring import predict_rows

    rows, names = data.indices(split), run.contract.emotions
    scores = predict_rows(run.load_model(), data, rows, run.contract)["emotion"]
    figures = emotion_metrics(scores, data.hard_labels(names)[rows], names)
    keys = ("accuracy", "macro_f1", "weighted_f1", "mean_recall", "ece", "n")
    per_class = {
        f"per_class_{key}": {name: row[key] for name, row in figures.per_class.items()}
        for key in ("f1", "recall", "support")
    }
    return {**{key: getattr(figures, key) for key in keys}, **per_class}
