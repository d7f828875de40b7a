"""TensorFlow Lite's benchmark_model as a runner: its log as real binaries write it, a stand-in on the device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from bench_util import BENCHMARK_MODEL

from fermobile.bench import adb
from fermobile.bench.link import LegFailed, LegUnsupported
from fermobile.bench.native import NativeLink, Tensors, read_log

GPU = """
INFO: STARTING!
INFO: Created TensorFlow Lite delegate for GPU.
VERBOSE: Replacing 49 out of 51 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 2 partitions for subgraph 0.
INFO: Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate w/ 1 kernels.
INFO: Initialized session in 5664.36ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=2 first=328140 curr=309932 min=309932 max=328140 avg=319036 std=9104 p5=309932 median=328140 p95=328140

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=50 first=307215 curr=309783 min=305938 max=333030 avg=309350 std=4411 p5=306372 median=307968 p95=315711

INFO: Inference timings in us: Init: 5664363, First inference: 328140, Warmup (avg): 319036, Inference (avg): 309350
INFO: Overall peak memory footprint (MB) via periodic monitoring: 93.2383
"""
OLD = """
Loaded model /data/local/tmp/m.tflite
INFO: Created TensorFlow Lite delegate for NNAPI.
Though NNAPI delegate is explicitly applied, the model graph will not be executed by the delegate.
count=1 curr=11403859

count=260 first=3918 curr=3711 min=3700 max=4026 avg=3756.87 std=35

Inference timings in us: Init: 13386, First inference: 11403859, Warmup (avg): 1.14039e+07, Inference (avg): 3756.87
"""

TENSORS = Tensors("image:0", (1, 2, 2, 3), 12, [{"name": "emotion", "shape": [1, 12], "dtype": "uint8"}])
OPEN = {"do": "open", "model": "m.tflite", "runtime": "benchmark_model", "delegate": "cpu", "threads": 1}


def test_log_of_a_gpu_run() -> None:
    log = read_log(GPU)
    assert (log.sample_ns, log.init_ms, log.first_ms) == (307_968_000, 5664.363, 328.14)
    assert (log.actual, log.nodes, log.nodes_delegated, log.partitions) == ("gpu", 51, 49, 2)
    assert log.peak_mb == pytest.approx(97.77, abs=0.01)


def test_log_of_an_older_binary_whose_delegate_took_nothing() -> None:
    log = read_log(OLD)
    assert log.sample_ns == 3_756_870 and log.nodes_delegated == 0 and log.actual == "cpu (built-in kernels)"


def test_log_of_a_run_that_failed() -> None:
    with pytest.raises(LegFailed, match="told no timings: ERROR: Failed to load"):
        read_log("INFO: STARTING!\nERROR: Failed to load graph\nBenchmarking failed.\n")


@pytest.fixture
def link(stand_in: Callable) -> NativeLink:
    device = stand_in()
    device.program("benchmark model", BENCHMARK_MODEL)
    return NativeLink(adb.Device(device.serial), "benchmark model", "", TENSORS)


def test_latencies(link: NativeLink) -> None:
    opened = link.ask(OPEN, 60)
    assert (opened["init_ms"], opened["first_ms"], opened["actual"]) == (1.5, 3.0, "cpu (XNNPACK)")
    assert link.ask({"do": "measure", "seconds": 0, "count": 15, "faces": "f"}, 60) == {"ns": [2_000_000] * 3}
    assert link.ask({"do": "quit"}, 60) == {"bye": True}


def test_predictions(link: NativeLink, stand_in: Callable) -> None:
    device = link._device
    faces = np.arange(36, dtype=np.uint8)
    with device.folder() as folder:
        link._folder = folder
        with open(f"{folder}/faces it's", "wb") as stream:  # noqa: PTH123 - the device's folder is this machine's
            stream.write(faces.tobytes())
        link.ask(OPEN, 60)
        assert link.saves_outputs()
        answer = link.ask(
            {"do": "predict", "faces": f"{folder}/faces it's", "out": f"{folder}/o u t", "workers": 1}, 60
        )
        assert answer["n"] == 3
        assert device.fetch(f"{folder}/o u t") == (faces * 2).tobytes()


def test_a_delegate_that_is_not_there(link: NativeLink) -> None:
    with pytest.raises(LegUnsupported, match="Failed to apply GPU delegate"):
        link.ask({**OPEN, "delegate": "gpu"}, 60)


def test_a_binary_that_does_not_start(stand_in: Callable) -> None:
    link = NativeLink(adb.Device(stand_in().serial), "/nowhere/benchmark_model", "", TENSORS)
    with pytest.raises(LegUnsupported, match="does not start on the device"):
        link.ask(OPEN, 60)
