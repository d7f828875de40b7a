"""Proof that a .tflite is still right, or the name of the stage where it is not.

The same labelled faces go through every form the model takes on its way::

    keras          the run's network in float
    float .tflite  TensorFlow's conversion of that network, nothing quantized
    file           the file, fed as its own contract says
    session        the file as ``fermobile predict`` runs it

Each stage is compared with the one before.  What a stage may change differs: conversion to a float file
changes nothing that matters, quantization moves scores a little and must not cost F1, and the session must
repeat the file to the last bit.  A mistake is named where one explains the scores (see ``faults``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..contract import ModelContract
from ..data.manifest import Dataset
from ..errors import InputError
from ..evaluation.calibration import apply_temperature
from ..evaluation.drift import F1Changes, ScoreDrift, f1_changes, flip_matrix, score_drift
from ..evaluation.metrics import AUMetrics, EmotionMetrics, au_metrics, emotion_metrics
from ..files import write_json
from ..inference.modelfile import ModelFile
from ..inference.probe import try_in_child
from ..inference.runtimes import RUNTIMES
from ..inference.session import Session
from .calibration_set import balanced_rows
from .convert import to_tflite
from .faults import (
    PROBE,
    Fault,
    Scores,
    by_name,
    contract_faults,
    crop_faults,
    diagnose,
    label_fault_by_truth,
    probe_faces,
)
from .gates import Gates, missed
from .stages import Faces, file_scores, keras_scores, network_scores, select_faces

#: Scores of two float stages, or of two ways to run one file, differ by less than this.
_SAME = 1e-3

#: Quantization that changes more decisions than this is no longer the same model.
_AGREEMENT = 0.8

#: ... unless no score moved by more than this, as for a network that has nothing to say.
_FEW_STEPS = 0.02


class Reference(Protocol):
    """What ``--against`` names: a :class:`fermobile.training.runs.Run`."""

    @property
    def contract(self) -> ModelContract: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def quantized(self) -> bool: ...
    @property
    def folder(self) -> Path: ...
    @property
    def info(self) -> Mapping[str, Any]: ...
    def load_model(self) -> Any: ...


@dataclass(frozen=True)
class Stage:
    """One stage against the one before.

    Attributes:
        name: "contract", "float .tflite", "file" or "session".
        previous: what it is compared with.
        drift: per head; empty for the contract, which has no scores.
        ok: False where it diverges.
    """

    name: str
    previous: str
    drift: Mapping[str, ScoreDrift]
    ok: bool


@dataclass(frozen=True)
class Measured:
    """Figures of one model on the faces."""

    emotion: EmotionMetrics | None
    au: AUMetrics | None


@dataclass(frozen=True)
class Comparison:
    """The file against its reference.

    Attributes:
        reference: figures of the reference network.
        weights_sha256: which weights it has.
        changes: F1 per label and their mean, per head.
        flips: top-1 of the reference (rows) against the file's (columns), int64 (C, C); None without emotions.
    """

    reference: Measured
    weights_sha256: str
    changes: Mapping[str, F1Changes]
    flips: np.ndarray | None


@dataclass(frozen=True)
class VerifyReport:
    """All that ``fermobile verify`` found out.

    Attributes:
        file: path, bytes' hash and contract.
        faces: what it was measured on.
        split: of the dataset.
        measured: figures of the file as ``predict`` runs it.
        stages: in order.
        faults: named mistakes; any rejects the file.
        warnings: what the user should know, without rejecting.
        comparison: against a run; None without one.
        misses: gates that were not met.
    """

    file: ModelFile
    faces: Faces
    split: str
    gates: Gates
    measured: Measured
    stages: tuple[Stage, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]
    comparison: Comparison | None
    misses: tuple[str, ...]

    @property
    def diverges_at(self) -> str | None:
        """The first stage that is not as it should be."""
        return next((stage.name for stage in self.stages if not stage.ok), None)

    @property
    def passed(self) -> bool:
        """Whether the file may be used."""
        return not self.faults and not self.misses and self.diverges_at is None

    def reasons(self) -> list[str]:
        """Why it did not pass, most telling first."""
        where = [f"first diverging stage: {self.diverges_at}"] if self.diverges_at else []
        return [*(f.text for f in self.faults), *where, *self.misses]


def verify(
    path: Path,
    dataset: Dataset,
    split: str = "test",
    against: Reference | None = None,
    gates: Gates | None = None,
    limit: int | None = None,
    advance: Callable[[int], None] = lambda count: None,
    runtime: str = "ai-edge-litert",
) -> VerifyReport:
    """Measure a file on labelled faces and, against a run, prove that it still is that run's model.

    Args:
        path: the .tflite.
        dataset, split: labelled faces.
        against: the float run that it was made from.
        gates: how much F1 it may lose.
        limit: use at most so many faces, evenly spread over the split.
        advance: called with the number of faces done; see :func:`stage_count`.
        runtime: the runtime of the session stage.
    Raises:
        ModelFileError, ContractError: the file is unreadable, carries no contract, or its tensors do not fit it.
        RuntimeFailure: the interpreter refuses the file, or crashes on it.
        InputError: the run has other labels than the file, or is quantized.
    """
    gates = gates or Gates()
    session = Session.open(path, runtime)
    file = session.file
    try_in_child(file.data, RUNTIMES[0])  # where the stage "file" runs it, whatever the session's runtime
    if against is not None:
        _refuse_quantized(against)
        _comparable(file.contract, against.contract)
    faces = select_faces(dataset, split, file.contract, limit)
    faults: list[Fault] = []
    warnings = [f.text for f in crop_faults(file.contract.crop, dataset.info.crop, f"the dataset {dataset.folder}")]
    if faces.unreadable:
        warnings.append(f"{faces.unreadable} unreadable images were left out")
    stages: list[Stage] = []
    raw = file_scores(file.data, file.contract, faces, advance)
    reference = None
    if against is not None:
        reference = _check_against(file, against, faces, raw, stages, faults, advance)
    served = _check_session(session, faces, raw, stages, advance)
    truth_fault = label_fault_by_truth(file.contract, served, faces.truth)
    if truth_fault and all(f.kind == "unknown" for f in faults):  # a named mistake may move answers to other labels too
        faults[:] = [truth_fault]
    measured = _measure(served, faces, file.contract)
    comparison = None
    if against is not None and reference is not None:
        comparison = _compare(reference, served, faces, against, file.contract)
    misses, doubtful = missed(comparison.changes, gates) if comparison else ([], [])
    warnings += doubtful
    return VerifyReport(
        file, faces, split, gates, measured, tuple(stages), tuple(faults), tuple(warnings), comparison, tuple(misses)
    )


def stage_count(against: bool) -> int:
    """How many times every face is run."""
    return 4 if against else 2


def _refuse_quantized(run: Reference) -> None:
    if run.quantized:
        parent = run.info.get("parent_path") or f"the run whose weights have sha256 {run.info['parent']}"
        raise InputError(f"{run.folder} is quantized itself; compare with the float run it was made from: {parent}")


def _comparable(file: ModelContract, run: ModelContract) -> None:
    for head in ("emotion", "au"):
        if set(file.labels(head)) != set(run.labels(head)):
            ours, theirs = (", ".join(c.labels(head)) or "none" for c in (file, run))
            raise InputError(f"the file and the run cannot be compared: {head} labels {ours} against {theirs}")


def _check_against(
    file: ModelFile,
    run: Reference,
    faces: Faces,
    raw: Scores,
    stages: list[Stage],
    faults: list[Fault],
    advance: Callable[[int], None],
) -> Scores:
    """Compare contract, float conversion and file with the run; returns the network's scores in the file's order."""
    contract = file.contract
    said = contract_faults(contract, run.contract)
    faults += said
    stages.append(Stage("contract", "the run's contract", {}, not said))
    model = run.load_model()
    network = by_name(keras_scores(model, run.contract, faces, advance), run.contract, contract)
    converted = to_tflite(model, run.contract, "float", "float32", None)
    plain = run.contract.replace(outputs=_tensor_order(converted))
    floats = by_name(file_scores(converted, plain, faces, advance), run.contract, contract)
    drift = _drift(network, floats, contract)
    stages.append(Stage("float .tflite", "keras", drift, all(d.max_abs <= _SAME for d in drift.values())))

    probes = probe_faces([faces[int(i)] for i in _probe_rows(faces)])
    found = diagnose(
        lambda tensor: network_scores(model, run.contract, tensor),
        probes,
        file_scores(file.data, contract, probes, lambda count: None),
        run.contract,
        contract,
    )
    drift = _drift(floats, raw, contract)
    same = all(d.agreement >= _AGREEMENT or d.max_abs <= _FEW_STEPS for d in drift.values())
    stages.append(Stage("file", "float .tflite", drift, same and found is None))
    if found is not None:
        faults[:] = [f for f in faults if f.kind != found.kind] + [_joined(found, faults)]
    elif not same:
        text = (
            "the file decides otherwise than the run, and no known mistake explains it: quantization alone may be the "
            "cause (fermobile quantize trains for it), or the file was made from another run"
        )
        faults.append(Fault("unknown", text))
    return network


def _probe_rows(faces: Faces) -> np.ndarray:
    """As many faces of each emotion as there are, or of each set of action units: rare labels get mixed up too."""
    labels = np.nan_to_num(next(iter(faces.truth.values())), nan=-1)
    return balanced_rows(np.unique(labels, axis=0, return_inverse=True)[1].ravel(), PROBE)


def _joined(found: Fault, said: list[Fault]) -> Fault:
    """A mistake seen in the scores, with what the contract says about the same thing."""
    texts = [found.text, *(f.text for f in said if f.kind == found.kind)]
    return Fault(found.kind, "; ".join(texts), found.before, found.after)


def _tensor_order(converted: bytes) -> tuple[str, ...]:
    from .embed import read_signature

    return read_signature(converted).outputs


def _check_session(
    session: Session, faces: Faces, raw: Scores, stages: list[Stage], advance: Callable[[int], None]
) -> Scores:
    """Compare the file with itself as ``predict`` runs it; returns those scores, calibrated."""

    def counted() -> Any:
        for face in faces:
            advance(1)
            yield face

    served = session.predict(counted(), workers=2)
    drift = _drift(_calibrated(raw, session.contract), served, session.contract)
    stages.append(Stage("session", "file", drift, all(d.max_abs <= _SAME for d in drift.values())))
    return served


def _calibrated(scores: Scores, contract: ModelContract) -> dict[str, np.ndarray]:
    return {h: apply_temperature(s, contract.temperature) if h == "emotion" else s for h, s in scores.items()}


def _drift(before: Scores, after: Scores, contract: ModelContract) -> dict[str, ScoreDrift]:
    cuts = {"emotion": None, "au": np.array([contract.threshold(name) for name in contract.action_units], np.float32)}
    return {head: score_drift(before[head], after[head], cuts[head]) for head in contract.heads}


def _measure(scores: Scores, faces: Faces, contract: ModelContract) -> Measured:
    """Figures per head; None where the faces carry no label of it."""
    emotion, au = None, None
    if "emotion" in scores and np.isfinite(faces.truth["emotion"]).any():
        emotion = emotion_metrics(scores["emotion"], _classes(faces.truth["emotion"]), contract.emotions)
    if "au" in scores and np.isfinite(faces.truth["au"]).any():
        au = au_metrics(scores["au"], faces.truth["au"], contract.action_units, contract.thresholds)
    return Measured(emotion, au)


def _classes(one_hot: np.ndarray) -> np.ndarray:
    """Class indices of one-hot rows, -1 for NaN rows."""
    return np.where(np.isfinite(one_hot[:, 0]), np.nan_to_num(one_hot).argmax(axis=1), -1)


def _compare(network: Scores, served: Scores, faces: Faces, run: Reference, contract: ModelContract) -> Comparison:
    """Float against file: figures, F1 changes and flips; ``network`` is in the file's label order."""
    theirs = contract.replace(temperature=run.contract.temperature, thresholds=run.contract.thresholds)
    network = _calibrated(network, theirs)
    before = _measure(network, faces, theirs)
    changes, flips = {}, None
    if before.emotion:
        said = [np.eye(len(contract.emotions), dtype=bool)[s["emotion"].argmax(axis=1)] for s in (network, served)]
        changes["emotion"] = f1_changes(faces.truth["emotion"], said[0], said[1], contract.emotions)
        flips = flip_matrix(network["emotion"], served["emotion"])
    if before.au:
        said = [
            s["au"] >= np.array([c.threshold(name) for name in contract.action_units], np.float32)
            for s, c in ((network, theirs), (served, contract))
        ]
        changes["au"] = f1_changes(faces.truth["au"], said[0], said[1], contract.action_units)
    return Comparison(before, run.weights_sha256, changes, flips)


def reject(report: VerifyReport) -> Path:
    """Rename the file of a report that did not pass to ``*.rejected``, with the report beside it as JSON.

    A file rejected before under the same name is replaced.

    Raises:
        InputError: what has that name has no report beside it, so it is not one of ours.
    """
    from .verify_report import to_dict

    rejected = report.file.path.with_name(report.file.path.name + ".rejected")
    beside = rejected.with_name(rejected.name + ".json")
    if rejected.exists() and not beside.is_file():
        raise InputError(
            f"{report.file.path} is rejected ({report.reasons()[0]}), but stays where it is: {rejected} exists and is "
            "not a file that fermobile rejected"
        )
    write_json(beside, to_dict(report, rejected))
    report.file.path.replace(rejected)
    return rejected
