"""Small, valid .tflite files made from the schema alone: no TensorFlow, the same bytes each time.

The network is CONV_2D (3x3, stride 2, RELU6) -> MEAN -> FULLY_CONNECTED per head -> SOFTMAX or LOGISTIC, with
seeded weights, so its scores depend on the picture.  Run this file to write ``fermobile/inference/minimal.tflite``.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from fermobile.contract import CONTRACT_FILE, CropSpec, InputSpec, ModelContract

OP = schema.BuiltinOperator
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int32": schema.TensorType.INT32,
}
_CHANNELS = 8


def contract(size: int = 32, **changes: object) -> ModelContract:
    """The contract of ``tiny_model``'s default: three emotions, two action units."""
    base = ModelContract(
        name="tiny",
        emotions=("neutral", "happiness", "surprise"),
        action_units=("AU1", "AU12"),
        input=InputSpec(size),
        crop=CropSpec(0.4, 0.4),
        outputs=("emotion", "au"),
        thresholds={"AU1": 0.4},
        temperature=1.5,
        provenance={"recipe": "tiny"},
    )
    return base.replace(**changes)


def with_contract(model: bytes, made_for: ModelContract) -> bytes:
    """Append a zip with the contract, as exported files carry it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(CONTRACT_FILE), made_for.to_json())
    return model + archive.getvalue()


def tiny_file(kind: str = "int8", io_type: str = "uint8", **changes: object) -> bytes:
    """A tiny model with its contract; see ``tiny_model`` and ``contract``."""
    made_for = contract(**changes)  # type: ignore[arg-type]
    heads = {h: len(made_for.labels(h)) for h in (made_for.outputs or made_for.heads)}
    return with_contract(tiny_model(made_for.input.size, heads, kind, io_type), made_for)


class GraphBuilder:
    """Collects tensors, buffers and operators of one subgraph and packs them."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.buffers, self.codes = [schema.BufferT()], []

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        data: np.ndarray | None = None,
        scale: object = None,
        zero_point: int = 0,
        axis: int = 0,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), _TYPES[dtype], 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales.tolist()
            tensor.quantization.zeroPoint = [zero_point] * len(scales)
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def op(self, code: int, version: int, inputs: list[int], outputs: list[int], options: object = None) -> None:
        key = schema.OperatorCodeT()
        key.deprecatedBuiltinCode, key.builtinCode, key.version = min(code, 127), code, version
        known = [i for i, c in enumerate(self.codes) if (c.builtinCode, c.version) == (code, version)]
        if not known:
            self.codes.append(key)
        operator = schema.OperatorT()
        operator.opcodeIndex = known[0] if known else len(self.codes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.graph.operators.append(operator)

    def pack(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.description = 3, "fermobile test model"
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [self.graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def tiny_model(
    size: int, heads: dict[str, int], kind: str = "int8", io_type: str = "uint8", channels: int = 3
) -> bytes:
    """A network without contract.

    Args:
        heads: number of labels of "emotion" (softmax) and/or "au" (sigmoid), in output order.
        kind: "int8" or "float".
        io_type: "uint8", "int8" or "float32"; a float network takes "float32" only.
        channels: of the input; 1 is grey.
    """
    rng = np.random.default_rng(3)
    b, int8 = GraphBuilder(), kind == "int8"
    inner = "int8" if int8 else "float32"
    half = size // 2
    source = b.tensor(
        "image", (1, size, size, channels), io_type, scale=None if io_type == "float32" else 1 / 127.5,
        zero_point={"uint8": 128, "int8": 0, "float32": 0}[io_type],
    )  # fmt: skip
    x = source
    if int8 and io_type != "int8":
        x = b.tensor("image_int8", (1, size, size, channels), "int8", scale=1 / 127.5)
        b.op(OP.QUANTIZE, 1, [source], [x])
    conv = schema.Conv2DOptionsT()
    conv.padding, conv.strideW, conv.strideH = schema.Padding.SAME, 2, 2
    conv.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    kernel = rng.normal(0, 0.6, (_CHANNELS, 3, 3, channels)).astype(np.float32)
    features = b.tensor("features", (1, half, half, _CHANNELS), inner, scale=6 / 255 if int8 else None, zero_point=-128)
    weights = _weights(b, "conv", kernel, 1 / 127.5, int8)
    b.op(OP.CONV_2D, 3 if int8 else 1, [x, *weights], [features], conv)
    mean = schema.ReducerOptionsT()
    mean.keepDims = False
    pooled = b.tensor("pooled", (1, _CHANNELS), inner, scale=6 / 255 if int8 else None, zero_point=-128)
    axes = b.tensor("axes", (2,), "int32", np.array([1, 2], np.int32))
    b.op(OP.MEAN, 2 if int8 else 1, [features, axes], [pooled], mean)
    outputs = [_head(b, name, labels, pooled, int8, io_type, rng) for name, labels in heads.items()]
    return b.pack([source], outputs)


def _weights(b: GraphBuilder, name: str, kernel: np.ndarray, input_scale: float, int8: bool) -> list[int]:
    """Kernel and zero bias; int8 kernels have a scale per output channel."""
    outputs = kernel.shape[0]
    if not int8:
        bias = b.tensor(f"{name}_bias", (outputs,), "float32", np.zeros(outputs, np.float32))
        return [b.tensor(f"{name}_kernel", kernel.shape, "float32", kernel), bias]
    scales = np.abs(kernel).reshape(outputs, -1).max(1) / 127
    quantised = np.round(kernel / scales.reshape(-1, *[1] * (kernel.ndim - 1))).astype(np.int8)
    bias = b.tensor(f"{name}_bias", (outputs,), "int32", np.zeros(outputs, np.int32), scale=scales * input_scale)
    return [b.tensor(f"{name}_kernel", kernel.shape, "int8", quantised, scale=scales), bias]


def _head(b: GraphBuilder, name: str, labels: int, x: int, int8: bool, io_type: str, rng: np.random.Generator) -> int:
    kernel = rng.normal(0, 1.5, (labels, _CHANNELS)).astype(np.float32)
    kernel -= kernel.mean(1, keepdims=True)
    inner = "int8" if int8 else "float32"
    logits = b.tensor(f"{name}_logits", (1, labels), inner, scale=16 / 255 if int8 else None)
    weights = _weights(b, name, kernel, 6 / 255, int8)
    b.op(OP.FULLY_CONNECTED, 5 if int8 else 1, [x, *weights], [logits], schema.FullyConnectedOptionsT())
    scores = b.tensor(name, (1, labels), inner, scale=1 / 256 if int8 else None, zero_point=-128)
    if name == "emotion":
        softmax = schema.SoftmaxOptionsT()
        softmax.beta = 1.0
        b.op(OP.SOFTMAX, 2 if int8 else 1, [logits], [scores], softmax)
    else:
        b.op(OP.LOGISTIC, 2 if int8 else 1, [logits], [scores])
    if not int8 or io_type == "int8":
        return scores
    if io_type == "uint8":
        out = b.tensor(f"{name}_out", (1, labels), "uint8", scale=1 / 256)
        b.op(OP.QUANTIZE, 1, [scores], [out])
    else:
        out = b.tensor(f"{name}_out", (1, labels), "float32")
        b.op(OP.DEQUANTIZE, 2, [scores], [out])
    return out


def minimal_model() -> bytes:
    """One float32 value through one RELU: what ``available_runtimes`` constructs interpreters on."""
    b = GraphBuilder()
    x, y = b.tensor("x", (1,), "float32"), b.tensor("y", (1,), "float32")
    b.op(OP.RELU, 1, [x], [y])
    return b.pack([x], [y])


def crashing_model() -> bytes:
    """A file in order whose numbers make the interpreter read outside a table: a scale near zero."""
    b = GraphBuilder()
    x, y = b.tensor("x", (1, 8), "int8", scale=4.6e-41), b.tensor("y", (1, 8), "uint8", scale=1 / 256)
    b.op(OP.QUANTIZE, 1, [x], [y])
    return b.pack([x], [y])


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    (root / "fermobile" / "inference" / "minimal.tflite").write_bytes(minimal_model())
