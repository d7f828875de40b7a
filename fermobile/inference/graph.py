"""The graph inside a .tflite as plain dataclasses, read with every bound checked.

Field numbers follow the TFLite schema, version 3 (``tensorflow/lite/schema/schema.fbs``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..errors import ModelFileError
from .flatbuffer import Table, root_table

T = TypeVar("T")

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3

#: Tensor types by their number in the schema, with bits per value; 0 where a value has no fixed size.
DTYPES: tuple[tuple[str, int], ...] = (
    ("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64), ("string", 0), ("bool", 8),
    ("int16", 16), ("complex64", 64), ("int8", 8), ("float64", 64), ("complex128", 128), ("uint64", 64),
    ("resource", 0), ("variant", 0), ("uint32", 32), ("uint16", 16), ("int4", 4), ("bfloat16", 16), ("int2", 2),
    ("uint4", 4), ("float8_e4m3fn", 8), ("float8_e5m2", 8),
)  # fmt: skip

#: Operators whose options hold a vector of int32 in field 0, which the interpreter follows: RESHAPE, SQUEEZE.
_VECTOR_OPTIONS = {22, 43}

#: Where a zero point may lie; 0 for all other types.  The kernels index tables with it.
_ZERO_POINTS = {"uint8": (0, 255), "int8": (-128, 127), "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1)}

#: No tensor of a model for a phone needs more; a damaged shape easily does.
_MAX_TENSOR_BYTES = 2**31


@dataclass(frozen=True)
class Tensor:
    """One tensor. ``data`` holds the bytes of a constant, None for what is computed."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: memoryview | None
    scales: np.ndarray
    zero_points: np.ndarray
    quantized_dimension: int

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def quantized(self) -> bool:
        """True when integers stand for real numbers."""
        return len(self.scales) > 0

    @property
    def per_channel(self) -> bool:
        """True when each channel has a scale of its own."""
        return len(self.scales) > 1


@dataclass(frozen=True)
class Operator:
    """One operator; ``inputs`` and ``outputs`` index the graph's tensors, -1 stands for an input left out."""

    code: int
    custom: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """One subgraph with its operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Model:
    """A whole file; ``metadata`` maps the name of each metadata entry to its bytes."""

    description: str
    graphs: tuple[Graph, ...]
    metadata: dict[str, bytes]


def read_model(data: bytes) -> Model:
    """Read and check a .tflite; anything may follow the flatbuffer in the same file.

    Raises:
        ModelFileError: the file is not a TFLite flatbuffer, or something in it points outside it or contradicts
            itself; the message names the table.
    """
    root = root_table(data, IDENTIFIER, "model")
    version = root.scalar(0, "I")
    if version != SCHEMA_VERSION:
        raise ModelFileError(f"the model has schema version {version}; TFLite files have {SCHEMA_VERSION}")
    buffers = [_read_buffer(t) for t in root.tables(4, "buffer")]
    codes = [_read_code(t) for t in root.tables(1, "operator code")]
    graphs = tuple(_read_graph(t, codes, buffers) for t in root.tables(2, "subgraph"))
    if not graphs:
        raise ModelFileError("the model has no subgraph")
    metadata = {}
    for table in root.tables(6, "metadata"):
        index = table.scalar(1, "I")
        metadata[table.string(0)] = bytes(_at(buffers, index, table.where, "buffer") or b"")
    for index in root.array(5, "i4"):
        _at(buffers, int(index), "metadata", "buffer")
    for table in root.tables(7, "signature"):
        _check_signature(table, graphs)
    return Model(root.string(3), graphs, metadata)


def _read_buffer(table: Table) -> memoryview | None:
    """The bytes of a buffer, None for an empty one; they may also lie behind the flatbuffer (offset and size)."""
    inside = table.array(0, "u1")
    if len(inside):
        return inside.data
    offset, size = table.scalar(1, "Q"), table.scalar(2, "Q")
    if offset <= 1 or size == 0:
        return None
    if offset + size > len(table.data):
        raise ModelFileError(
            f"{table.where}: it takes bytes {offset} to {offset + size} of a file of {len(table.data)}"
        )
    return memoryview(table.data)[offset : offset + size]


def _read_code(table: Table) -> tuple[int, str, int]:
    """(builtin code, custom name, version); files older than 2020 have the code in the first field."""
    code = max(table.scalar(0, "b"), table.scalar(3, "i"))
    if code < 0:
        raise ModelFileError(f"{table.where}: the operator has the negative number {code}")
    return code, table.string(1), table.scalar(2, "i", default=1)


def _read_graph(table: Table, codes: list[tuple[int, str, int]], buffers: list[memoryview | None]) -> Graph:
    tensors = tuple(_read_tensor(t, buffers) for t in table.tables(0, f"{table.where}: tensor"))
    inputs = _tensor_indices(table, 1, len(tensors))
    outputs = _tensor_indices(table, 2, len(tensors))
    operators = tuple(_read_operator(t, codes, len(tensors)) for t in table.tables(3, f"{table.where}: operator"))
    table.string(4)
    return Graph(tensors, inputs, outputs, operators)


def _read_tensor(table: Table, buffers: list[memoryview | None]) -> Tensor:
    shape = tuple(int(n) for n in table.array(0, "i4"))
    type_number = table.scalar(1, "b")
    if not 0 <= type_number < len(DTYPES):
        raise ModelFileError(f"{table.where}: unknown tensor type {type_number}")
    dtype, bits = DTYPES[type_number]
    name = table.string(3)
    if any(n < 0 for n in shape):
        raise ModelFileError(f"{table.where} ({name}): a negative size in its shape {list(shape)}")
    size = (math.prod(shape) * bits + 7) // 8
    if size > _MAX_TENSOR_BYTES:
        raise ModelFileError(f"{table.where} ({name}): shape {list(shape)} of {dtype} takes {size / 2**30:.1f} GiB")
    data = _at(buffers, table.scalar(2, "I"), f"{table.where} ({name})", "buffer")
    sparse = table.table(6, "sparsity") is not None
    if data is not None and bits and not sparse and len(data) != size:
        raise ModelFileError(
            f"{table.where} ({name}): shape {list(shape)} of {dtype} takes {size} bytes, its buffer has {len(data)}"
        )
    table.array(7, "i4")
    return Tensor(name, shape, dtype, data, *_read_quantization(table, shape, dtype))


def _read_quantization(tensor: Table, shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray, int]:
    """(scales, zero points, the dimension along which they differ)."""
    table = tensor.table(4, "quantization")
    if table is None:
        return np.empty(0, np.float32), np.empty(0, np.int64), 0
    table.array(0, "f4")
    table.array(1, "f4")
    scales, zero_points, dimension = table.array(2, "f4"), table.array(3, "i8"), table.scalar(6, "i")
    table.table(5, "details")
    if len(scales) and len(zero_points) != len(scales):
        raise ModelFileError(f"{table.where}: {len(scales)} scales but {len(zero_points)} zero points")
    if not np.all(np.isfinite(scales) & (scales > 0)):
        raise ModelFileError(f"{table.where}: a scale is not a positive number")
    low, high = _ZERO_POINTS.get(dtype, (0, 0))
    if np.any(zero_points < low) or np.any(zero_points > high):
        raise ModelFileError(f"{table.where}: a zero point is not in {low}..{high}, the range of {dtype}")
    if len(scales) > 1 and not (0 <= dimension < len(shape) and shape[dimension] == len(scales)):
        raise ModelFileError(f"{table.where}: {len(scales)} scales along dimension {dimension} of {list(shape)}")
    return scales, zero_points, dimension


def _read_operator(table: Table, codes: list[tuple[int, str, int]], tensors: int) -> Operator:
    code, custom, version = _at(codes, table.scalar(0, "I"), table.where, "operator code")
    inputs = _tensor_indices(table, 1, tensors, optional=True)
    outputs = _tensor_indices(table, 2, tensors)
    _tensor_indices(table, 8, tensors)
    options = table.table(4, "options")
    if options is not None and code in _VECTOR_OPTIONS:
        options.array(0, "i4")
    table.table(12, "options")
    table.array(5, "u1")
    table.array(7, "u1")
    offset, size = table.scalar(9, "Q"), table.scalar(10, "Q")
    if offset > 1 and offset + size > len(table.data):
        raise ModelFileError(f"{table.where}: its options take bytes {offset} to {offset + size}, beyond the file")
    return Operator(code, custom, version, inputs, outputs)


def _tensor_indices(table: Table, field: int, tensors: int, optional: bool = False) -> tuple[int, ...]:
    """Tensor numbers of a field; -1 is allowed where an input may be left out."""
    numbers = table.array(field, "i4")
    lowest = -1 if optional else 0
    if np.any(numbers < lowest) or np.any(numbers >= tensors):
        raise ModelFileError(f"{table.where}: it names tensor {numbers.tolist()}, but there are {tensors}")
    return tuple(numbers.tolist())


def _check_signature(table: Table, graphs: tuple[Graph, ...]) -> None:
    graph: Graph = _at(graphs, table.scalar(4, "I"), table.where, "subgraph")
    table.string(2)
    for field in (0, 1):
        for item in table.tables(field, f"{table.where}: tensor"):
            item.string(0)
            _at(graph.tensors, item.scalar(1, "I"), item.where, "tensor")


def _at(items: Sequence[T], index: int, where: str, what: str) -> T:
    """``items[index]``, or an error that says which index is wrong."""
    if not 0 <= index < len(items):
        raise ModelFileError(f"{where}: it names {what} {index}, but there are {len(items)}")
    return items[index]
