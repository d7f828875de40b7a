"""MediaPipe's detector, which never saw our renders, takes them for faces and finds the keypoints we claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.synthetic import render_photo
from fermobile.labels import EMOTIONS


@pytest.fixture(scope="module")
def detector() -> Iterator[object]:
    pytest.importorskip("mediapipe", reason="needs mediapipe: pip install 'fermobile[face]'")

    from fermobile.face.mediapipe_import import import_mediapipe

    mediapipe = import_mediapipe()
    tasks = mediapipe.tasks
    model = Path(mediapipe.__file__).parent / "modules/face_detection/face_detection_short_range.tflite"
    options = tasks.vision.FaceDetectorOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=model.read_bytes()), min_detection_confidence=0.5
    )
    found = tasks.vision.FaceDetector.create_from_options(options)
    yield lambda image: found.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, image)).detections
    found.close()


def _rate(detector: object, count: int, seed: int) -> tuple[Counter[str], Counter[str], list[np.ndarray]]:
    assert callable(detector)
    tried, hit, errors = Counter[str](), Counter[str](), []
    for i in range(count):
        face = render_photo(seed, i, 256)
        detections = detector(face.image)
        tried[face.emotion or "free"] += 1
        if detections:
            hit[face.emotion or "free"] += 1
            found = np.array([(k.x * 256, k.y * 256) for k in detections[0].keypoints])
            unit = np.linalg.norm(face.keypoints[1] - face.keypoints[0])
            errors.append(np.linalg.norm(found - face.keypoints, axis=1) / unit)
    return tried, hit, errors


def test_renders_are_detected_and_keypoints_agree(detector: object) -> None:
    tried, hit, errors = _rate(detector, 40, seed=21)
    assert hit.total() >= 0.95 * tried.total()
    middle = np.median(errors, axis=0)  # in eye distances
    assert (middle[:4] < 0.15).all() and (middle[4:] < 0.3).all(), middle


@pytest.mark.slow
def test_97_percent_of_600_renders_are_detected(detector: object) -> None:
    tried, hit, _ = _rate(detector, 600, seed=11)
    print({name: f"{hit[name]}/{tried[name]}" for name in sorted(tried)})
    assert hit.total() >= 0.97 * tried.total()
    assert all(hit[name] >= 0.9 * tried[name] for name in EMOTIONS)
