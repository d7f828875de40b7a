"""What the experiments report of a run's emotions, always all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fermobile.data.manifest import Dataset


def judged(data: Dataset, folder: Path) -> dict[str, Any]:
    """A run's figures on the validation and on the test split."""
    from fermobile.evaluation.metrics import emotion_metrics
    from fermobile.training.runs import Run
    from fermobile.training.scoring import predict_rows

    run = Run.open(folder)
    model, names = run.load_model(), run.contract.emotions
    found: dict[str, Any] = {"seconds": sum(row["seconds"] for row in run.metrics())}
    for split in ("val", "test"):
        rows = data.indices(split)
        scores = predict_rows(model, data, rows, run.contract)["emotion"]
        figures = emotion_metrics(scores, data.hard_labels(names)[rows], names)
        found[split] = {
            **{
                key: getattr(figures, key) for key in ("accuracy", "macro_f1", "weighted_f1", "mean_recall", "ece", "n")
            },
            "per_class_f1": {name: row["f1"] for name, row in figures.per_class.items()},
        }
    return found
