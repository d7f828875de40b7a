from __future__ import annotations

import numpy as np

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset
from fermobile.evaluation.metrics import au_metrics
from fermobile.training.scoring import calibrated


def test_thresholds_of_saturated_scores_still_part_them(patterns: Dataset) -> None:
    """L_pr drives the scores of a unit towards 1 in every face; others lie near 0."""
    units = patterns.info.action_units
    labels = patterns.au_labels(units)
    rows = np.flatnonzero(np.isfinite(labels).all(axis=1))
    for base in (1e-6, 1 - 4e-6):
        scores = np.float32(base) + np.float32(2e-6) * labels[rows].astype(np.float32)
        start = ModelContract("m", (), units, InputSpec(32))
        contract = calibrated(start, patterns, rows, {"au": scores})
        found = au_metrics(scores, labels[rows], units, contract.thresholds)
        assert found.mean_f1 == 1.0
        assert ModelContract.from_json(contract.to_json()).thresholds == dict(contract.thresholds)
