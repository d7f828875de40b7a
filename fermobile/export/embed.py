"""Puts the contract inside a .tflite, together with the standard TFLite metadata that other tools read.

The model's flatbuffer gets a ``TFLITE_METADATA`` buffer (name, description, normalisation, label files), which
MediaPipe and Android Studio understand; ``contract.json`` and one label file per head follow as a zip archive
behind the flatbuffer, which is TFLite metadata's own way of carrying files.  The archive has no timestamps.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import CONTRACT_FILE, ModelContract
from ..errors import ModelFileError

#: The label file of each head.
LABEL_FILES = {"emotion": "emotion_labels.txt", "au": "au_labels.txt"}

_METADATA_NAME = b"TFLITE_METADATA"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip archive can say
_WEIGHT_ALIGNMENT = 16


@dataclass(frozen=True)
class Signature:
    """Names of a converted file's tensors, in tensor order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_signature(data: bytes) -> Signature:
    """The signature names of the subgraph's inputs and outputs, in the order of the subgraph.

    Raises:
        ModelFileError: the file has no signature, or it does not cover every input and output.
    """
    model = _schema().ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    if not model.signatureDefs:
        raise ModelFileError("the converted file has no signature, so its outputs have no names")
    signature = model.signatureDefs[0]
    names = {m.tensorIndex: m.name.decode() for m in (*signature.inputs, *signature.outputs)}
    try:
        return Signature(tuple(names[t] for t in graph.inputs), tuple(names[t] for t in graph.outputs))
    except KeyError:
        raise ModelFileError("the converted file's signature does not name all its inputs and outputs") from None


def embed(data: bytes, contract: ModelContract) -> bytes:
    """The same model with tensors named by the signature, standard metadata, and the contract in its archive.

    Args:
        data: a converted .tflite with a signature.
        contract: with ``outputs`` in tensor order.
    """
    schema = _schema()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    signature, graph = read_signature(data), model.subgraphs[0]
    for tensor, name in zip((*graph.inputs, *graph.outputs), (*signature.inputs, *signature.outputs), strict=True):
        graph.tensors[tensor].name = name.encode()
    model.description = f"{contract.name} (fermobile)".encode()
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_metadata(contract), np.uint8)
    entry = next((m for m in model.metadata or [] if m.name == _METADATA_NAME), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = _METADATA_NAME, len(model.buffers)
        model.metadata = [*(model.metadata or []), entry]
        model.buffers.append(buffer)
    model.buffers[entry.buffer] = buffer
    model.buffers = [_aligned(schema, b) for b in model.buffers]
    return _archive(_pack(model), contract)


def associated_files(contract: ModelContract) -> dict[str, bytes]:
    """The files inside the archive: labels per head, one to a line, and the contract."""
    labels = {LABEL_FILES[h]: ("\n".join(contract.labels(h)) + "\n").encode() for h in contract.heads}
    return {**labels, CONTRACT_FILE: contract.to_json().encode()}


def _archive(model: bytes, contract: ModelContract) -> bytes:
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, content in associated_files(contract).items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return stream.getvalue()


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema


def _pack(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned(schema: Any, buffer: Any) -> Any:
    """The buffer, packed at a multiple of 16 bytes.

    The schema asks for it (``force_align: 16``), the generated Python code does not do it, and kernels that
    read weights in place rely on it.
    """

    class Aligned(schema.BufferT):
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - the generated code's name
            if self.data is None or not len(self.data):
                return super().Pack(builder)
            content = np.asarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(content), _WEIGHT_ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    aligned = Aligned()
    aligned.data = buffer.data
    return aligned


def _metadata(contract: ModelContract) -> bytes:
    """The TFLite metadata flatbuffer."""
    import flatbuffers

    from ..face.mediapipe_import import import_mediapipe

    import_mediapipe()
    from mediapipe.tasks.metadata import metadata_schema_py_generated as meta

    def file(name: str, description: str, kind: int) -> Any:
        entry = meta.AssociatedFileT()
        entry.name, entry.description, entry.type = name, description, kind
        return entry

    image = meta.TensorMetadataT()
    image.name = "image"
    image.description = "One face, aligned and cropped as contract.json says."
    image.content = meta.ContentT()
    image.content.contentPropertiesType = meta.ContentProperties.ImageProperties
    image.content.contentProperties = meta.ImagePropertiesT()
    image.content.contentProperties.colorSpace = meta.ColorSpaceType.RGB
    unit = meta.ProcessUnitT()
    unit.optionsType = meta.ProcessUnitOptions.NormalizationOptions
    unit.options = meta.NormalizationOptionsT()
    unit.options.mean, unit.options.std = [contract.input.mean], [contract.input.std]
    image.processUnits = [unit]
    image.stats = meta.StatsT()
    low, high = ((p - contract.input.mean) / contract.input.std for p in (0.0, 255.0))
    image.stats.min, image.stats.max = [low], [high]

    outputs = []
    for head in contract.outputs:
        tensor = meta.TensorMetadataT()
        tensor.name = head
        tensor.description = {"emotion": "Probability of each emotion.", "au": "Probability of each action unit."}[head]
        labels = file(LABEL_FILES[head], f"Labels of {head}.", meta.AssociatedFileType.TENSOR_AXIS_LABELS)
        tensor.associatedFiles = [labels]
        tensor.stats = meta.StatsT()
        tensor.stats.min, tensor.stats.max = [0.0], [1.0]
        outputs.append(tensor)

    graph = meta.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [image], outputs
    model = meta.ModelMetadataT()
    model.name = contract.name
    model.description = "Facial expression model; everything needed to use it right is in contract.json."
    model.subgraphMetadata = [graph]
    model.associatedFiles = [file(CONTRACT_FILE, "The model contract.", meta.AssociatedFileType.DESCRIPTIONS)]
    model.minParserVersion = "1.0.0"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())
