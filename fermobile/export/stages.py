"""The stages a model passes on its way to the phone, each as scores for the same faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import ModelContract
from ..data.images import normalise, resize_square
from ..data.manifest import SPLITS, Dataset
from ..errors import DatasetError, ImageError, InputError
from ..evaluation.drift import one_hot
from ..inference.runtimes import TensorSpec, open_runtime
from .faults import Scores

_BATCH = 64

#: More unreadable images than this share stop the command.
_MAX_UNREADABLE = 0.05


@dataclass(frozen=True)
class Faces:
    """The labelled faces of a split that a model is measured on; images are read when asked for.

    Attributes:
        dataset: where they lie.
        rows: int64 (N,), rows of the dataset.
        truth: per head (N, labels) float32: 1, 0, NaN where unlabelled; one-hot for emotions.
        unreadable: rows left out because their image cannot be read.
    """

    dataset: Dataset
    rows: np.ndarray
    truth: dict[str, np.ndarray]
    unreadable: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.dataset.image(int(self.rows[index]))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))


def select_faces(dataset: Dataset, split: str, contract: ModelContract, limit: int | None = None) -> Faces:
    """The readable rows of a split that carry a label the model knows, evenly thinned to ``limit``.

    On the dataset that the model was trained on, the splits are those of its fold.

    Raises:
        DatasetError: the split is empty, has no such label, or more than 5 % of its images cannot be read.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; choose from: {', '.join(SPLITS)}")
    dataset = dataset.as_trained(contract.provenance.get("dataset", {}))
    truth = {}
    if contract.emotions:
        truth["emotion"] = one_hot(dataset.hard_labels(contract.emotions), len(contract.emotions))
    if contract.action_units:
        truth["au"] = dataset.au_labels(contract.action_units)
    labelled = np.any([np.isfinite(t).any(axis=1) for t in truth.values()], axis=0)
    rows = dataset.indices(split)
    rows = rows[labelled[rows]]
    if not len(rows):
        known = ", ".join((*contract.emotions, *contract.action_units))
        raise DatasetError(f"{dataset.folder}: the split {split} has no row with a label of the model ({known})")
    if limit is not None and limit < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, limit).astype(np.int64)]
    readable = np.array([_readable(dataset, int(row)) for row in rows])
    unreadable = int((~readable).sum())
    if unreadable > _MAX_UNREADABLE * len(rows):
        raise DatasetError(f"{dataset.folder}: {unreadable} of {len(rows)} images of the split {split} are unreadable")
    rows = rows[readable]
    return Faces(dataset, rows, {h: np.asarray(t[rows], np.float32) for h, t in truth.items()}, unreadable)


def _readable(dataset: Dataset, row: int) -> bool:
    try:
        dataset.image(row)
    except ImageError:
        return False
    return True


def keras_scores(
    model: Any, contract: ModelContract, faces: Faces | Sequence[np.ndarray], advance: Callable[[int], None]
) -> Scores:
    """Scores of the Keras network, float32 (N, labels) per head."""
    parts = []
    for start in range(0, len(faces), _BATCH):
        batch = [resize_square(faces[i], contract.input.size) for i in range(start, min(start + _BATCH, len(faces)))]
        parts.append(network_scores(model, contract, normalise(np.stack(batch), contract.input)))
        advance(len(batch))
    return {head: np.concatenate([part[head] for part in parts]) for head in contract.heads}


def network_scores(model: Any, contract: ModelContract, tensor: np.ndarray) -> Scores:
    """Scores of the Keras network for an input tensor, float32 (N, size, size, 3)."""
    outputs = model.predict_on_batch(tensor)
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    return {head: np.asarray(out) for head, out in zip(contract.heads, outputs, strict=True)}


def file_scores(
    data: bytes,
    contract: ModelContract,
    faces: Faces | Sequence[np.ndarray],
    advance: Callable[[int], None],
    workers: int = 2,
) -> Scores:
    """Scores of a .tflite, fed as its contract and its tensors say: float32 (N, labels) per head, uncalibrated.

    This is a second reading of the contract, independent of :class:`fermobile.inference.session.Session`.
    """
    out = {head: np.empty((len(faces), len(contract.labels(head))), np.float32) for head in contract.heads}

    def work(first: int) -> None:
        runtime = open_runtime(data)
        heads = list(zip(contract.outputs or contract.heads, runtime.outputs, strict=True))
        for i in range(first, len(faces), workers):
            pixels = resize_square(faces[i], contract.input.size)
            raw = runtime.invoke(_to_input(pixels, runtime.inputs[0], contract)[None])
            for (head, spec), values in zip(heads, raw, strict=True):
                out[head][i] = _to_scores(values[0], spec)
            advance(1)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    return out


def _to_input(pixels: np.ndarray, spec: TensorSpec, contract: ModelContract) -> np.ndarray:
    if spec.dtype == np.uint8:
        return pixels
    if spec.dtype == np.int8:
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    return normalise(pixels, contract.input)


def _to_scores(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    if values.dtype == np.float32:
        return values
    return (values.astype(np.float32) - spec.zero_point) * np.float32(spec.scale)
