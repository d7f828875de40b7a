"""What may be wrong inside an int8 file: float operations, and an input scale that is not the contract's."""

from __future__ import annotations

import numpy as np

from ..contract import InputSpec
from ..inference.graph import read_model
from .ops import operator_name

_FLOATS = ("float16", "float32", "float64")


def float_leftovers(data: bytes, float_io: bool) -> list[str]:
    """Operations of the main subgraph that touch a float tensor, as "OP -> tensor".

    Args:
        data: the .tflite.
        float_io: the file takes and gives float32, so the QUANTIZE at its start and the DEQUANTIZE at each of
            its ends are as they should be.
    """
    graph = read_model(data).graphs[0]
    found = []
    for op in graph.operators:
        name = operator_name(op)
        ends = {"QUANTIZE": graph.inputs, "DEQUANTIZE": graph.outputs}.get(name, ()) if float_io else ()
        touched = [t for t in (*op.inputs, *op.outputs) if t >= 0 and graph.tensors[t].dtype in _FLOATS]
        if any(t not in ends for t in touched):
            found.append(f"{name} -> {graph.tensors[op.outputs[0]].name}")
    return found


def input_byte_error(data: bytes, spec: InputSpec) -> float:
    """How far, in steps of the input scale, the file reads any pixel from where the contract puts it.

    0.5 is what rounding the zero point costs; 0 for a float32 input.
    """
    graph = read_model(data).graphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    if tensor.dtype not in ("uint8", "int8") or not tensor.quantized:
        return 0.0
    scale, zero = float(tensor.scales[0]), int(tensor.zero_points[0])
    pixels = np.arange(256, dtype=np.float64)
    stored = pixels - 128 if tensor.dtype == "int8" else pixels
    return float(np.abs((stored - zero) * scale - (pixels - spec.mean) / spec.std).max() / scale)
