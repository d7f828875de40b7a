"""Which operators a phone's delegates would take, and why they would leave the others to the CPU's own kernels.

An outlook, read from the file by rules of our own: a driver may refuse more.  Only a run on the device tells.
The rules follow the delegates' sources (TFLite 2.14 for GPU and NNAPI, LiteRT 2 for XNNPACK).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..inference.graph import Graph, Operator, Tensor
from .ops import operator_name

_EIGHT_BIT = ("int8", "uint8")
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

_XNNPACK_FLOAT = {
    "ABS", "ADD", "AVERAGE_POOL_2D", "CEIL", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DIV",
    "ELU", "FLOOR", "FULLY_CONNECTED", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN",
    "MINIMUM", "MUL", "NEG", "PAD", "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
    "ROUND", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE",
    "SUB", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
}  # fmt: skip
_XNNPACK_INT8 = {
    "ADD", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "ELU", "FULLY_CONNECTED",
    "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "QUANTIZE", "RESHAPE", "RESIZE_BILINEAR", "SLICE",
    "SPACE_TO_DEPTH", "SPLIT", "SUB", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
}  # fmt: skip
_GPU = {
    "ABS", "ADD", "AVERAGE_POOL_2D", "CEIL", "CONCATENATION", "CONV_2D", "COS", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "DIV", "ELU", "EXP", "FLOOR", "FULLY_CONNECTED", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG",
    "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "PAD", "PADV2", "POW",
    "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT",
    "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TRANSPOSE", "TRANSPOSE_CONV",
}  # fmt: skip
_GPU_NEWEST: Mapping[str, int] = {"CONV_2D": 6, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9}

#: Operators of the NNAPI delegate that face models use, with the newest version it takes.
_NNAPI_NEWEST: Mapping[str, int] = {
    "ADD": 2, "AVERAGE_POOL_2D": 2, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "DEQUANTIZE": 2,
    "FULLY_CONNECTED": 5, "HARD_SWISH": 1, "LOGISTIC": 2, "MAX_POOL_2D": 2, "MEAN": 2, "MUL": 2, "PAD": 2, "PRELU": 1,
    "QUANTIZE": 2, "RELU": 2, "RELU6": 2, "RESHAPE": 1, "SOFTMAX": 2, "SQUEEZE": 1, "SUB": 3, "TANH": 2,
    "TRANSPOSE": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Fallback:
    """An operator that stays with the CPU's built-in kernels; ``index`` is its place in the graph."""

    index: int
    operator: str
    reason: str


@dataclass(frozen=True)
class Outlook:
    """What one delegate would take.

    Attributes:
        partitions: how many pieces of the graph it would get; every further one costs a change of hands.
        notes: what else to know before choosing it.
    """

    delegate: str
    delegated: int
    operators: int
    partitions: int
    fallbacks: tuple[Fallback, ...]
    notes: tuple[str, ...]


def outlooks(graph: Graph) -> tuple[Outlook, ...]:
    """XNNPACK, GPU and NNAPI, in this order."""
    return (
        _outlook("XNNPACK", graph, _xnnpack, _xnnpack_notes(graph)),
        _outlook("GPU", graph, _gpu, _gpu_notes(graph)),
        _outlook("NNAPI", graph, _nnapi, _nnapi_notes(graph)),
    )


def _outlook(
    delegate: str, graph: Graph, rule: Callable[[Operator, Graph], str | None], notes: tuple[str, ...]
) -> Outlook:
    reasons = [rule(op, graph) for op in graph.operators]
    fallbacks = tuple(
        Fallback(i, operator_name(op), reason)
        for i, (op, reason) in enumerate(zip(graph.operators, reasons, strict=True))
        if reason is not None
    )
    total = len(graph.operators)
    partitions = _partitions(graph, [reason is None for reason in reasons])
    return Outlook(delegate, total - len(fallbacks), total, partitions, fallbacks, notes)


def _partitions(graph: Graph, taken: list[bool]) -> int:
    """Pieces the delegate gets when the interpreter runs, in turns, all it can of one kind and then of the other."""
    made_by_ops = {t for op in graph.operators for t in op.outputs}
    ready = {t for t in range(-1, len(graph.tensors)) if t not in made_by_ops}
    waiting, pieces = list(range(len(graph.operators))), 0
    while waiting:
        runnable = [i for i in waiting if ready.issuperset(graph.operators[i].inputs)]
        if not runnable:
            return pieces  # a graph out of order, which no interpreter runs either
        kind = taken[runnable[0]]
        pieces += kind
        left = []
        for i in waiting:
            if taken[i] == kind and ready.issuperset(graph.operators[i].inputs):
                ready.update(graph.operators[i].outputs)
            else:
                left.append(i)
        waiting = left
    return pieces


def _xnnpack(op: Operator, graph: Graph) -> str | None:
    name, source, target = _ends(op, graph)
    if op.custom or source is None or target is None:
        return f"{name} is not an operator it knows"
    if name == "DEQUANTIZE" and source.dtype == "float16":
        return None  # half-precision weights, unpacked when the model is loaded
    if source.dtype in _EIGHT_BIT:
        if name not in _XNNPACK_INT8:
            return f"no quantised {name}"
        if name == "QUANTIZE" and source.dtype != target.dtype:
            return f"cannot requantise {source.dtype} to {target.dtype}"
        return _needs_constants(op, graph)
    if source.dtype == "float32":
        return _needs_constants(op, graph) if name in _XNNPACK_FLOAT else f"no float {name}"
    return f"no {name} of {source.dtype}"


def _gpu(op: Operator, graph: Graph) -> str | None:
    name, source, target = _ends(op, graph)
    if op.custom or source is None or target is None or name not in _GPU:
        return f"{name} is not an operator it knows"
    newest = _GPU_NEWEST.get(name, op.version)
    if op.version > newest:
        return f"version {op.version}; up to TFLite 2.14 it takes {newest}"
    for tensor in (source, target):
        if tensor.dtype not in ("float32", "float16", *_EIGHT_BIT):
            return f"no {name} of {tensor.dtype}"
        if len(tensor.shape) > 4:
            return f"{len(tensor.shape)} dimensions; it takes 4"
    return _needs_constants(op, graph)


def _nnapi(op: Operator, graph: Graph) -> str | None:
    name, source, target = _ends(op, graph)
    if op.custom or source is None or target is None or name not in _NNAPI_NEWEST:
        return f"{name} is not an operator it knows"
    if op.version > _NNAPI_NEWEST[name]:
        return f"version {op.version}; it takes {_NNAPI_NEWEST[name]}"
    if name == "QUANTIZE" and source.dtype != "float32":
        return f"cannot requantise {source.dtype} to {target.dtype}"
    if name == "DEQUANTIZE" and source.dtype == "float16":
        return None  # folded into the weights
    if source.dtype not in ("float32", *_EIGHT_BIT):
        return f"no {name} of {source.dtype}"
    if name in _WEIGHTED and _hybrid(op, graph):
        return "float activations with int8 weights"
    return _needs_constants(op, graph)


def _ends(op: Operator, graph: Graph) -> tuple[str, Tensor | None, Tensor | None]:
    """The operator's name, its first input and its first output."""
    source = graph.tensors[op.inputs[0]] if op.inputs and op.inputs[0] >= 0 else None
    return operator_name(op), source, graph.tensors[op.outputs[0]] if op.outputs else None


def _needs_constants(op: Operator, graph: Graph) -> str | None:
    """Weights, axes and paddings that are computed are left to the CPU by every delegate."""
    name = operator_name(op)
    if name not in (*_WEIGHTED, "MEAN", "PAD") or len(op.inputs) < 2:
        return None
    made_by_ops = {t for other in graph.operators if operator_name(other) != "DEQUANTIZE" for t in other.outputs}
    if op.inputs[1] in made_by_ops or op.inputs[1] in graph.inputs:
        return f"the second input of {name} is not a constant"
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D") and len(op.inputs) < 3:
        return f"{name} without a bias"
    return None


def _hybrid(op: Operator, graph: Graph) -> bool:
    """Dynamic-range quantisation: int8 weights, float activations."""
    if len(op.inputs) < 2 or min(op.inputs[:2]) < 0:
        return False
    return graph.tensors[op.inputs[0]].dtype == "float32" and graph.tensors[op.inputs[1]].dtype in _EIGHT_BIT


def _quantised(graph: Graph) -> bool:
    return any(graph.tensors[t].dtype in _EIGHT_BIT for op in graph.operators for t in op.outputs)


def _xnnpack_notes(graph: Graph) -> tuple[str, ...]:
    if not _quantised(graph):
        return ()
    return (
        "LiteRT uses it for int8 by itself; the Android libraries of TFLite 2.14 and 2.16 do so only when it is "
        "created with its int8 flags",
    )


def _gpu_notes(graph: Graph) -> tuple[str, ...]:
    notes = []
    if any(graph.tensors[t].shape[:1] not in ((), (1,)) for t in (*graph.inputs, *graph.outputs)):
        notes.append("a batch other than 1: it reads the first dimension as the batch and takes 1")
    if _quantised(graph):
        notes.append("computes int8 in float, rounded back (quantised models must be allowed, as they are by default)")
    if any(_hybrid(op, graph) for op in graph.operators):
        notes.append("int8 weights are unpacked to float: no faster and no more exact than a float16 file")
    return tuple(notes)


def _nnapi_notes(graph: Graph) -> tuple[str, ...]:
    notes = ["deprecated since Android 15; only TFLite's first line has it (LiteRT's CompiledModel has not)"]
    if any(t.per_channel for t in graph.tensors):
        notes.append("weights with a scale per channel need Android 10 (API level 29)")
    if any(graph.tensors[t].dtype == "int8" for op in graph.operators for t in op.outputs):
        notes.append("int8 with a zero point is native from Android 11 (API level 30)")
    return tuple(notes)
