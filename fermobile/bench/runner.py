#!/usr/bin/env python3
"""The ``python`` runner: one file that measures a .tflite where it is started, and needs only numpy and a runtime.

It is carried to Linux-ARM boards and phones (Termux) and run there by itself; on a desktop the same file is started
from where it lies.  It reads one JSON object per line on stdin, and answers each with one line on stdout that begins
with ``@fermobile ``; whatever else appears on stdout is somebody's chatter.  docs/benchmark-protocol.md describes it.

=========  =====================================================  =====================================================
command    takes                                                  answers
=========  =====================================================  =====================================================
open       model, runtime, delegate, threads, mean, std           init_ms, first_ms, inputs, outputs, actual, nodes, …
measure    seconds, count (at least), faces                       ns: one latency per inference, nanoseconds
predict    faces, out, workers                                    n, seconds; out holds every face's raw outputs
state      –                                                      peak_mb, temperature (°C or null), load
quit       –                                                      bye: true, the sentinel
=========  =====================================================  =====================================================

``faces`` is a file of aligned uint8 RGB crops of the model's size, one after the other; a model whose input has one
channel gets their grey values.  An answer of ``{"error": kind, "reason": text}`` has kind "unsupported" (not to be had
here) or "failed".
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

MARK = "@fermobile "
PROTOCOL = 1
CHUNK = 256  # crops held in memory at a time


#: runtime -> (module, distribution)
MODULES = {
    "ai-edge-litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
    "tf.lite": ("tensorflow.lite.python.interpreter", "tensorflow"),
}
#: Shared libraries with which a delegate is loaded from outside; none is part of a Python package.
LIBRARIES = {"gpu": "libtensorflowlite_gpu_delegate.so", "nnapi": "libnnapi_delegate.so"}


class Unsupported(Exception):
    """What was asked for cannot be had on this machine."""


class Backend(Protocol):
    """A model loaded in one runtime; ``loaded`` is when the runtime's own import was over."""

    loaded: int
    version: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    nodes: int | None
    partitions: int | None
    actual: str

    def run(self, tensor: np.ndarray) -> list[np.ndarray]: ...


class Interpreters:
    """A TFLite interpreter; ai-edge-litert, tflite-runtime and tf.lite carry the same class."""

    def __init__(self, model: str, runtime: str, delegate: str, threads: int) -> None:
        name, distribution = MODULES[runtime]
        module = imported(name)
        self.version = importlib.metadata.version(distribution)
        self.loaded = time.perf_counter_ns()
        delegates = []
        if delegate != "cpu":
            library = LIBRARIES[delegate]
            try:
                delegates = [module.load_delegate(library)]
            except (OSError, ValueError, RuntimeError) as error:
                raise Unsupported(f"the {delegate} delegate {library} does not load: {error}") from None
        self._interpreter = module.Interpreter(
            model_path=model, num_threads=threads, experimental_delegates=delegates or None
        )
        self._interpreter.allocate_tensors()
        self.inputs = [described(d) for d in self._interpreter.get_input_details()]
        self.outputs = [described(d) for d in self._interpreter.get_output_details()]
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]
        ops = [op["op_name"] for op in self._interpreter._get_ops_details()]
        self.partitions: int | None = ops.count("DELEGATE")
        self.nodes: int | None = len(ops) - ops.count("DELEGATE")
        self.actual = delegate if delegates else "cpu (XNNPACK)" if self.partitions else "cpu (built-in kernels)"

    def run(self, tensor: np.ndarray) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class Compiled:
    """LiteRT's CompiledModel: buffers made once, the accelerator chosen when it is compiled."""

    def __init__(self, model: str, runtime: str, delegate: str, threads: int) -> None:
        module = imported("ai_edge_litert.compiled_model")
        options = imported("ai_edge_litert.options")
        cpu = imported("ai_edge_litert.cpu_options")
        accelerators = imported("ai_edge_litert.hardware_accelerator").HardwareAccelerator
        self.version = importlib.metadata.version("ai-edge-litert")
        self.loaded = time.perf_counter_ns()
        if delegate not in ("cpu", "gpu"):
            raise Unsupported(f"LiteRT's CompiledModel has no {delegate} accelerator")
        wanted = accelerators.CPU if delegate == "cpu" else accelerators.GPU
        chosen = options.Options(hardware_accelerators=wanted, cpu_options=cpu.CpuOptions(num_threads=threads))
        try:
            self._model = module.CompiledModel.from_file(model, options=chosen)
        except RuntimeError as error:
            if delegate == "cpu":
                raise
            raise Unsupported(f"LiteRT's GPU accelerator does not start: {error}") from None
        signature = next(iter(self._model.get_signature_list()))
        names = self._model.get_signature_list()[signature]
        self.inputs = [described(self._model.get_input_tensor_details(signature)[n]) for n in names["inputs"]]
        self.outputs = [described(self._model.get_output_tensor_details(signature)[n]) for n in names["outputs"]]
        self._ins = self._model.create_input_buffers(0)
        self._outs = self._model.create_output_buffers(0)
        self._reads = [(int(np.prod(o["shape"])), np.dtype(o["dtype"]), o["shape"]) for o in self.outputs]
        self.nodes: int | None = None
        self.partitions: int | None = None
        self.actual = "cpu (XNNPACK)" if delegate == "cpu" else "gpu"
        if delegate == "gpu" and not self._model.is_fully_accelerated():
            self.actual = "gpu, in part"

    def run(self, tensor: np.ndarray) -> list[np.ndarray]:
        self._ins[0].write(tensor)
        self._model.run_by_index(0, self._ins, self._outs)
        return [b.read(n, dtype).reshape(shape) for b, (n, dtype, shape) in zip(self._outs, self._reads, strict=True)]


class Keras:
    """The Keras model of a run folder, on a machine that has fermobile and TensorFlow."""

    def __init__(self, model: str, runtime: str, delegate: str, threads: int) -> None:
        tf = imported("tensorflow")
        runs = imported("fermobile.training.runs")
        self.version = importlib.metadata.version("tensorflow")
        self.loaded = time.perf_counter_ns()
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        if delegate not in ("cpu", "gpu"):
            raise Unsupported(f"Keras has no {delegate} delegate")
        if delegate == "gpu" and not tf.config.list_physical_devices("GPU"):
            raise Unsupported("TensorFlow finds no CUDA GPU")
        self._device = "/GPU:0" if delegate == "gpu" else "/CPU:0"
        self._tf = tf
        run = runs.Run.open(model)
        size = run.contract.input.size
        with tf.device(self._device):
            keras = run.load_model()
            self._call = tf.function(
                lambda x: keras(x, training=False), input_signature=[tf.TensorSpec((1, size, size, 3), tf.float32)]
            )
        self.inputs = [{"name": "image", "shape": [1, size, size, 3], "dtype": "float32", "scale": 0, "zero_point": 0}]
        self.outputs = [
            {"name": h, "shape": [1, len(run.contract.labels(h))], "dtype": "float32", "scale": 0, "zero_point": 0}
            for h in run.contract.heads
        ]
        self.nodes: int | None = None
        self.partitions: int | None = None
        self.actual = "gpu (CUDA)" if delegate == "gpu" else "cpu"

    def run(self, tensor: np.ndarray) -> list[np.ndarray]:
        with self._tf.device(self._device):
            outputs = self._call(self._tf.constant(tensor))
        return [o.numpy() for o in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


BACKENDS: dict[str, Callable[..., Backend]] = {
    "ai-edge-litert": Interpreters,
    "tflite-runtime": Interpreters,
    "tf.lite": Interpreters,
    "litert-compiled-model": Compiled,
    "keras": Keras,
}


def imported(name: str) -> Any:
    """A module, or Unsupported."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a wheel for another numpy or libc fails in many ways
        raise Unsupported(f"{name} cannot be imported: {type(error).__name__}: {error}") from None


def described(details: dict[str, Any]) -> dict[str, Any]:
    """A tensor as the protocol tells it; ``scale`` is 0 where it is not quantized."""
    scale, zero_point = details.get("quantization") or (0.0, 0)
    return {
        "name": str(details["name"]), "shape": [int(n) for n in details["shape"]],
        "dtype": np.dtype(details["dtype"]).name, "scale": float(scale), "zero_point": int(zero_point),
    }  # fmt: skip


class Runner:
    """One model on one runtime; the commands of the protocol are its methods."""

    def __init__(self) -> None:
        self._ticks: tuple[int, int] | None = None

    def open(self, model: str, runtime: str, delegate: str, threads: int, mean: float, std: float) -> dict[str, Any]:
        if runtime not in BACKENDS:
            raise Unsupported(f"unknown runtime {runtime!r}; this runner knows: {', '.join(BACKENDS)}")
        self._make: Callable[[], Backend] = lambda: BACKENDS[runtime](model, runtime, delegate, threads)
        self._backend = self._make()
        ready = time.perf_counter_ns()
        shape, dtype = self._backend.inputs[0]["shape"], self._backend.inputs[0]["dtype"]
        self._shape, self._mean, self._std = tuple(shape[1:]), mean, std
        self._dtype = np.dtype(dtype)
        tensor = self._tensor(np.zeros((*self._shape[:2], 3), np.uint8))
        begun = time.perf_counter_ns()
        self._backend.run(tensor)
        done = time.perf_counter_ns()
        b = self._backend
        return {
            "protocol": PROTOCOL, "init_ms": (ready - self._backend.loaded) / 1e6, "first_ms": (done - begun) / 1e6,
            "inputs": b.inputs, "outputs": b.outputs, "actual": b.actual, "nodes": b.nodes,
            "partitions": b.partitions, "version": b.version, "python": platform.python_version(),
            "machine": platform.machine(), "cores": os.cpu_count(),
        }  # fmt: skip

    def measure(self, seconds: float, count: int, faces: str) -> dict[str, Any]:
        """Time inferences until both ``seconds`` and ``count`` are reached; crops in turn, from the first 256."""
        tensors = [self._tensor(face) for face in self._faces(faces)[:CHUNK]]
        run, clock = self._backend.run, time.perf_counter_ns
        samples, end, i = list[int](), clock() + int(seconds * 1e9), 0
        while len(samples) < count or clock() < end:
            tensor = tensors[i % len(tensors)]
            start = clock()
            run(tensor)
            samples.append(clock() - start)
            i += 1
        return {"ns": samples}

    def predict(self, faces: str, out: str, workers: int) -> dict[str, Any]:
        """Every face's outputs, raw bytes one output after the other, in the faces' order, whatever ``workers``."""
        images, start = self._faces(faces), time.perf_counter()
        results, errors = [b""] * len(images), list[Exception]()

        def work(backend: Backend, first: int) -> None:
            try:
                for i in range(first, len(images), workers):
                    results[i] = b"".join(o.tobytes() for o in backend.run(self._tensor(images[i])))
            except Exception as error:
                errors.append(error)

        backends = [self._backend, *(self._make() for _ in range(workers - 1))]
        threads = [threading.Thread(target=work, args=pair) for pair in zip(backends, range(workers), strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        seconds = time.perf_counter() - start
        with open(out, "wb") as stream:  # noqa: PTH123 - this file keeps to what the oldest Python it may meet, 3.10, has
            stream.write(b"".join(results))
        return {"n": len(images), "seconds": seconds}

    def state(self) -> dict[str, Any]:
        """``load`` is of the time since the last call; of a quarter of a second, without work of ours, at the first."""
        if self._ticks is None:
            self._ticks = processor_ticks()
            time.sleep(0.25)
        before, self._ticks = self._ticks, processor_ticks()
        spent = [b - a for a, b in zip(before or (), self._ticks or (), strict=False)]
        load = None if not spent or spent[1] == 0 else spent[0] / spent[1] * (os.cpu_count() or 1)
        return {"peak_mb": peak_mb(), "temperature": temperature(), "load": load}

    def _faces(self, path: str) -> np.ndarray:
        return np.memmap(path, np.uint8, "r").reshape(-1, *self._shape[:2], 3)

    def _tensor(self, face: np.ndarray) -> np.ndarray:
        if self._shape[2] == 1:
            face = grey(face)
        if self._dtype == np.uint8:
            return np.ascontiguousarray(face[None])
        if self._dtype == np.int8:
            return (face[None] ^ np.uint8(128)).view(np.int8)
        return (face[None].astype(np.float32) - np.float32(self._mean)) / np.float32(self._std)


def grey(face: np.ndarray) -> np.ndarray:
    """The grey values of uint8 RGB (H, W, 3) by ITU-R BT.601, in the integers of OpenCV: uint8 (H, W, 1)."""
    total = face.astype(np.int32) @ np.array([[9798], [19235], [3735]], np.int32)
    return ((total + (1 << 14)) >> 15).astype(np.uint8)


def peak_mb() -> float | None:
    """Largest resident memory of this process, 10**6 bytes; None where the system does not tell."""
    try:
        with open("/proc/self/status") as stream:  # noqa: PTH123
            return next(int(line.split()[1]) * 1.024e-3 for line in stream if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


def processor_ticks() -> tuple[int, int] | None:
    """(busy, all) time of all processors together since the system started; None where the system does not tell."""
    try:
        with open("/proc/stat") as stream:  # noqa: PTH123
            ticks = [int(field) for field in stream.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # the fourth is idle, the fifth waits for a disk


def temperature() -> float | None:
    """The hottest thermal zone in °C; None where there is none."""
    found, root = [], "/sys/class/thermal"
    for zone in os.listdir(root) if os.path.isdir(root) else []:  # noqa: PTH112, PTH208
        try:
            with open(f"{root}/{zone}/temp") as stream:  # noqa: PTH123
                found.append(int(stream.read()) / 1000)
        except (OSError, ValueError):
            continue
    plausible = [t for t in found if 0 < t < 150]
    return max(plausible) if plausible else None


def answer(runner: Runner, line: str) -> dict[str, Any]:
    """The reply to one command line."""
    try:
        command = json.loads(line)
        verb = command.pop("do")
        if verb != "open" and not hasattr(runner, "_backend"):
            raise ValueError("no model is open")
        if verb not in ("open", "measure", "predict", "state"):
            raise ValueError(f"unknown command {verb!r}")
        replied: dict[str, Any] = getattr(runner, verb)(**command)
        return replied
    except Unsupported as error:
        return {"error": "unsupported", "reason": str(error)}
    except Exception as error:
        return {"error": "failed", "reason": f"{type(error).__name__}: {error}"}


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    runner = Runner()
    for line in sys.stdin:
        if json.loads(line).get("do") == "quit":
            break
        sys.stdout.write(f"{MARK}{json.dumps(answer(runner, line))}\n")
        sys.stdout.flush()
    sys.stdout.write(f'{MARK}{{"bye": true}}\n')
    sys.stdout.flush()


if __name__ == "__main__":
    main()
