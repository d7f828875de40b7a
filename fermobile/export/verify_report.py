"""A verification as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .verify import Comparison, Measured, VerifyReport


def to_dict(report: VerifyReport, rejected: Path | None = None) -> dict[str, Any]:
    """The emotion figures and the file's hash at the top level; docs/json.md explains the keys.

    Args:
        rejected: where the file went, when it did not pass.
    """
    contract, dataset = report.file.contract, report.faces.dataset
    return {
        "file": str(report.file.path),
        "rejected": None if rejected is None else str(rejected),
        "sha256": report.file.sha256,
        "model": contract.name,
        "emotions": list(contract.emotions),
        "action_units": list(contract.action_units),
        "dataset": {
            **dataset.origin,
            "split": report.split,
            "images": len(report.faces),
            "unreadable": report.faces.unreadable,
        },
        **_figures(report.measured),
        "passed": report.passed,
        "diverges_at": report.diverges_at,
        "faults": [asdict(fault) for fault in report.faults],
        "warnings": list(report.warnings),
        "stages": [
            {
                "name": stage.name,
                "previous": stage.previous,
                "ok": stage.ok,
                "drift": {head: drift.to_dict() for head, drift in stage.drift.items()},
            }
            for stage in report.stages
        ],
        "gate": {
            "max_f1_drop": report.gates.mean,
            "max_class_f1_drop": report.gates.worst,
            "misses": list(report.misses),
        },
        "against": None if report.comparison is None else _comparison(report.comparison),
    }


def _figures(measured: Measured) -> dict[str, Any]:
    keys = ("accuracy", "macro_f1", "weighted_f1", "mean_recall", "ece", "per_class", "confusion", "n", "absent")
    emotion = dict.fromkeys(keys) if measured.emotion is None else measured.emotion.to_dict()
    return {**emotion, "aus": None if measured.au is None else measured.au.to_dict()}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "weights_sha256": comparison.weights_sha256,
        **_figures(comparison.reference),
        "changes": {head: changes.to_dict() for head, changes in comparison.changes.items()},
        "flips": None if comparison.flips is None else comparison.flips.tolist(),
    }
