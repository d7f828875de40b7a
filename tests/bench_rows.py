"""Made-up benchmark rows with samples that resemble real ones, for what reads rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from fermobile.bench.rows import (
    OK,
    VALID,
    Delegation,
    Device,
    Leg,
    Model,
    Quality,
    Row,
    SustainedPoint,
)
from fermobile.bench.statistics import summarise

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
DESKTOP = Device("Workstation", "host", "Some CPU @ 2.60GHz", "Linux 6.1", "x86_64")
PHONE = Device("Pixel 8", "39A1", "Tensor G3", "Android 15 (AP3A)", "arm64-v8a")
VIRTUAL = Device("virtual cortex-a76", "127.0.0.1:5555", "qemu cortex-a76", "Linux 6.1", "aarch64", True)


def samples(p50: float, n: int = 400, rounds: int = 4, seed: int = 0) -> list[list[int]]:
    """Rounds of latencies around ``p50`` milliseconds, nanoseconds, with the long tail that real ones have."""
    rng = np.random.default_rng(seed)
    ns = p50 * 1e6 * (1 + rng.gamma(1.5, 0.015, n) - 0.018)
    return [[int(v) for v in part] for part in np.split(ns, rounds)]


def quality(f1: float, seed: int = 0, **changes: Any) -> Quality:
    rng = np.random.default_rng(seed)
    per_class = {name: round(float(v), 4) for name, v in zip(EMOTIONS, f1 + rng.normal(0, 0.08, 7), strict=True)}
    values: dict[str, Any] = {
        "dataset": "ferplus", "dataset_sha256": "d5" * 32, "split": "test", "n": 3500,
        "predictions_sha256": hashlib.sha256(f"{f1} {seed}".encode()).hexdigest(), "accuracy": f1 + 0.03,
        "macro_f1": f1, "weighted_f1": f1 + 0.02, "mean_recall": f1 - 0.01, "ece": 0.031, "per_class": per_class,
        "seconds": 21.5, **changes,
    }  # fmt: skip
    return Quality(**values)


def row(
    file: str = "fer_int8.tflite", kind: str = "int8", device: Device = DESKTOP, delegate: str = "cpu",
    threads: int = 1, p50: float = 5.0, f1: float | None = 0.7, status: str = OK, validity: str = VALID,
    seed: int = 0, bare: bool = False, full: bool = False, runtime: str = "ai-edge-litert", **changes: Any,
) -> tuple[Row, np.ndarray | None]:  # fmt: skip
    """A row and its samples; ``bare`` is a leg that never ran, ``full`` has every field."""
    model = Model(
        file, hashlib.sha256(file.encode()).hexdigest(), 4_200_000 if kind == "float" else 1_150_000, "fer", kind, 96
    )
    leg = Leg("python", runtime, delegate, threads)
    name = "/".join((file, device.name, str(leg), str(seed), str(p50), str(f1)))
    values: dict[str, Any] = {
        "id": hashlib.sha256(name.encode()).hexdigest()[:16], "session": "5e55" * 4,
        "time": "2026-03-01T12:00:00+00:00", "status": status, "validity": "invalid" if bare else validity,
    }  # fmt: skip
    measured = None
    if not bare:
        latency, measured = summarise(samples(p50, seed=seed), 12.5, p50 * 2, [int(p50 * 1.1e6)] * 5)
        values |= {
            "latency": latency,
            "delegation": Delegation(delegate, 31, 30 if delegate != "cpu" else None, 1),
            "quality": None if f1 is None else quality(f1),
            "peak_mb": 61.3,
            "conditions": {
                "before": {"load": 0.1, "temperature": 41.0}, "after": {"load": 0.9, "temperature": 52.0},
                "leg": [
                    {"peak_mb": 50.0, "temperature": 41.5, "load": 0.2},
                    {"peak_mb": 61.3, "temperature": 50.0, "load": 0.9},
                ],
            },
            "versions": {"fermobile": "0.1.0", "version": "2.3.0", "python": "3.11.2"},
        }  # fmt: skip
    if full:
        values |= {
            "reason": "none", "validity_reasons": ("a reason",), "warnings": ("a warning",),
            "sustained": (SustainedPoint(0.0, p50, p50 * 1.2, 900, 41.0), SustainedPoint(0.2, p50, p50 * 1.2, 900)),
            "delegation": Delegation(delegate, 31, 30, 1, False),
            "quality": quality(f1 or 0.7, au_mean_f1=0.5, per_au={"AU1": 0.4, "AU12": 0.6}),
        }  # fmt: skip
    return Row(model=model, device=device, leg=leg, **{**values, **changes}), measured
