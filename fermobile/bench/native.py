"""The ``native`` runner: TensorFlow Lite's own ``benchmark_model`` in the device's shell, its log read.

It answers the runner protocol, so that a leg is measured as any other.  Its limits are told in the row: it times the
inference alone, without copying the input in and the outputs back, and it tells no single latencies, so a sample is
the median of a few inferences in a process of its own (their mean, where an older binary tells no median).
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .adb import NOT_FOUND, Device
from .link import LegFailed, LegUnsupported

WARNING = (
    "benchmark_model times the inference alone, and tells no single latencies: a sample is the median of "
    "a few inferences in a process of its own"
)

#: Inferences that make a sample, and those before them in the same process.
_RUNS, _WARMUP = 5, 3

_TIMINGS = re.compile(r"Inference timings in us: Init: (?P<init>[\d.e+]+), First inference: (?P<first>[\d.e+]+)")
_REPLACED = re.compile(
    r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\) node, yielding (\d+) partitions"
)
_PEAK = re.compile(r"Overall peak memory footprint \(MB\) via periodic monitoring: ([\d.]+)")
_FLAGS = {"cpu": ["--use_xnnpack=true"], "gpu": ["--use_gpu=true"], "nnapi": ["--use_nnapi=true"]}


@dataclass(frozen=True)
class Log:
    """What one run of benchmark_model told: times in nanoseconds and milliseconds, nodes, and who took them.

    ``actual`` is the delegate that the log names, "cpu" where it names none; counts are None where not told.
    """

    sample_ns: int
    init_ms: float
    first_ms: float
    actual: str
    nodes: int | None
    nodes_delegated: int | None
    partitions: int | None
    peak_mb: float | None


def read_log(text: str) -> Log:
    """The figures in a log of benchmark_model.

    Raises:
        LegFailed: it holds none, so the run did not end well.
    """
    timings = _TIMINGS.search(text)
    statistics = [dict(re.findall(r"(\w+)=([\d.e+]+)", line)) for line in text.splitlines() if "count=" in line]
    if timings is None or not statistics:
        raise LegFailed(f"benchmark_model told no timings: {_last(text)}")
    last = statistics[-1]  # those before it are of the warm-up
    typical = last.get("median") or last.get("avg") or last["curr"]
    replaced = _REPLACED.findall(text)
    refused = re.search(r"Though (\w+) delegate is explicitly applied, the model graph will not be executed", text)
    delegated = sum(int(taken) for taken, _, _, _ in replaced)
    named = " + ".join(dict.fromkeys(_named(name) for taken, _, name, _ in replaced if int(taken)))
    applied = re.search(r"Explicitly applied (\w+) delegate", text)
    peak = _PEAK.search(text)
    return Log(
        sample_ns=round(float(typical) * 1e3),
        init_ms=float(timings["init"]) / 1e3,
        first_ms=float(timings["first"]) / 1e3,
        actual=named or (applied[1].lower() if applied and not refused else "cpu (built-in kernels)"),
        nodes=int(replaced[0][1]) if replaced else None,
        nodes_delegated=delegated if replaced else 0 if refused else None,
        partitions=int(replaced[-1][3]) if replaced else None,
        peak_mb=float(peak[1]) * 1.048576 if peak else None,
    )


def _named(delegate: str) -> str:
    known = {"TfLiteXNNPackDelegate": "cpu (XNNPACK)", "TfLiteGpuDelegateV2": "gpu", "TfLiteNnapiDelegate": "nnapi"}
    return known.get(delegate, delegate)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "error:")) or "not found" in line]
    return (errors or lines or ["it said nothing"])[-1][:200]


@dataclass(frozen=True)
class Tensors:
    """What benchmark_model cannot tell of a file: its input's name, shape and bytes, its outputs as rows tell them."""

    input_name: str
    input_shape: Sequence[int]
    input_bytes: int
    outputs: Sequence[dict[str, Any]]


class NativeLink:
    """A binary and a model on a device; answers what a runner answers.

    Args:
        device: where both lie.
        binary: benchmark_model on the device.
        folder: a folder on the device for this run.
        tensors: of the model.
    """

    def __init__(self, device: Device, binary: str, folder: str, tensors: Tensors) -> None:
        self._device, self._binary, self._folder, self._tensors = device, binary, folder, tensors
        self._flags: list[str] = []
        self._peak: float | None = None

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Do what a runner does with this command.

        Raises:
            LegUnsupported: the binary cannot do it, or the delegate took nothing.
            LegFailed: it did not end well.
        """
        values = {name: value for name, value in command.items() if name != "do"}
        if command["do"] == "quit":
            return {"bye": True}
        answered: dict[str, Any] = getattr(self, f"_{command['do']}")(timeout=timeout, **values)
        return answered

    def close(self, timeout: float = 20.0) -> None:
        """Nothing runs between two questions."""

    def kill(self) -> None:
        """Nothing runs between two questions."""

    def saves_outputs(self) -> bool:
        """Whether this binary can write outputs, without which there are no predictions."""
        said = self._device.run(self._binary, "--help")
        return "output_filepath" in said.output + said.errors

    def _open(self, timeout: float, model: str, delegate: str, threads: int, **_: Any) -> dict[str, Any]:
        self._flags = [f"--graph={model}", f"--num_threads={threads}", *_FLAGS[delegate]]
        log = self._run(timeout, "--num_runs=1", "--report_peak_memory_footprint=true")
        if log.nodes_delegated == 0 and delegate != "cpu":
            raise LegUnsupported(f"the {delegate} delegate takes none of the file's nodes")
        self._peak = log.peak_mb
        return {
            "init_ms": log.init_ms, "first_ms": log.first_ms, "outputs": list(self._tensors.outputs),
            "actual": log.actual, "nodes": log.nodes, "nodes_delegated": log.nodes_delegated,
            "partitions": log.partitions,
        }  # fmt: skip

    def _measure(self, timeout: float, seconds: float, count: int, **_: Any) -> dict[str, Any]:
        samples, end = list[int](), time.monotonic() + seconds
        while len(samples) * _RUNS < count or time.monotonic() < end:
            samples.append(self._run(timeout, f"--num_runs={_RUNS}", f"--warmup_runs={_WARMUP}").sample_ns)
        return {"ns": samples}

    def _predict(self, timeout: float, faces: str, out: str, **_: Any) -> dict[str, Any]:
        """One process per face, in a loop on the device; ``faces`` holds what the input tensor takes."""
        t, one, answer = self._tensors, f"{self._folder}/face", f"{self._folder}/answer"
        name = t.input_name.replace(":", "::")  # a colon separates name and file
        shape = ",".join(map(str, t.input_shape))
        words = shlex.join([
            self._binary, *self._flags, "--num_runs=1", "--warmup_runs=0", "--min_secs=0", "--warmup_min_secs=0",
            f"--input_layer={name}", f"--input_layer_shape={shape}", f"--input_layer_value_files={name}:{one}",
            f"--output_filepath={answer}",
        ])  # fmt: skip
        quoted = {key: shlex.quote(value) for key, value in (("f", faces), ("o", out), ("one", one), ("a", answer))}
        script = (
            f": >{quoted['o']}; n=$(($(wc -c <{quoted['f']}) / {t.input_bytes})); i=0; "
            f"while [ $i -lt $n ]; do dd if={quoted['f']} of={quoted['one']} bs={t.input_bytes} skip=$i count=1 "
            f"2>/dev/null && rm -f {quoted['a']} && {words} >{quoted['one']}.log 2>&1 && "
            f"cat {quoted['a']} >>{quoted['o']} || {{ tail -n 3 {quoted['one']}.log; exit 1; }}; "
            "i=$((i + 1)); done; echo $n"
        )
        began = time.monotonic()
        said = self._device.run("sh", "-c", script, timeout=timeout)
        if said.status != 0:
            raise LegFailed(f"benchmark_model gave no outputs: {said.reason}")
        return {"n": int(said.output.split()[-1]), "seconds": time.monotonic() - began}

    def _state(self, **_: Any) -> dict[str, Any]:
        return {"peak_mb": self._peak, "temperature": None, "load": None}

    def _run(self, timeout: float, *flags: str) -> Log:
        said = self._device.run(self._binary, *self._flags, *flags, "--min_secs=0", timeout=timeout)
        text = f"{said.output}\n{said.errors}"
        if said.status == NOT_FOUND or "Permission denied" in text or "not executable" in text:
            raise LegUnsupported(f"benchmark_model does not start on the device: {_last(text)}")
        if said.status != 0:
            refused = re.search(r"(?i)failed to (create|apply) .*delegate|Can't load", text)
            raise (LegUnsupported if refused else LegFailed)(f"benchmark_model: {_last(text)} (status {said.status})")
        return read_log(text)
