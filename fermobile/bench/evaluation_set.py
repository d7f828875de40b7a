"""The faces that a leg reads: crops of a dataset's split, packed as the runner takes them, and what they are.

The runner gives raw output bytes; here they become scores by the contract, and the scores figures, so that every
runtime and device is judged by the same code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import ModelContract
from ..data.images import resize_square
from ..data.manifest import Dataset
from ..evaluation.metrics import au_metrics, emotion_metrics
from ..export.stages import select_faces
from ..files import writing
from ..inference.runtimes import TensorSpec
from ..inference.session import output_heads
from .link import LegFailed
from .rows import Quality

#: Crops of noise that are timed when there is no dataset; neither time nor memory depends on what they show.
_NOISE = 16


@dataclass(frozen=True)
class EvaluationSet:
    """Labelled faces and how to read a model's answers to them.

    Attributes:
        contract: what the answers mean.
        outputs: the file's output tensors, in its order.
        dataset, dataset_sha256, split: where the faces come from.
        emotions: class indices int64 (N,), -1 unlabelled; None without that head.
        action_units: float32 (N, A), 1, 0 or NaN; None without that head.
        n: faces.
    """

    contract: ModelContract
    outputs: Sequence[TensorSpec]
    dataset: str
    dataset_sha256: str
    split: str
    emotions: np.ndarray | None
    action_units: np.ndarray | None
    n: int


def pack_faces(
    path: Path, dataset: Dataset, split: str, samples: int | None, contract: ModelContract,
    outputs: Sequence[TensorSpec],
) -> EvaluationSet:  # fmt: skip
    """Write the crops of a split that carry a label of the model, uint8 RGB of its input size, one after the other.

    Args:
        path: file to write.
        samples: at most so many, spread evenly over the split; None takes all.
        outputs: the model's output tensors.
    Raises:
        DatasetError: the split has no face with a label of the model.
    """
    faces = select_faces(dataset, split, contract, samples)
    with writing(path) as temporary, temporary.open("wb") as stream:
        for face in faces:
            stream.write(resize_square(face, contract.input.size).tobytes())
    emotions = dataset.hard_labels(contract.emotions)[faces.rows] if contract.emotions else None
    action_units = dataset.au_labels(contract.action_units)[faces.rows] if contract.action_units else None
    info = dataset.info
    return EvaluationSet(contract, outputs, info.name, dataset.sha256, split, emotions, action_units, len(faces))


def pack_noise(path: Path, size: int) -> None:
    """Write crops of noise, for a latency without answers."""
    with writing(path) as temporary:
        noise = np.random.default_rng(0).integers(0, 256, (_NOISE, size, size, 3))
        temporary.write_bytes(noise.astype(np.uint8).tobytes())


def read_scores(evaluation: EvaluationSet, raw: bytes) -> dict[str, np.ndarray]:
    """Calibrated scores per head, float32 (N, labels), from what the runner wrote: each face's outputs in turn.

    Raises:
        LegFailed: there are more or fewer bytes than N faces give.
    """
    sizes = [int(np.prod(o.shape)) * o.dtype.itemsize for o in evaluation.outputs]
    if len(raw) != evaluation.n * sum(sizes):
        raise LegFailed(f"the predictions are {len(raw)} bytes; {evaluation.n} faces give {evaluation.n * sum(sizes)}")
    table = np.frombuffer(raw, np.uint8).reshape(evaluation.n, sum(sizes))
    scores, at = {}, 0
    heads = output_heads(evaluation.contract, list(evaluation.outputs))
    for size, tensor, head in zip(sizes, evaluation.outputs, heads, strict=True):
        part = np.ascontiguousarray(table[:, at : at + size]).view(tensor.dtype).reshape(evaluation.n, *tensor.shape)
        scores[head.name] = np.stack([head.scores(face) for face in part])
        at += size
    return scores


def quality_of(evaluation: EvaluationSet, raw: bytes, told: Sequence[dict[str, Any]], seconds: float) -> Quality:
    """The figures of a leg's answers.

    Args:
        raw: what the runner wrote.
        told: its description of the output tensors, which must be the file's.
        seconds: how long it took.
    Raises:
        LegFailed: bytes or tensors do not fit.
    """
    expected = [(tuple(o.shape), o.dtype.name) for o in evaluation.outputs]
    found = [(tuple(o["shape"]), o["dtype"]) for o in told]
    if found != expected:
        raise LegFailed(f"the runner gives outputs {found}, the file has {expected}")
    scores = read_scores(evaluation, raw)
    values: dict[str, Any] = {}
    if evaluation.emotions is not None and (evaluation.emotions >= 0).any():
        m = emotion_metrics(scores["emotion"], evaluation.emotions, evaluation.contract.emotions)
        values |= {k: _rounded(getattr(m, k)) for k in ("accuracy", "macro_f1", "weighted_f1", "mean_recall", "ece")}
        values["per_class"] = {n: _rounded(c["f1"]) for n, c in m.per_class.items() if n not in m.absent}
    if evaluation.action_units is not None and np.isfinite(evaluation.action_units).any():
        contract = evaluation.contract
        au = au_metrics(scores["au"], evaluation.action_units, contract.action_units, contract.thresholds)
        values |= {"au_mean_f1": _rounded(au.mean_f1), "per_au": {n: _rounded(u["f1"]) for n, u in au.per_au.items()}}
    return Quality(
        evaluation.dataset, evaluation.dataset_sha256, evaluation.split, evaluation.n,
        hashlib.sha256(raw).hexdigest(), seconds=round(seconds, 3), **values,
    )  # fmt: skip


def _rounded(value: float) -> float:
    return round(float(value), 6)
