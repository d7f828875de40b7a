"""The desktop legs: every runtime of this machine, each in a process of its own that runs the ``python`` runner."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import platform
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import ModelContract
from ..data.manifest import Dataset
from ..errors import InputError, ModelFileError
from ..export.inspect import inspect_file
from ..files import write_bytes
from ..inference.runtimes import TensorSpec
from ..inference.session import Session
from . import runner
from .evaluation_set import EvaluationSet, pack_faces, pack_noise
from .link import RunnerLink
from .measure import Station, described
from .photo import measure_photo
from .rows import Device, Leg, Model

#: Runtimes of a .tflite, the default first, and the delegates that each can be asked for on a desktop.
RUNTIMES = ("ai-edge-litert", "litert-compiled-model", "tflite-runtime", "tf.lite")
DELEGATES = ("cpu", "gpu")


@dataclass(frozen=True)
class Subject:
    """A measured model: a .tflite, or a run folder, which Keras runs.

    Attributes:
        path: the file or folder.
        data: the bytes that were read, which are measured even if the file is replaced meanwhile; empty for a run.
        model: what a row says of it.
        contract: what it means.
        outputs: its output tensors.
    """

    path: Path
    data: bytes
    model: Model
    contract: ModelContract
    outputs: Sequence[TensorSpec]

    @property
    def is_run(self) -> bool:
        """Whether it is a run folder."""
        return self.path.is_dir()

    def snapshot(self, folder: Path) -> Path:
        """A copy of the bytes that were read, under the file's own name; a run folder stays where it is."""
        if self.is_run:
            return self.path
        write_bytes(folder / self.path.name, self.data)
        return folder / self.path.name


def open_subject(path: Path) -> Subject:
    """Read and check a model; a .tflite is tried in a process of its own first.

    Raises:
        InputError: it is neither a .tflite with a contract nor a finished run.
        RuntimeFailure: no interpreter runs it.
    """
    if path.is_dir():
        return _open_run(path)
    session = Session.open(path)
    report = inspect_file(path)
    size = session.contract.input.size
    model = described(path, session.file.data, session.contract.name, report.kind, size)
    return Subject(path, session.file.data, model, session.contract, session.runtime.outputs)


def _open_run(path: Path) -> Subject:
    from ..training.runs import WEIGHTS_FILE, Run

    run = Run.open(path)
    weights = path / WEIGHTS_FILE
    kind = "keras, quantized" if run.quantized else "keras"
    model = Model(
        path.name, run.weights_sha256, weights.stat().st_size, run.contract.name, kind, run.contract.input.size
    )
    contract = run.contract.replace(outputs=run.contract.heads)
    outputs = [
        TensorSpec(head, (1, len(contract.labels(head))), np.dtype(np.float32), 0.0, 0) for head in contract.heads
    ]
    return Subject(path, b"", model, contract, outputs)


def desktop_stations(
    subjects: Sequence[Subject], folder: Path, runtimes: Sequence[str], delegates: Sequence[str],
    threads: Sequence[int], dataset: Dataset | None, split: str, samples: int | None, photo: Path | None = None,
) -> list[Station]:  # fmt: skip
    """A station per model, runtime, delegate and number of threads.

    Args:
        folder: for packed faces and answers.
        samples: faces at most; None takes the whole split.
        photo: a photo whose whole way is timed on the CPU legs of ai-edge-litert.
    Raises:
        InputError: an unknown runtime or delegate, or no leg at all.
        DatasetError: the split has no face with a label of a model.
    """
    for name, chosen, known in (("runtime", runtimes, RUNTIMES), ("delegate", delegates, DELEGATES)):
        unknown = [c for c in chosen if c not in known]
        if unknown:
            raise InputError(f"unknown {name} {unknown[0]!r}; choose from: {', '.join(known)}")
    stations: list[Station] = []
    for number, subject in enumerate(subjects):
        subject = dataclasses.replace(subject, path=subject.snapshot(folder / f"model{number}"))
        faces, evaluation = faces_for(subject, folder / f"faces{number}.u8", dataset, split, samples)
        for runtime in ("keras",) if subject.is_run else runtimes:
            for delegate in delegates:
                for count in threads:
                    leg = Leg("python", runtime, delegate, count)
                    out = folder / f"{number}-{len(stations)}.out"
                    stations.append(_station(subject, leg, faces, evaluation, out))
                    if photo is not None and (runtime, delegate) == ("ai-edge-litert", "cpu"):
                        stations[-1].photo = functools.partial(measure_photo, subject.path, photo, count, 1.0)
    return stations


def faces_for(
    subject: Subject, path: Path, dataset: Dataset | None, split: str, samples: int | None
) -> tuple[Path, EvaluationSet | None]:
    """The packed faces of a model: labelled ones of the dataset, or noise where there is none."""
    if dataset is None:
        pack_noise(path, subject.contract.input.size)
        return path, None
    return path, pack_faces(path, dataset, split, samples, subject.contract, subject.outputs)


def _station(subject: Subject, leg: Leg, faces: Path, evaluation: EvaluationSet | None, out: Path) -> Station:
    return Station(
        model=subject.model,
        leg=leg,
        start=functools.partial(local_runner, str(leg)),
        model_path=str(subject.path.resolve()),
        faces=str(faces),
        out=str(out),
        fetch=lambda path: Path(path).read_bytes(),
        mean=subject.contract.input.mean,
        std=subject.contract.input.std,
        evaluation=evaluation,
    )


def local_runner(name: str) -> RunnerLink:
    """A runner process on this machine."""
    root = str(Path(__file__).resolve().parents[2])  # the keras legs import fermobile
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH")) if p)
    return RunnerLink([sys.executable, "-P", runner.__file__], name, {**os.environ, "PYTHONPATH": path})


def this_desktop() -> Device:
    """This machine, as rows name it."""
    return Device(
        name=_processor(),
        id=hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12],
        soc=_processor(),
        os=f"{platform.system()} {platform.release()}",
        abi=platform.machine(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def conditions() -> dict[str, Any]:
    """What may slow a desktop: its load and its hottest zone."""
    return {"load": round(os.getloadavg()[0], 2), "temperature": runner.temperature()}


def check_models(paths: Sequence[Path]) -> None:
    """Refuse what cannot be told apart in rows.

    Raises:
        ModelFileError: two models have the same file name.
    """
    names = [p.resolve().name for p in paths]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ModelFileError(f"two models are named {twice.pop()}: rows are compared by file name; rename one")
