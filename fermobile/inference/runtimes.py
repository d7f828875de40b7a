"""The TFLite runtimes behind one protocol: a tensor in, tensors out.

===================  =====================  ==========================================================
name                 package                notes
===================  =====================  ==========================================================
``ai-edge-litert``   ai-edge-litert         the default and the reference; XNNPACK also for int8
``tflite-runtime``   tflite-runtime         built-in int8 kernels: slower, scores differ by some LSB
``tf.lite``          tensorflow             imported only when asked for
===================  =====================  ==========================================================
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import FermobileError, InputError, RuntimeFailure, needs_extra
from ..stderr import silenced_stderr

if TYPE_CHECKING:  # the command line's help lists RUNTIMES, and must not load numpy for it
    import numpy as np


@dataclass(frozen=True)
class _Package:
    module: str
    distribution: str
    extra: str


_PACKAGES: Mapping[str, _Package] = {
    "ai-edge-litert": _Package("ai_edge_litert.interpreter", "ai-edge-litert", "all"),
    "tflite-runtime": _Package("tflite_runtime.interpreter", "tflite-runtime", "tflite"),
    "tf.lite": _Package("tensorflow.lite.python.interpreter", "tensorflow", "train"),
}

#: Names that ``open_runtime`` takes, the default first.
RUNTIMES = tuple(_PACKAGES)

#: The smallest valid model: one float32 value through one RELU; written by tests/models_util.py.
_MINIMAL = Path(__file__).with_name("minimal.tflite")


@dataclass(frozen=True)
class TensorSpec:
    """An input or output tensor; ``scale`` is 0 where it is not quantised: real = (q - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Runtime(Protocol):
    """One model in one interpreter; not to be used by two threads at once."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def inputs(self) -> list[TensorSpec]: ...
    @property
    def outputs(self) -> list[TensorSpec]: ...

    def invoke(self, tensor: np.ndarray) -> list[np.ndarray]:
        """Run the model on its (only) input; raw outputs in the file's order, the caller's to keep.

        Raises:
            RuntimeFailure: the interpreter reported an error.
        """
        ...


def open_runtime(data: bytes, name: str = "ai-edge-litert", threads: int = 1) -> Runtime:
    """Construct an interpreter of a runtime for a model that ``check_tflite`` has passed.

    Raises:
        InputError: the runtime's name is unknown, or its package is not installed.
        RuntimeFailure: the interpreter refuses the model.
    """
    if name not in _PACKAGES:
        raise InputError(f"unknown runtime {name!r}; choose from: {', '.join(RUNTIMES)}")
    return _InterpreterRuntime(data, name, threads)


def available_runtimes() -> Mapping[str, str | None]:
    """For each runtime None, or why it cannot be used here.

    Found by running a model: tflite-runtime imports well beside numpy 2 and fails when an interpreter is
    constructed.  Each is tried in a process of its own, so that one that crashes is only a reason.
    """
    return {name: _why_unusable(name) for name in RUNTIMES}


def refuse_unusable(name: str) -> None:
    """Blame a failure on the runtime where it cannot run even the smallest model.

    Raises:
        InputError: it cannot; says why, and which runtimes work here.
    """
    if _why_unusable(name) is None:
        return
    states = [f"  {n}: {'works here' if why is None else why}" for n, why in available_runtimes().items()]
    raise InputError("\n".join([f"the runtime {name} cannot be used here; choose one that can:", *states]))


@functools.cache
def _why_unusable(name: str) -> str | None:
    from .probe import try_in_child  # it runs this module

    try:
        try_in_child(_MINIMAL.read_bytes(), name)
    except FermobileError as error:
        return str(error)
    return None


class _InterpreterRuntime:
    """The three packages carry the same Interpreter class."""

    def __init__(self, data: bytes, name: str, threads: int) -> None:
        package = _PACKAGES[name]
        self.name = name
        with silenced_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf.lite announces its own end with each interpreter
            with needs_extra(package.extra):
                module = importlib.import_module(package.module)
            self.version = importlib.metadata.version(package.distribution)
            try:
                self._interpreter = module.Interpreter(model_content=data, num_threads=threads)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError, MemoryError) as error:
                raise RuntimeFailure(f"{name} {self.version} refuses the model: {error}") from None
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1:
            raise InputError(f"the model has {len(inputs)} inputs; a face model has one")
        self.inputs, self.outputs = [_spec(d) for d in inputs], [_spec(d) for d in outputs]
        self._input: int = inputs[0]["index"]
        self._output_indices: list[int] = [d["index"] for d in outputs]

    def invoke(self, tensor: np.ndarray) -> list[np.ndarray]:
        interpreter = self._interpreter
        try:
            interpreter.set_tensor(self._input, tensor)
            interpreter.invoke()
            return [interpreter.get_tensor(i) for i in self._output_indices]
        except (ValueError, RuntimeError) as error:
            raise RuntimeFailure(f"{self.name} {self.version} failed while running the model: {error}") from None


def _spec(details: dict[str, Any]) -> TensorSpec:
    import numpy as np

    scale, zero_point = details["quantization"]
    shape = tuple(int(n) for n in details["shape"])
    return TensorSpec(details["name"], shape, np.dtype(details["dtype"]), float(scale), int(zero_point))
