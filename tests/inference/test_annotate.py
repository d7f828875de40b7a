"""What is drawn on a photo and beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import models_util
import numpy as np
import pytest

from fermobile.face.detector import Face
from fermobile.inference import annotate as module
from fermobile.inference.annotate import annotate
from fermobile.inference.modelfile import load_model_file
from fermobile.inference.pipeline import FaceResult
from fermobile.inference.session import Session

KEYPOINTS = np.array([[80, 90], [120, 94], [99, 110], [101, 130], [60, 95], [140, 99]], np.float32)
UNREAD = FaceResult(Face((10.0, 10.0, 8.0, 8.0), 0.9, KEYPOINTS / 10), None, "the eyes have no finite position")


def face(left: float = 50.0, top: float = 60.0, side: float = 100.0) -> Face:
    return Face((left, top, side, side), 0.9, (KEYPOINTS - (50, 60)) * side / 100 + (left, top))


@pytest.fixture
def session(model_path: Callable[..., Path]) -> Session:
    return Session(load_model_file(model_path()))


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn."""
    drawn: list[str] = []
    put = cv2.putText

    def record(image: np.ndarray, text: str, *args: object) -> object:
        drawn.append(text)
        return put(image, text, *args)

    monkeypatch.setattr(module.cv2, "putText", record)
    return drawn


@pytest.mark.parametrize("count", [0, 1, 2, 9])
@pytest.mark.parametrize("shape", [(200, 240), (48, 48), (301, 977), (1500, 1000)])
def test_drawings_of_one_size_of_photo_have_one_size(session: Session, count: int, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    result = FaceResult(face(), session.run(image))
    drawn = annotate(image, [result] * count, session.contract)
    assert drawn.dtype == np.uint8 and drawn.shape == annotate(image, [], session.contract).shape
    assert min(drawn.shape[:2]) >= 480 and drawn.shape[1] > drawn.shape[0] * shape[1] / shape[0]
    assert np.all(image == 200), "the photo itself is not drawn on"


@pytest.mark.parametrize("labels", [{"emotions": (), "temperature": 1.0}, {"action_units": (), "thresholds": {}}])
def test_models_with_one_head_are_drawn(tmp_path: Path, labels: dict[str, object]) -> None:
    photo = np.full((200, 240, 3), 200, np.uint8)
    path = tmp_path / "one.tflite"
    path.write_bytes(models_util.tiny_file(outputs=(), **labels))
    session = Session(load_model_file(path))
    results = [FaceResult(face(), session.run(photo)), UNREAD]
    assert not np.array_equal(annotate(photo, results, session.contract), annotate(photo, [], session.contract))


def test_a_label_keeps_to_its_face_in_a_group(session: Session) -> None:
    photo = np.full((2048, 2048, 3), 200, np.uint8)
    scores = session.run(photo)
    results = [FaceResult(face(x, 900, 250), scores) for x in (300, 700, 1100, 1500)]
    changed = (annotate(photo, results, session.contract)[:, :2048] != 200).any(axis=(0, 2))
    for x in (300, 700, 1100, 1500):
        assert not changed[x - 50 : x - 26].any() and changed[x : x + 250].any()


def test_a_face_too_small_for_words_gets_its_number(session: Session, texts: list[str]) -> None:
    photo = np.full((2048, 2048, 3), 200, np.uint8)
    scores = session.run(photo)
    annotate(photo, [FaceResult(face(900, 900, 400), scores), FaceResult(face(300, 300, 30), scores)], session.contract)
    assert texts[0].startswith("1  ") and texts[1] == "2"


def test_faces_without_a_card_are_counted(session: Session, texts: list[str]) -> None:
    photo = np.full((480, 480, 3), 200, np.uint8)
    result = FaceResult(face(), session.run(photo))
    annotate(photo, [result] * 9, session.contract)
    cards = sum(texts.count(name) for name in session.contract.emotions) // len(session.contract.emotions)
    assert 0 < cards < 9 and texts[-1] == f"+{9 - cards} more"


def test_a_face_that_was_not_read_says_why(session: Session, texts: list[str]) -> None:
    annotate(np.full((480, 480, 3), 200, np.uint8), [UNREAD], session.contract)
    assert texts[:2] == ["not read", "not read"] and " ".join(texts[2:]) == UNREAD.reason
