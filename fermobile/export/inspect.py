"""All that can be said about a .tflite without running it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract import ModelContract
from ..errors import ContractError
from ..inference.graph import Graph, Operator, read_model
from ..inference.modelfile import read_contract, read_tflite
from .delegates import Outlook, outlooks
from .leftovers import float_leftovers
from .ops import multiply_accumulates, newest_version, oldest_runtime, operator_name


@dataclass(frozen=True)
class TensorSummary:
    """An input or an output; ``scale`` is None where it is not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class OperatorSummary:
    """All operators of one name, version and types.

    Attributes:
        types: "int8 x int8 -> int8": first input, weights where it has any, first output.
        per_channel: True when its weights have a scale per channel.
        since: oldest TFLite release that knows this version, "" when unknown.
    """

    name: str
    version: int
    types: str
    per_channel: bool
    count: int
    since: str


@dataclass(frozen=True)
class FileReport:
    """What ``inspect_file`` found.

    Attributes:
        contract: None when the file has none; ``contract_error`` then says why.
        kind: "int8", "dynamic-int8", "fp16" or "float", by its weights and activations.
        parameters: values of all weights and biases.
        macs: multiply-accumulates of one inference.
        min_runtime: oldest TFLite release that knows every operator, as far as we know them.
        stated_min_runtime: what the file's own metadata says; converters leave it empty in int8 files.
        float_islands: operators of an int8 file that compute in float, as "OP -> tensor".
        metadata: names of the file's metadata entries.
    """

    path: str
    bytes: int
    sha256: str
    description: str
    contract: ModelContract | None
    contract_error: str
    kind: str
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    operators: tuple[OperatorSummary, ...]
    parameters: int
    macs: int
    min_runtime: str
    stated_min_runtime: str
    float_islands: tuple[str, ...]
    outlooks: tuple[Outlook, ...]
    metadata: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def inspect_file(path: Path) -> FileReport:
    """Read a .tflite; it needs no contract, no TensorFlow and no interpreter.

    Raises:
        ModelFileError: the file is missing, damaged or not a .tflite.
    """
    data = read_tflite(path)
    model = read_model(data)
    graph = model.graphs[0]
    contract, contract_error = _contract(data, path)
    kind = _kind(graph)
    float_io = any(graph.tensors[t].dtype == "float32" for t in (*graph.inputs, *graph.outputs))
    return FileReport(
        path=str(path),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        description=model.description,
        contract=contract,
        contract_error=contract_error,
        kind=kind,
        inputs=tuple(_tensor(graph, t) for t in graph.inputs),
        outputs=tuple(_tensor(graph, t) for t in graph.outputs),
        operators=_operators(graph),
        parameters=_parameters(graph),
        macs=multiply_accumulates(graph),
        min_runtime=newest_version([v for op in graph.operators if (v := oldest_runtime(op))]),
        stated_min_runtime=_stated_min_runtime(model.metadata),
        float_islands=tuple(float_leftovers(data, float_io)) if kind == "int8" else (),
        outlooks=outlooks(graph),
        metadata=tuple(model.metadata),
    )


def _contract(data: bytes, path: Path) -> tuple[ModelContract | None, str]:
    try:
        return read_contract(data, str(path)), ""
    except ContractError as error:
        return None, str(error)


def _stated_min_runtime(metadata: Mapping[str, bytes]) -> str:
    return metadata.get("min_runtime_version", b"").rstrip(b"\0").decode("ascii", "replace")


def _kind(graph: Graph) -> str:
    weighted = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    ops = [op for op in graph.operators if operator_name(op) in weighted and len(op.inputs) > 1]
    activations = {graph.tensors[op.inputs[0]].dtype for op in ops}
    constants = {t.dtype for t in graph.tensors if t.data is not None and t.size > 1}
    if activations & {"int8", "uint8"}:
        return "int8"
    if "int8" in constants:
        return "dynamic-int8"
    return "fp16" if "float16" in constants else "float"


def _tensor(graph: Graph, index: int) -> TensorSummary:
    t = graph.tensors[index]
    scale = float(t.scales[0]) if t.quantized else None
    return TensorSummary(t.name, t.shape, t.dtype, scale, int(t.zero_points[0]) if t.quantized else None)


def _operators(graph: Graph) -> tuple[OperatorSummary, ...]:
    """Grouped, in the order in which each kind first appears."""
    kinds = Counter(
        (operator_name(op), op.version, *_types(graph, op), oldest_runtime(op) or "") for op in graph.operators
    )
    return tuple(
        OperatorSummary(name, version, types, per_channel, count, since)
        for (name, version, types, per_channel, since), count in kinds.items()
    )


def _types(graph: Graph, op: Operator) -> tuple[str, bool]:
    inputs = [graph.tensors[t] for t in op.inputs if t >= 0]
    shown = inputs[:1] + [t for t in inputs[1:2] if t.dtype != "int32"]  # axes and shapes say nothing
    left = " x ".join(t.dtype for t in shown) or "nothing"
    right = graph.tensors[op.outputs[0]].dtype if op.outputs else "nothing"
    return f"{left} -> {right}", any(t.per_channel for t in inputs if t.data is not None)


def _parameters(graph: Graph) -> int:
    """Constants that are numbers to compute with; axes and shapes are plain int32."""
    return sum(t.size for t in graph.tensors if t.data is not None and (t.quantized or t.dtype.startswith("float")))
