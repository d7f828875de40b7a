"""The dataset folder: labels as rendered, subjects never cross splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.data.info import KEYPOINTS
from fermobile.data.manifest import Dataset
from fermobile.data.synthetic import DATASET_UNITS, DEFAULT_CROP, render_faces, write_synthetic
from fermobile.errors import OutputExistsError
from fermobile.labels import EMOTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("synth") / "set", count=250, seed=6, size=16, workers=1)


def test_labels_and_images_are_those_of_the_faces(folder: Path) -> None:
    data = Dataset(folder)
    assert data.info.emotions == EMOTIONS and data.info.action_units == DATASET_UNITS and data.info.crop == DEFAULT_CROP
    for i, face in enumerate(render_faces(14, seed=6, size=16)):
        assert (data.image(i) == face.image).all()
        assert data.emotion[i] == face.emotion and data.subject[i] == face.subject and data.split[i] == face.split
        assert data.aus[i].tolist() == [face.aus[u] for u in DATASET_UNITS]
        np.testing.assert_allclose(data.keypoints[i], face.keypoints, atol=0.006)
    assert data.info.keypoints == KEYPOINTS and data.info.exactly_framed
    assert "Face Research Lab London Set" in data.info.licence


def test_no_subject_is_in_two_splits(folder: Path) -> None:
    data = Dataset(folder)
    where: dict[str, set[str]] = {}
    for subject, split in zip(data.subject, data.split, strict=True):
        where.setdefault(subject, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())


def test_subjects_are_split_seventy_fifteen_fifteen(folder: Path) -> None:
    data = Dataset(folder)
    people = dict(zip(data.subject, data.split, strict=True))
    first_twenty = [people[name] for name in sorted(people)[:20]]
    assert [first_twenty.count(s) for s in ("train", "val", "test")] == [14, 3, 3]
    assert first_twenty[:3] == ["train", "val", "test"]  # even a tiny set has all three


def test_every_label_occurs(folder: Path) -> None:
    data = Dataset(folder)
    assert set(data.emotion) == {*EMOTIONS, ""}
    assert np.nansum(data.aus, axis=0).min() > 0 and not np.isnan(data.aus).any()


def test_the_same_seed_gives_the_same_hash(folder: Path, tmp_path: Path) -> None:
    again = write_synthetic(tmp_path / "again", count=250, seed=6, size=16, workers=2)
    assert Dataset(again).sha256 == Dataset(folder).sha256


def test_progress_is_told_and_an_existing_folder_is_kept(folder: Path, tmp_path: Path) -> None:
    told: list[int] = []
    write_synthetic(tmp_path / "set", count=3, size=16, advance=told.append)
    assert sum(told) == 3
    with pytest.raises(OutputExistsError):
        write_synthetic(tmp_path / "set", count=3, size=16)
    assert len(Dataset(write_synthetic(tmp_path / "set", count=4, size=16, force=True))) == 4
