"""What a report is made of: plain data, gathered by the caller and only drawn here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..contract import ModelContract


@dataclass(frozen=True)
class Scored:
    """One model's scores on the evaluated faces.

    Attributes:
        name: how people call it: "float", "int8".
        heads: head -> float32 (N, labels of that head), rows in the order of ``ReportData.labels``.
        thresholds: decision threshold per action unit; 0.5 where absent.
    """

    name: str
    heads: Mapping[str, np.ndarray]
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Gate:
    """One requirement and what was measured; ``met`` is the caller's decision."""

    name: str
    measured: str
    required: str
    met: bool


@dataclass(frozen=True)
class FileFacts:
    """The delivered file: its name, size in bytes and hex sha256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Step:
    """One step that led here: the command that repeats it, how long it took (s), and its key figure."""

    command: str
    seconds: float
    figure: str


@dataclass(frozen=True)
class Face:
    """A face shown on the page.  Only for datasets whose licence allows to show it.

    Attributes:
        image: uint8 RGB (H, W, 3).
        truth, prediction: label text; ``truth`` is "" when it is not known.
    """

    image: np.ndarray
    truth: str
    prediction: str


@dataclass(frozen=True)
class ReportData:
    """Everything the report says.  Whatever is empty leaves its section out.

    Attributes:
        title: the heading.
        contract: what the model means.
        epochs: the run's metrics, one mapping per epoch (stage, epoch, loss, val_macro_f1, …).
        labels: head -> truth: "emotion" int64 (N,) with -1 = unlabelled, "au" 0/1/NaN (N, A).
        models: the models compared, the reference first and the delivered file last.
        gates: requirements and whether they were met.
        file: the delivered file.
        steps: how it was made.
        faces: examples.
        photos: whole photos with the predictions drawn on them, uint8 RGB, each with its description.
    """

    title: str
    contract: ModelContract
    epochs: Sequence[Mapping[str, Any]] = ()
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    models: Sequence[Scored] = ()
    gates: Sequence[Gate] = ()
    file: FileFacts | None = None
    steps: Sequence[Step] = ()
    faces: Sequence[Face] = ()
    photos: Sequence[tuple[np.ndarray, str]] = ()


@dataclass(frozen=True)
class Section:
    """One part of the page: a heading and its HTML."""

    title: str
    html: str
