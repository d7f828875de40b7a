"""A set of faces gets action units from the teacher: nothing else changes, whatever the number of workers."""

from __future__ import annotations

import csv
import multiprocessing
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.images import encode_image
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.data.synthetic.dataset import render_photo
from fermobile.errors import DatasetError, InputError, ModelFileError, OutputExistsError, RuntimeFailure
from fermobile.face import au_teacher
from fermobile.face.au_teacher import label_action_units
from fermobile.face.blendshapes import CUTS
from fermobile.face.landmarker import Landmarker

INFO = DatasetInfo(
    "faces", ("neutral", "happiness"), ("AU4", "AU12"), ("neutral", "happiness"), "CC0", "a test",
    crop=CropSpec(0.3, 0.4), keypoints=("nose",), extra={"a": 1},
)  # fmt: skip


@pytest.fixture(scope="session")
def faces() -> list[np.ndarray]:
    """Smiling and neutral faces in turns, uint8 RGB (128, 128, 3)."""
    return [render_photo(5, 12 * (i // 2 + 2), 128, emotion=("happiness", "neutral")[i % 2]).image for i in range(6)]


@pytest.fixture
def folder(tmp_path: Path, faces: list[np.ndarray]) -> Path:
    """Six faces in grey shards, RGB shards and image files, one of them coded; a blank image; and a broken one."""
    with write_dataset(tmp_path / "faces", INFO) as writer:
        for i, face in enumerate(faces):
            labels = {"split": ("train", "val", "test")[i % 3], "subject": f"s{i}", "keypoints": [[3.5, i]]}
            labels |= {"emotion": ("happiness", "neutral")[i % 2], "votes": (1.0, i)}
            if i < 2:
                writer.add_array(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), **labels)
            elif i < 4:
                writer.add_array(face, **labels, aus={"AU4": 1, "AU12": 0} if i == 2 else {})
            else:
                writer.add_file(f"sub/{i}.png", encode_image(face, ".png"), **labels)
        writer.add_array(np.full((48, 48), 90, np.uint8), split="train")
        writer.add_file("broken.jpg", encode_image(faces[0], ".jpg")[:300], split="train")
    return tmp_path / "faces"


@pytest.fixture
def task(shared: Path) -> Path:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    return shared / "mediapipe" / "face_landmarker.task"


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_clear_units_are_labelled_and_all_else_stays(folder: Path, tmp_path: Path, task: Path) -> None:
    done: list[int] = []
    out = tmp_path / "out"
    summary = label_action_units(Dataset(folder), out, task, workers=1, advance=done.append)
    assert (summary.images, summary.found, summary.unreadable, summary.kept, sum(done)) == (8, 6, 1, 2, 8)

    before, after = _content(folder), _content(out)
    images = [name for name in before if name not in ("samples.csv", "dataset.json")]
    assert len(images) == 6 and all(before[name] == after[name] for name in images)
    for old, new in zip(_rows(folder), _rows(out), strict=True):
        assert {key: new[key] for key in old if not key.startswith("AU")} == {
            key: old[key] for key in old if not key.startswith("AU")
        }

    labelled = Dataset(out)
    assert labelled.info.action_units == ("AU1", "AU2", "AU4", "AU5", "AU12", "AU25", "AU26", "AU27", "AU43")
    smiles = labelled.au_labels(("AU12",))[:, 0]
    np.testing.assert_array_equal(smiles, [1, 0, 0, 0, 1, 0, np.nan, np.nan])  # the third was coded 0, and stays
    frowns = labelled.au_labels(("AU4",))[:, 0]
    np.testing.assert_array_equal(np.isfinite(frowns), [False, False, True] + [False] * 5)
    assert summary.units["AU12"] == {"present": 2, "absent": 4, "unlabelled": 2}
    assert set(summary.units) == set(CUTS)
    assert labelled.content_sha256() == labelled.sha256


def test_the_set_says_who_labelled_it(folder: Path, tmp_path: Path, task: Path) -> None:
    label_action_units(Dataset(folder), tmp_path / "out", task, workers=1)
    info, teacher = Dataset(tmp_path / "out").info, Dataset(tmp_path / "out").info.extra["au_teacher"]
    assert info.extra["a"] == 1 and info.crop == INFO.crop and info.name == "faces"
    assert info.licence == "CC0; labels of action units: a model's, no human coder's"
    assert info.source.startswith("a test; action units AU1, AU2, ") and "face_landmarker.task" in info.source
    assert teacher["cuts"]["AU12"] == {"absent": 0.02, "present": 0.5}
    assert teacher["cuts"]["AU26"]["until"] == 0.5
    assert teacher["labelled_from"]["sha256"] == Dataset(folder).sha256


def test_two_workers_make_the_same_bytes(
    folder: Path, tmp_path: Path, task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(au_teacher, "_CHUNK", 2)
    for workers in (1, 2):
        label_action_units(Dataset(folder), tmp_path / str(workers), task, workers=workers)
    assert _content(tmp_path / "1") == _content(tmp_path / "2")
    assert multiprocessing.active_children() == []


def test_a_second_labelling_changes_no_label(folder: Path, tmp_path: Path, task: Path) -> None:
    label_action_units(Dataset(folder), tmp_path / "once", task, workers=1)
    summary = label_action_units(Dataset(tmp_path / "once"), tmp_path / "twice", task, workers=1)
    assert _rows(tmp_path / "once") == _rows(tmp_path / "twice")
    assert summary.kept == sum(row[unit] != "" for row in _rows(tmp_path / "once") for unit in (*CUTS, "AU4"))


def test_a_set_without_a_face_is_refused(tmp_path: Path, task: Path) -> None:
    with write_dataset(tmp_path / "blank", DatasetInfo("blank")) as writer:
        for level in (50, 150):
            writer.add_array(np.full((48, 48), level, np.uint8), split="train")
    with pytest.raises(DatasetError, match="no face is seen in any image"):
        label_action_units(Dataset(tmp_path / "blank"), tmp_path / "out", task, workers=1)
    assert not (tmp_path / "out").exists()


def test_what_is_read_is_not_replaced(folder: Path) -> None:
    before = _content(folder)
    with pytest.raises(InputError, match="which is read for it"):
        label_action_units(Dataset(folder), folder, Path("face_landmarker.task"), workers=1, force=True)
    assert _content(folder) == before


def test_an_existing_folder_is_kept(folder: Path, tmp_path: Path, task: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(OutputExistsError):
        label_action_units(Dataset(folder), tmp_path / "out", task, workers=1)
    with pytest.raises(InputError, match=r"no dataset\.json"):
        label_action_units(Dataset(folder), tmp_path / "out", task, workers=1, force=True)


@pytest.mark.parametrize("what", ["missing", "text", "detector", "folder"])
def test_a_file_that_is_no_landmarker_is_refused(what: str, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs the extra 'face'")
    path = tmp_path / "face_landmarker.task"
    if what == "text":
        path.write_text("not a model")
    elif what == "detector":
        path = shared / "mediapipe" / "face_detector.tflite"
    elif what == "folder":
        path.mkdir()
    with pytest.raises(ModelFileError, match=r"(?s)no such file|not a face landmarker"):
        Landmarker(path)


def test_a_dead_worker_is_reported(folder: Path, tmp_path: Path, task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(au_teacher, "_CHUNK", 2)
    monkeypatch.setattr(au_teacher, "_label_in_worker", os._exit)
    with pytest.raises(RuntimeFailure, match="a worker process died"):
        label_action_units(Dataset(folder), tmp_path / "out", task, workers=2)
    assert not (tmp_path / "out").exists()
