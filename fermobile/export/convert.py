"""A trained run becomes one .tflite file that says itself how it must be used.

The file has one input "image" of shape (1, size, size, 3) and one output per head, named "emotion" and "au",
all shapes static.  The same run gives the same bytes: nothing in the file knows the time or the machine.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..contract import ModelContract
from ..errors import InputError, ModelFileError, RuntimeFailure
from ..files import refuse_existing, write_bytes
from .calibration_set import CalibrationSet, draw_calibration_set
from .embed import embed, read_signature
from .leftovers import float_leftovers, input_byte_error
from .refit import refit

if TYPE_CHECKING:
    from ..data.manifest import Dataset

KINDS = ("int8", "fp16", "dynamic-int8", "float")
IO_TYPES = ("uint8", "int8", "float32")


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        path, sha256, size: the file, its hash and its size in bytes.
        kind: one of :data:`KINDS`.
        io: type of the input and output tensors, one of :data:`IO_TYPES`.
        quantized_by: "training" (QAT), "calibration" (PTQ) or "" when activations stay in float.
        contract: what the file carries.
    """

    path: Path
    sha256: str
    size: int
    kind: str
    io: str
    quantized_by: str
    contract: ModelContract


def export_run(
    run_folder: Path,
    out: Path,
    kind: str,
    io: str = "uint8",
    calibration: Dataset | None = None,
    force: bool = False,
) -> ExportReport:
    """Convert a run, put its contract inside, check the result and write it.

    Quantization moves scores.  A run quantized in training has its thresholds and temperature from such scores; when a
    float run becomes int8 they are fitted again, to the file's own scores on the validation split.

    Args:
        run_folder: a run of ``fermobile train`` or ``fermobile quantize``.
        out: the .tflite to write.
        kind: one of :data:`KINDS`.
        io: type of an int8 file's tensors; every other kind has float32.
        calibration: the run's dataset, if it moved since the training; when a float run becomes int8, its train
            split sets the ranges, its val split the thresholds.
        force: replace ``out``.
    Raises:
        OutputExistsError: ``out`` is taken.
        RunError: the folder is no run, or of another version.
        DatasetError: the calibration set is too small, or too much of the val split is unreadable.
        InputError: the choices do not go together.
        ModelFileError: a float op is left in an int8 file, or its input bytes are not pixels.
    """
    refuse_existing(out, force)
    from ..training.runs import Run

    run = Run.open(run_folder)
    calibration_set = None
    if kind == "int8" and not run.quantized:
        calibration = calibration or run.open_dataset()
        if calibration.sha256 != run.info["dataset"]["sha256"]:
            raise InputError(
                f"{run_folder} was trained on another dataset than {calibration.folder}; only its own train split is "
                "sure to hold none of its test images"
            )
        calibration = calibration.as_trained(run.info["dataset"])
        calibration_set = draw_calibration_set(calibration, run.contract)
    elif calibration is not None:
        raise InputError("a calibration dataset is for the int8 export of a float run; leave --data out")
    origin = {"weights_sha256": run.weights_sha256}
    data, contract = convert(run.load_model(), run.contract, kind, io, run.quantized, calibration_set, origin)
    if calibration is not None:
        data, contract = refit(data, contract, calibration)
    write_bytes(out, data)
    by = "" if kind != "int8" else "training" if run.quantized else "calibration"
    found_io = contract.provenance["export"]["io"]
    return ExportReport(out, hashlib.sha256(data).hexdigest(), len(data), kind, found_io, by, contract)


def convert(
    model: Any,
    contract: ModelContract,
    kind: str,
    io: str = "uint8",
    quantized: bool = False,
    calibration: CalibrationSet | None = None,
    provenance: dict[str, Any] | None = None,
) -> tuple[bytes, ModelContract]:
    """The bytes of the file, and the contract inside it.

    Args:
        model: tf_keras model; float32 input (N, size, size, 3), a list of outputs in the order ``contract.heads``.
        quantized: the model was trained with fake quantization (tfmot).
        calibration: needed for int8 unless ``quantized``.
        provenance: more to remember about the export.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind!r}; choose from: {', '.join(KINDS)}")
    if io not in IO_TYPES:
        raise InputError(f"unknown io type {io!r}; choose from: {', '.join(IO_TYPES)}")
    if quantized and kind != "int8":
        raise InputError(f"a run quantized in training is exported as int8; export the float run as {kind}")
    io = io if kind == "int8" else "float32"
    raw = to_tflite(model, contract, kind, io, None if calibration is None else calibration.inputs)
    if kind == "int8":
        _check_int8(raw, contract, io)
    export: dict[str, Any] = {"kind": kind, "io": io, "versions": _versions(), **(provenance or {})}
    extra: dict[str, Any] = {"export": export}
    if calibration is not None:
        extra["calibration_set"] = calibration.provenance()
    final = contract.replace(outputs=read_signature(raw).outputs, provenance={**contract.provenance, **extra})
    return embed(raw, final), final


def to_tflite(model: Any, contract: ModelContract, kind: str, io: str, calibration: np.ndarray | None) -> bytes:
    """TensorFlow's conversion alone, without contract or metadata."""
    from ..models.keras import tf

    size = contract.input.size

    @tf.function(input_signature=[tf.TensorSpec((1, size, size, 3), tf.float32, name="image")])  # type: ignore[untyped-decorator]
    def serve(image: Any) -> dict[str, Any]:
        outputs = model(image, training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        return dict(zip(contract.heads, outputs, strict=True))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], model)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "dynamic-int8":
        # Per-channel dense weights are newer than the runtimes on many phones (and tflite-runtime 2.14) know.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        if calibration is not None:
            converter.representative_dataset = lambda: ([image[None]] for image in calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    with _stderr_kept_back() as messages:
        try:
            return bytes(converter.convert())
        except (ValueError, RuntimeError, tf.errors.OpError) as error:
            raise RuntimeFailure(f"TensorFlow could not convert the model to {kind}: {error}\n{messages()}") from None


def _check_int8(data: bytes, contract: ModelContract, io: str) -> None:
    left = float_leftovers(data, float_io=io == "float32")
    if left:
        raise ModelFileError("float operations are left in the int8 file: " + "; ".join(left))
    steps = input_byte_error(data, contract.input)
    if steps > 1.0:
        raise ModelFileError(
            f"the file's input scale and zero point put a pixel up to {steps:.1f} steps from where the contract "
            f"(mean {contract.input.mean:g}, std {contract.input.std:g}) puts it; the training or calibration images "
            "never reached black or white"
        )


def _versions() -> dict[str, str]:
    names = ("tensorflow", "tf-keras", "tensorflow-model-optimization")
    return {"fermobile": __version__, **{name: importlib.metadata.version(name) for name in names}}


@contextmanager
def _stderr_kept_back() -> Iterator[Any]:
    """Hold back what TensorFlow's C++ writes to stderr on every conversion; ``messages()`` reads it."""
    import tempfile

    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)

        def messages() -> str:
            held.seek(0)
            return held.read().decode(errors="replace")[-2000:]

        try:
            yield messages
        finally:
            os.dup2(saved, 2)
            os.close(saved)
