"""The way of a whole photo, stage by stage: what a frame of the app costs besides the network."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ..data.images import read_rgb
from ..errors import InputError
from ..inference.session import Session

STAGES = ("decode", "detect", "align", "infer")

#: Photos read before the clock counts, and least that it counts.
_WARMUP, _LEAST = 3, 10


def measure_photo(model: Path, photo: Path, threads: int, seconds: float) -> dict[str, float]:
    """Median milliseconds per stage of reading one photo again and again, in this process.

    Args:
        model: a .tflite, run by ai-edge-litert.
        photo: a photo with at least one face.
        seconds: how long, at least.
    Raises:
        InputError: no face is found in it.
        MissingExtraError: mediapipe is not installed.
    """
    from ..face.detector import Detector
    from ..inference.pipeline import Pipeline

    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with Detector() as detector:
        pipeline = Pipeline(Session.open(model, threads=threads), detector)
        if not pipeline.run(read_rgb(photo)).faces:
            raise InputError(f"{photo}: no face is found in it, so there is nothing to time; choose another photo")
        number, end = 0, time.perf_counter() + seconds
        while number < _WARMUP + _LEAST or time.perf_counter() < end:
            start = time.perf_counter()
            image = read_rgb(photo)
            decoded = 1e3 * (time.perf_counter() - start)
            stages = pipeline.run(image).milliseconds
            if number >= _WARMUP:
                for stage, value in {"decode": decoded, **stages}.items():
                    found[stage].append(value)
            number += 1
    return {stage: round(float(np.median(values)), 4) for stage, values in found.items()}
