"""From a photo to results: what is found, what is skipped, how it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.errors import ContractError
from fermobile.face.alignment import align_face
from fermobile.face.detector import Face
from fermobile.inference.as_json import photo_record
from fermobile.inference.modelfile import load_model_file
from fermobile.inference.pipeline import Pipeline
from fermobile.inference.session import Session
from fermobile.inference.sources import Picture

KEYPOINTS = np.array([[80, 90], [120, 94], [99, 110], [101, 130], [60, 95], [140, 99]], np.float32)


class Found:
    """A detector that finds what it was told."""

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def detect(self, image: np.ndarray) -> list[Face]:
        return self.faces


def face(scale: float = 1.0) -> Face:
    return Face((50.0, 60.0, 100.0 * scale, 100.0 * scale), 0.9, KEYPOINTS * scale)


@pytest.fixture
def session(model_path: Callable[..., Path]) -> Session:
    return Session(load_model_file(model_path()))


@pytest.fixture
def photo() -> np.ndarray:
    corners = np.random.default_rng(5).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    return np.kron(corners, np.ones((20, 20, 1), np.uint8))


def test_a_face_is_cropped_as_the_contract_says(session: Session, photo: np.ndarray) -> None:
    result = Pipeline(session, Found(face())).run(photo)
    (found,) = result.faces
    expected = session.run(align_face(photo, KEYPOINTS, CropSpec(0.4, 0.4), 32))
    assert found.scores is not None
    assert np.array_equal(found.scores.emotion, expected.emotion)  # type: ignore[arg-type]
    assert np.array_equal(found.scores.au, expected.au)  # type: ignore[arg-type]
    assert list(result.milliseconds) == ["detect", "align", "infer"]


def test_a_face_too_small_to_align_is_kept_with_the_reason(session: Session, photo: np.ndarray) -> None:
    result = Pipeline(session, Found(face(), face(0.1))).run(photo)
    large, small = result.faces
    assert large.scores is not None and large.reason == ""
    assert small.scores is None and "pixels apart" in small.reason
    record = photo_record("p.png", Picture(photo, 3, 1.0), result, session.contract)
    assert record["frame"] == 3 and "emotion" in record["faces"][0]
    assert record["faces"][1]["error"] == small.reason and "scores" not in record["faces"][1]


def test_without_a_detector_the_picture_is_the_face(session: Session, photo: np.ndarray) -> None:
    result = Pipeline(session).run(photo)
    assert np.array_equal(result.faces[0].scores.emotion, session.run(photo).emotion)  # type: ignore[union-attr, arg-type]
    assert list(result.milliseconds) == ["infer"]


def test_no_crop_in_the_contract_means_no_faces_from_photos(model_path: Callable[..., Path]) -> None:
    session = Session(load_model_file(model_path(crop=None)))
    with pytest.raises(ContractError, match="does not say how the faces it was trained on were cropped"):
        Pipeline(session, Found())
    Pipeline(session)
