"""Benchmark rows: one JSON object per line, only ever appended, with the raw samples kept beside.

``rows.jsonl`` holds the rows, ``rows.samples/ID.npy`` the latencies of a row: int64 nanoseconds in the order they were
measured.  ``row.schema.json`` beside this module is the schema, for whoever reads or writes rows in another language.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import types
import typing
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_bytes

ROW_VERSION = 1

#: What became of a leg.
OK, UNSUPPORTED, FAILED = "ok", "unsupported", "failed"
STATUSES = (OK, UNSUPPORTED, FAILED)

#: How far a latency is to be trusted.
VALID, SEMIVALID, INVALID = "valid", "semivalid", "invalid"
VALIDITIES = (VALID, SEMIVALID, INVALID)


@dataclass(frozen=True)
class Model:
    """The measured file: its name, hash and size; ``kind`` as export names it; ``input_size`` in pixels."""

    file: str
    sha256: str
    bytes: int
    name: str
    kind: str
    input_size: int


@dataclass(frozen=True)
class Device:
    """Where it ran.

    Attributes:
        name: what a person calls it.
        id: serial of an adb device; of a desktop a hash of its host name, as rows get passed on.
        soc: processor.
        os: system and its build.
        abi: instruction set.
        emulated: an emulated processor: right for answers, meaningless for time.
    """

    name: str
    id: str
    soc: str
    os: str
    abi: str
    emulated: bool = False


@dataclass(frozen=True)
class Leg:
    """What was asked for: ``runner`` (python, native, app), runtime, ``delegate`` (cpu, gpu, nnapi), threads."""

    runner: str
    runtime: str
    delegate: str
    threads: int

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}"
        return f"{self.runtime} {self.delegate}, {threads}" + (f", {self.runner}" if self.runner != "python" else "")


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one inference, input copied in and outputs read back included.

    Attributes:
        init_ms: making the interpreter and its tensors, delegate included.
        first_ms: the first inference.
        warmup_ms, warmup_n: median and number of the inferences before the measured ones, the first left out.
        n, seconds: measured inferences, and the time spent in them.
        p50_ms … p99_ms: percentiles.
        mad_ms: median absolute deviation.
        rounds: how many of the samples each round gave, in order.
    """

    init_ms: float
    first_ms: float
    warmup_ms: float
    warmup_n: int
    n: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    mad_ms: float
    rounds: tuple[int, ...]


@dataclass(frozen=True)
class Delegation:
    """What ran where: ``actual`` is the delegate that took the work; counts are None where nothing tells them.

    ``same_bits_as_cpu``: every output equals the CPU's of the same runtime, which a GPU's never are in float.
    """

    actual: str
    nodes: int | None = None
    nodes_delegated: int | None = None
    partitions: int | None = None
    same_bits_as_cpu: bool | None = None


@dataclass(frozen=True)
class Quality:
    """How right the answers of this leg were: figures of :mod:`fermobile.evaluation.metrics`, None without that head.

    Attributes:
        dataset, dataset_sha256, split: what it was measured on.
        n: faces.
        predictions_sha256: of the raw output bytes: equal hashes are equal answers.
        per_class, per_au: F1 of each label.
    """

    dataset: str
    dataset_sha256: str
    split: str
    n: int
    predictions_sha256: str
    accuracy: float | None = None
    macro_f1: float | None = None
    weighted_f1: float | None = None
    mean_recall: float | None = None
    ece: float | None = None
    per_class: dict[str, float] = field(default_factory=dict)
    au_mean_f1: float | None = None
    per_au: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class SustainedPoint:
    """One step of a sustained run: minutes since its start, and the latencies in it."""

    minute: float
    p50_ms: float
    p90_ms: float
    n: int
    temperature: float | None = None


@dataclass(frozen=True)
class Row:
    """One leg of one file on one device; see ``row.schema.json``.

    Attributes:
        id: names the row and its samples.
        session: rows of the same command share it; only they were measured under the same conditions.
        time: when the leg ended, ISO 8601 UTC.
        status, reason: what became of the leg, and why if it did not go well.
        validity, validity_reasons: how far the latency is to be trusted.
        peak_mb: largest resident memory of the leg's process, 10**6 bytes.
        stages_ms: median milliseconds of a whole photo's way by stage: decode, detect, align, infer.
        conditions: whatever was read before and after: temperatures, battery, load.
        warnings: what a reader should know.
        versions: of fermobile, of the runtime, of the runner's Python.
    """

    id: str
    session: str
    time: str
    model: Model
    device: Device
    leg: Leg
    status: str
    reason: str = ""
    validity: str = INVALID
    validity_reasons: tuple[str, ...] = ()
    latency: Latency | None = None
    delegation: Delegation | None = None
    quality: Quality | None = None
    peak_mb: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    sustained: tuple[SustainedPoint, ...] = ()
    conditions: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, bool, Leg]:
        """What a later row must share to be comparable: file name, device, whether emulated, leg."""
        return self.model.file, self.device.name, self.device.emulated, self.leg


def new_id() -> str:
    """A name for a row or a session."""
    return uuid.uuid4().hex[:16]


def samples_folder(path: Path) -> Path:
    """Where the raw samples of a rows file lie."""
    return path.with_suffix(".samples")


def append_row(path: Path, row: Row, samples: np.ndarray | None = None) -> None:
    """Append a row, after its samples (int64 nanoseconds) were written; a row is on disk whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if samples is not None:
        stream = io.BytesIO()
        np.save(stream, samples)
        write_bytes(samples_folder(path) / f"{row.id}.npy", stream.getvalue())
    line = json.dumps({"row_version": ROW_VERSION, **dataclasses.asdict(row)}, ensure_ascii=False) + "\n"
    with path.open("ab") as rows:
        if rows.tell() and not _ends_with_newline(path):
            line = "\n" + line  # a killed writer left half a line, which stays alone
        rows.write(line.encode())
        rows.flush()
        os.fsync(rows.fileno())


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def read_rows(path: Path) -> list[Row]:
    """Every row of a file.

    Raises:
        InputError: the file cannot be read, or a line is no row of this version.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(_row(line))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}, line {number}: not a benchmark row: {error}") from None
    if not rows:
        raise InputError(f"{path} holds no rows; 'fermobile bench desktop MODEL -o {path.name}' writes some")
    return rows


def read_samples(path: Path, row: Row) -> np.ndarray | None:
    """The raw latencies of a row, int64 nanoseconds; None where they are not kept."""
    file = samples_folder(path) / f"{row.id}.npy"
    return np.load(file, allow_pickle=False) if file.is_file() else None


def _row(line: str) -> Row:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    version = values.pop("row_version", None)
    if version != ROW_VERSION:
        raise ValueError(f"row version {version}; this fermobile reads {ROW_VERSION}")
    row: Row = _build(Row, values, "")
    for name, value, known in (("status", row.status, STATUSES), ("validity", row.validity, VALIDITIES)):
        if value not in known:
            raise ValueError(f"{name} {value!r} is none of {', '.join(known)}")
    return row


def _build(kind: Any, values: Any, where: str) -> Any:
    """``values`` from JSON, checked and built as ``kind``."""
    if isinstance(kind, types.UnionType):
        return None if values is None else _build(typing.get_args(kind)[0], values, where)
    if typing.get_origin(kind) is tuple:
        return tuple(_build(typing.get_args(kind)[0], v, where) for v in _as(list, values, where))
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        unknown = [key for key in _as(dict, values, where) if key not in hints]
        if unknown:
            raise ValueError(f"unknown entry {where}{unknown[0]}")
        built = {key: _build(hints[key], value, f"{where}{key}.") for key, value in values.items()}
        return typing.cast(type, kind)(**built)
    if typing.get_origin(kind) is dict:
        value = typing.get_args(kind)[1]
        entries = _as(dict, values, where).items()
        return {k: v if value is Any else _build(value, v, f"{where}{k}.") for k, v in entries}
    return float(values) if kind is float and type(values) is int else _as(kind, values, where)


def _as(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where.rstrip('.') or 'the row'} must be {kind.__name__}, not {value!r}")
    return value
