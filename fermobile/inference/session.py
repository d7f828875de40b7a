"""A model file ready to read faces: uint8 RGB crop in, calibrated scores out.

``Session.run`` must cost next to nothing beside the interpreter, so all that depends on the file alone is
worked out when it is opened; quantised outputs are turned into scores by a table of 256 values.  For a dozen
numbers, and with the caches full of the model's weights, plain Python is three times faster than numpy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..contract import InputSpec, ModelContract
from ..data.images import normalise, resize_square
from ..errors import ContractError, FermobileError, ModelFileError
from .modelfile import ModelFile, load_model_file
from .probe import try_in_child
from .runtimes import Runtime, TensorSpec, open_runtime, refuse_unusable

#: The model that ``predict`` uses when none is named.
DEFAULT_MODEL = Path(__file__).resolve().parents[1] / "assets" / "fer_mobilenet_v1_int8.tflite"

# The integers of a file's input may sit this many steps beside the contract's (zero points are whole numbers,
# and quantisation-aware training moves the range a little); another range, such as [0, 1], is off by over 100.
_INPUT_TOLERANCE = 4.0


class Scores(NamedTuple):
    """What the model says about one face.

    Attributes:
        emotion: calibrated probabilities, float32 (C,) in the contract's order; None without that head.
        au: score per action unit in [0, 1], float32 (A,); None without that head.
        milliseconds: from the crop to the scores.
    """

    emotion: np.ndarray | None
    au: np.ndarray | None
    milliseconds: float


class _Head(NamedTuple):
    """An output tensor: its head, its raw values as real numbers (1, N), and as calibrated scores (N,)."""

    name: str
    real: Callable[[np.ndarray], np.ndarray]
    scores: Callable[[np.ndarray], np.ndarray]


class Session:
    """One model in one interpreter; not to be used by two threads at once (``predict`` makes its own)."""

    def __init__(self, file: ModelFile, runtime: str = "ai-edge-litert", threads: int = 1) -> None:
        self.file = file
        self.contract = file.contract
        self.sha256 = file.sha256
        self.threads = threads
        self.runtime: Runtime = open_runtime(file.data, runtime, threads)
        try:
            self._prepare = _input_maker(self.runtime.inputs[0], self.contract.input)
            self._heads = output_heads(self.contract, self.runtime.outputs)
        except ContractError as error:
            raise ContractError(f"{file.path}: {error}") from None
        self._size = self.contract.input.size

    @classmethod
    def open(cls, path: Path | str, runtime: str = "ai-edge-litert", threads: int = 1) -> Session:
        """Read, check and load a model file; a file that is not the shipped one is tried in a child process first.

        Raises:
            ModelFileError: the file is missing, damaged or not a ``.tflite``.
            ContractError: it has no contract, or its tensors do not fit the contract.
            InputError: the runtime is unknown or cannot be used here.
            RuntimeFailure: the interpreter refuses it, or crashed on it.
        """
        path = Path(path)
        if path == DEFAULT_MODEL and not path.exists():
            raise ModelFileError(
                f"the model shipped with fermobile is not in this installation ({path}); name one with --model"
            )
        file = load_model_file(path)
        try:
            if path != DEFAULT_MODEL:
                try_in_child(file.data, runtime)
            return cls(file, runtime, threads)
        except ContractError:
            raise
        except FermobileError:
            refuse_unusable(runtime)
            raise

    def prepare(self, face: np.ndarray) -> np.ndarray:
        """The raw input tensor (1, size, size, 3) of a face crop, uint8 RGB (H, W, 3) of any size."""
        return self._prepare(resize_square(face, self._size))

    def run(self, face: np.ndarray) -> Scores:
        """Scores of one aligned face crop, uint8 RGB (H, W, 3) of any size.

        Raises:
            RuntimeFailure: the interpreter failed.
        """
        start = perf_counter()
        raw = self.runtime.invoke(self.prepare(face))
        scores = {head.name: head.scores(tensor) for head, tensor in zip(self._heads, raw, strict=True)}
        return Scores(scores.get("emotion"), scores.get("au"), 1e3 * (perf_counter() - start))

    def run_tensor(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """Each head's scores for a raw input tensor: float32 (1, labels), dequantised, *not* calibrated."""
        raw = self.runtime.invoke(tensor)
        return {head.name: head.real(t) for head, t in zip(self._heads, raw, strict=True)}

    def predict(self, faces: Iterable[np.ndarray], workers: int = 1) -> dict[str, np.ndarray]:
        """The scores that ``run`` gives for many faces: float32 (N, labels) per head, in the faces' order.

        Args:
            faces: crops, uint8 RGB (H, W, 3); taken one at a time as they are needed.
            workers: interpreters that share the work, one thread each; the scores do not depend on it.
        """
        sessions = [self, *(Session(self.file, self.runtime.name, self.threads) for _ in range(workers - 1))]
        results: dict[int, Scores] = {}
        source, lock = enumerate(faces), threading.Lock()

        def work(session: Session) -> None:
            while True:
                with lock:  # a generator must not be entered twice
                    item = next(source, None)
                if item is None:
                    return
                results[item[0]] = session.run(item[1])

        if workers == 1:
            work(self)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, sessions))
        return {head: self._stack(head, results) for head in self.contract.heads}

    def _stack(self, head: str, results: dict[int, Scores]) -> np.ndarray:
        if not results:
            return np.empty((0, len(self.contract.labels(head))), np.float32)
        return np.stack([getattr(results[i], head) for i in range(len(results))])


def _input_maker(tensor: TensorSpec, spec: InputSpec) -> Callable[[np.ndarray], np.ndarray]:
    """The function from a crop of the right size to the input tensor, after checking tensor against contract."""
    if tensor.shape != (1, spec.size, spec.size, 3):
        raise ContractError(
            f"the contract says an input of (1, {spec.size}, {spec.size}, 3), the file's input is {tensor.shape}"
        )
    if tensor.dtype == np.float32:
        return lambda face: normalise(face, spec)[None]
    if tensor.dtype not in (np.uint8, np.int8):
        raise ContractError(f"the file's input is {tensor.dtype}; a face model takes float32, uint8 or int8")
    _check_range(tensor, spec)
    if tensor.dtype == np.uint8:
        return lambda face: face[None]
    # pixel - 128 as int8 is the pixel with its highest bit turned over.
    return lambda face: (face ^ np.uint8(128)).view(np.int8)[None]


def _check_range(tensor: TensorSpec, spec: InputSpec) -> None:
    """Refuse a file whose integers 0..255 (or -128..127) do not stand for the contract's pixels 0..255."""
    lowest = np.iinfo(tensor.dtype).min
    for pixel in (0, 255):
        stands_for = (pixel + lowest - tensor.zero_point) * tensor.scale
        should_be = (pixel - spec.mean) / spec.std
        if not abs(stands_for - should_be) <= _INPUT_TOLERANCE * tensor.scale:
            raise ContractError(
                f"the file's input quantisation takes pixel {pixel} for {stands_for:.3f}, "
                f"the contract's mean {spec.mean:g} and std {spec.std:g} say {should_be:.3f}: export the model again"
            )


def output_heads(contract: ModelContract, outputs: list[TensorSpec]) -> list[_Head]:
    """The heads in the order of the output tensors, after checking tensors against contract."""
    names = contract.outputs or contract.heads
    if len(names) > 1 and not contract.outputs:
        raise ContractError("the contract does not say which output is which head: export the model again")
    if len(names) != len(outputs):
        raise ContractError(f"the contract names {len(names)} outputs, the file has {len(outputs)}")
    heads = []
    for name, tensor in zip(names, outputs, strict=True):
        labels = len(contract.labels(name))
        if tensor.shape != (1, labels):
            raise ContractError(f"the contract has {labels} labels for {name}, the file's output is {tensor.shape}")
        temperature = contract.temperature if name == "emotion" else 1.0
        heads.append(
            _float_head(name, temperature) if tensor.dtype == np.float32 else _table_head(name, tensor, temperature)
        )
    return heads


def _float_head(name: str, temperature: float) -> _Head:
    def calibrated(raw: np.ndarray) -> np.ndarray:
        powers = raw[0] ** np.float32(1.0 / temperature)
        return np.asarray(powers / (powers.sum() or 1.0))

    return _Head(name, lambda raw: raw, calibrated if temperature != 1.0 else lambda raw: raw[0])


def _table_head(name: str, tensor: TensorSpec, temperature: float) -> _Head:
    """A quantised output: each of its bytes is looked up."""
    if tensor.dtype not in (np.uint8, np.int8):
        raise ContractError(f"the output {tensor.name!r} is {tensor.dtype}; expected float32, uint8 or int8")
    if tensor.scale <= 0:
        raise ContractError(f"the output {tensor.name!r} is {tensor.dtype} without a scale")
    values = np.arange(256, dtype=np.uint8).view(tensor.dtype).astype(np.float32)  # by the byte that encodes them
    real = (values - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
    table: list[float] = real.tolist()
    powers: list[float] = (np.maximum(real, 0).astype(np.float64) ** (1.0 / temperature)).tolist()

    def plain(raw: np.ndarray) -> np.ndarray:
        return np.array([table[byte] for byte in raw.tobytes()], np.float32)

    def calibrated(raw: np.ndarray) -> np.ndarray:
        found = [powers[byte] for byte in raw.tobytes()]
        total = sum(found) or 1.0
        return np.array([power / total for power in found], np.float32)

    return _Head(name, lambda raw: real[raw.view(np.uint8)], calibrated if temperature != 1.0 else plain)
