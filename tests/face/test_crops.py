"""A dataset of photos becomes one of aligned faces: whole or not at all, the same by any number of workers."""

from __future__ import annotations

import csv
import multiprocessing
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.errors import DatasetError, InputError, OutputExistsError, RuntimeFailure
from fermobile.face import crops
from fermobile.face.alignment import DEFAULT_CROP
from fermobile.face.crops import crop_dataset
from fermobile.face.detector import Detector
from fermobile.face.geometry import eye_geometry

INFO = DatasetInfo("photos", ("happiness",), ("AU4", "AU12"), ("neutral", "happiness"), "CC0", "a test", extra={"a": 1})


def _jpeg(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", image[..., ::-1])[1])


@pytest.fixture
def photos(tmp_path: Path, portrait: np.ndarray) -> Path:
    """Ten photos: seven of one face, one of two, one of none, one broken."""
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    folder = tmp_path / "photos"
    pair = np.concatenate([portrait, np.full_like(portrait, 80)], axis=1)
    pair[300:428, 600:728] = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    pair = cv2.resize(pair, None, fx=1.5, fy=1.5)  # large, so that the small face is looked for
    with write_dataset(folder, INFO) as writer:
        for i in range(7):
            side = 300 + 50 * i
            image = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
            labels = {"split": "train", "subject": f"s{i}", "emotion": "happiness", "votes": (1.0, 9.0)}
            writer.add_file(f"{i}.jpg", _jpeg(image), aus={"AU12": 1}, **labels)
        writer.add_file("pair.jpg", _jpeg(pair), split="val", aus={"AU4": 0, "AU12": 1})
        writer.add_file("none.jpg", _jpeg(np.full((200, 200, 3), 90, np.uint8)), split="test")
        writer.add_file("broken.jpg", _jpeg(portrait)[:400], split="test")
    return folder


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_faces_are_aligned_and_keep_their_labels(photos: Path, tmp_path: Path, detector: Detector) -> None:
    done: list[int] = []
    out = tmp_path / "faces"
    summary = crop_dataset(Dataset(photos), out, workers=1, max_rejects=0.2, advance=done.append)
    assert (summary.written, summary.several, sum(done)) == (8, 1, 10)
    assert summary.reasons == {"no face found": 1, "image not readable": 1}
    with (out / "rejects.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["where"] for row in rows] == ["images/none.jpg", "images/broken.jpg"]

    faces, source = Dataset(out), Dataset(photos)
    assert faces.info.crop == DEFAULT_CROP
    assert faces.info.extra["a"] == 1 and faces.info.exactly_framed
    assert faces.info.extra["cropped_from"]["sha256"] == source.sha256
    np.testing.assert_array_equal(faces.subject, source.subject[:8])
    np.testing.assert_array_equal(faces.split, source.split[:8])
    np.testing.assert_array_equal(faces.emotion, source.emotion[:8])
    np.testing.assert_array_equal(faces.votes, source.votes[:8])
    np.testing.assert_array_equal(faces.aus, source.aus[:8])
    for index in range(8):
        image = faces.image(index)
        assert image.shape == (96, 96, 3)
        padded = cv2.copyMakeBorder(image, 24, 24, 24, 24, cv2.BORDER_REPLICATE)
        eyes = eye_geometry((detector.detect(padded)[0].keypoints[None] - 24) / 96)
        assert eyes["eye_distance"][0] == pytest.approx(DEFAULT_CROP.eye_distance, abs=0.03)
        assert eyes["eye_y"][0] == pytest.approx(DEFAULT_CROP.eye_y, abs=0.03)
        red, _, blue = image[40:90, 30:66].reshape(-1, 3).mean(axis=0)
        assert red > blue  # skin


def test_two_workers_make_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        crop_dataset(Dataset(photos), tmp_path / str(workers), size=48, workers=workers, max_rejects=0.2)
    assert _content(tmp_path / "1") == _content(tmp_path / "2")
    assert multiprocessing.active_children() == []


def test_large_crops_are_image_files(photos: Path, tmp_path: Path) -> None:
    crop = CropSpec(0.3, 0.45)
    crop_dataset(Dataset(photos), tmp_path / "faces", crop=crop, size=160, workers=1, max_rejects=0.2)
    faces = Dataset(tmp_path / "faces")
    assert faces.paths[0] == "images/000000.jpg"
    assert faces.image(0).shape == (160, 160, 3)
    assert faces.info.crop == crop


def test_too_many_rejects_write_nothing(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"(?s)2 of 10 samples .*--max-rejects 0\.2.*none\.jpg: no face found"):
        crop_dataset(Dataset(photos), tmp_path / "faces", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_an_existing_folder_is_kept(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "mine.txt").touch()
    with pytest.raises(OutputExistsError):
        crop_dataset(Dataset(photos), tmp_path / "faces", workers=1)
    with pytest.raises(InputError, match=r"no dataset\.json"):
        crop_dataset(Dataset(photos), tmp_path / "faces", workers=1, force=True)
    assert (tmp_path / "faces" / "mine.txt").exists()


def test_force_replaces_an_earlier_dataset(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    crop_dataset(Dataset(photos), out, workers=1, max_rejects=0.2)
    (out / "stale").touch()
    crop_dataset(Dataset(photos), out, workers=1, max_rejects=0.2, force=True)
    assert len(Dataset(out)) == 8
    assert not (out / "stale").exists()


def test_the_photos_are_not_replaced_by_their_crops(photos: Path) -> None:
    with pytest.raises(InputError, match="which is read for it"):
        crop_dataset(Dataset(photos), photos, workers=1, force=True)
    assert len(Dataset(photos)) == 10


def test_an_interruption_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crop_dataset(Dataset(photos), tmp_path / "faces", workers=2, advance=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert multiprocessing.active_children() == []


def test_a_dead_worker_is_reported(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "_crop_in_worker", os._exit)
    with pytest.raises(RuntimeFailure, match="a worker process died"):
        crop_dataset(Dataset(photos), tmp_path / "faces", workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
