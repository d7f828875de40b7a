"""Names of TFLite operators, the runtimes that know their versions, and what they cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

from ..inference.graph import Graph, Operator

#: Oldest TFLite runtime that knows version 1, 2, 3 … of the operators that face models use, as the
#: converter's own table has it (TensorFlow's tools/versioning/runtime_version.cc).
_SINCE: Mapping[str, tuple[str, ...]] = {
    "ADD": ("1.5.0", "1.14.0", "2.4.0", "2.6.0", "2.13.0"),
    "AVERAGE_POOL_2D": ("1.5.0", "1.14.0", "2.3.0"),
    "CONCATENATION": ("1.5.0", "1.14.0", "2.3.0", "2.14.0"),
    "CONV_2D": ("1.5.0", "1.14.0", "1.14.0", "2.3.0", "2.4.0", "2.9.0", "2.11.0", "2.15.0"),
    "DEPTHWISE_CONV_2D": ("1.5.0", "1.12.0", "1.14.0", "2.2.0", "2.3.0", "2.3.0", "2.11.0"),
    "DEQUANTIZE": ("1.13.1", "1.14.0", "1.15.0", "2.2.0", "2.7.0", "2.18.0"),
    "FULLY_CONNECTED": (
        "1.5.0", "1.10.0", "1.14.0", "1.14.0", "2.0.0", "2.1.0", "2.3.0", "2.3.0", "2.3.0",
        "2.11.0", "2.15.0", "2.17.0", "2.18.0",
    ),
    "HARD_SWISH": ("1.15.0",),
    "LOGISTIC": ("1.14.0", "1.14.0", "2.3.0"),
    "MAX_POOL_2D": ("1.5.0", "1.14.0", "2.3.0"),
    "MEAN": ("1.6.0", "1.14.0", "2.4.0"),
    "MUL": ("1.5.0", "1.14.0", "1.15.0", "2.3.0", "2.6.0", "2.11.0", "2.13.0"),
    "PAD": ("1.5.0", "1.14.0", "2.4.0", "2.6.0", "2.20.0"),
    "PACK": ("1.11.0", "1.14.0", "2.3.0", "2.13.0"),
    "PRELU": ("1.8.0",),
    "QUANTIZE": ("1.14.0", "1.15.0", "2.7.0"),
    "RELU": ("1.5.0", "2.1.0", "2.5.0"),
    "RELU6": ("1.5.0", "1.14.0", "2.5.0"),
    "RESHAPE": ("1.5.0",),
    "SHAPE": ("1.10.0",),
    "SOFTMAX": ("1.5.0", "1.14.0", "2.3.0"),
    "SQUEEZE": ("1.6.0", "2.5.0"),
    "STRIDED_SLICE": ("1.6.0", "1.14.0", "2.1.0", "2.2.0", "2.5.0", "2.6.0", "2.14.0", "2.14.0"),
    "SUB": ("1.6.0", "1.14.0", "2.3.0", "2.4.0", "2.4.0"),
    "TANH": ("1.14.0", "1.14.0", "2.3.0"),
    "TRANSPOSE": ("1.6.0", "1.14.0", "1.15.0", "2.3.0", "2.4.0", "2.12.0"),
}  # fmt: skip


def operator_name(op: Operator) -> str:
    """The schema's name ("CONV_2D"), a custom operator's own name, or its number when the schema is older."""
    return op.custom or _names().get(op.code, f"operator {op.code}")


def oldest_runtime(op: Operator) -> str | None:
    """The oldest TFLite release that knows this version of the operator; None when we do not know."""
    since = _SINCE.get(operator_name(op), ())
    return since[op.version - 1] if 1 <= op.version <= len(since) else None


def newest_version(versions: list[str]) -> str:
    """The highest of release numbers such as "2.9.0"; "" for none."""
    return max(versions, key=lambda v: tuple(int(n) for n in v.split(".")), default="")


def multiply_accumulates(graph: Graph) -> int:
    """Multiply-accumulates of one inference: convolutions and dense layers, the rest is left out."""
    total = 0
    for op in graph.operators:
        name = operator_name(op)
        if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") or len(op.inputs) < 2 or not op.outputs:
            continue
        kernel, output = graph.tensors[op.inputs[1]].shape, graph.tensors[op.outputs[0]]
        # CONV_2D (out, height, width, in); FULLY_CONNECTED (out, in); DEPTHWISE_CONV_2D (1, height, width, out).
        per_value = kernel[1:3] if name == "DEPTHWISE_CONV_2D" else kernel[1:]
        total += output.size * math.prod(per_value)
    return total


@functools.cache
def _names() -> Mapping[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {code: name for name, code in vars(BuiltinOperator).items() if not name.startswith("_")}
