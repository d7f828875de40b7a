"""A dataset folder gives back what was written, and a damaged one says where it is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset, DatasetInfo, Sample, write_dataset
from fermobile.errors import DatasetError, ImageError, OutputExistsError

Draw = Callable[..., np.ndarray]

INFO = DatasetInfo(
    name="tiny",
    emotions=("neutral", "fear"),
    action_units=("AU1", "AU12"),
    vote_emotions=("neutral", "happiness", "fear"),
    licence="CC0",
    source="drawn",
    crop=CropSpec(eye_distance=0.4, eye_y=0.35),
    extra={"seed": 1},
)


@pytest.fixture
def folder(tmp_path: Path, smooth_image: Draw) -> Path:
    """Four samples: two grey in a shard, one RGB in a second shard, one image file."""
    out = tmp_path / "tiny"
    with write_dataset(out, INFO) as writer:
        writer.add_array(smooth_image(1), split="train", emotion="fear", subject="S1", votes=(1.0, 0.0, 3.0))
        writer.add_array(smooth_image(2), split="val", aus={"AU1": 1, "AU12": 0})
        writer.add_array(smooth_image(3, 32, 3), split="test", emotion="neutral")
        png = cv2.imencode(".png", smooth_image(4, 20, 3)[..., ::-1])[1].tobytes()
        writer.add_file("a/b.png", png, split="test", aus={"AU12": 1})
    return out


def test_labels_come_back(folder: Path) -> None:
    dataset = Dataset(folder)
    assert dataset.info == INFO
    assert dataset.paths == ["shard-0000.npy:0", "shard-0000.npy:1", "shard-0001.npy:0", "images/a/b.png"]
    assert dataset.split.tolist() == ["train", "val", "test", "test"]
    assert dataset.subject.tolist() == ["S1", "", "", ""]
    assert dataset.hard_labels(("neutral", "anger", "fear")).tolist() == [2, -1, 0, -1]
    assert np.array_equal(dataset.soft_labels(("fear", "anger", "neutral"))[0], np.float32([0.75, 0, 0.25]))
    assert np.isnan(dataset.soft_labels(("fear",))[1:]).all()
    expected = [[np.nan, np.nan, np.nan], [0, np.nan, 1], [np.nan] * 3, [1, np.nan, np.nan]]
    assert np.array_equal(dataset.au_labels(("AU12", "AU9", "AU1")), expected, equal_nan=True)


def test_images_come_back_as_rgb(folder: Path, smooth_image: Draw) -> None:
    dataset = Dataset(folder)
    assert np.array_equal(dataset.image(1), np.repeat(smooth_image(2)[..., None], 3, 2))
    assert np.array_equal(dataset.image(2), smooth_image(3, 32, 3))
    assert np.array_equal(dataset.image(3), smooth_image(4, 20, 3))


def test_indices_by_split(folder: Path) -> None:
    dataset = Dataset(folder)
    assert dataset.indices().tolist() == [0, 1, 2, 3]
    assert dataset.indices("train", "test").tolist() == [0, 2, 3]
    with pytest.raises(DatasetError, match="unknown split 'dev'; choose from: train, val, test"):
        dataset.indices("dev")


def test_an_empty_split_is_an_error(tmp_path: Path, smooth_image: Draw) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d")) as writer:
        writer.add_array(smooth_image(1), split="train")
    with pytest.raises(DatasetError, match="the split test is empty"):
        Dataset(tmp_path / "d").indices("test")


def test_rows_may_follow_their_images_later_in_their_order(tmp_path: Path, smooth_image: Draw) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d")) as writer:
        paths = [writer.store_array(smooth_image(i)) for i in range(3)]
        for path in paths:
            writer.add_row(Sample(path, "train"))
        with pytest.raises(ValueError, match="not the next image"):
            writer.add_row(Sample(paths[0], "train"))
    assert np.array_equal(Dataset(tmp_path / "d").image(2)[..., 0], smooth_image(2))


def test_keypoints_come_back(tmp_path: Path, smooth_image: Draw) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d", keypoints=("right_eye", "nose"))) as writer:
        writer.add_array(smooth_image(1), split="train", keypoints=[(1.5, 20.25), (-3.0, 7.0)])
        writer.add_array(smooth_image(2), split="train")
    header = (tmp_path / "d" / "samples.csv").read_text().splitlines()[0]
    assert header == "path,split,subject,emotion,right_eye_x,right_eye_y,nose_x,nose_y"
    points = Dataset(tmp_path / "d").keypoints
    assert points.shape == (2, 2, 2)
    assert points[0].tolist() == [[1.5, 20.25], [-3, 7]]
    assert np.isnan(points[1]).all()


def test_the_content_hash_is_found_again_and_tells_a_change(folder: Path) -> None:
    assert Dataset(folder).content_sha256() == Dataset(folder).sha256
    array = np.load(folder / "shard-0001.npy")
    array[0, 0, 0, 0] ^= 1
    np.save(folder / "shard-0001.npy", array)
    assert Dataset(folder).content_sha256() != Dataset(folder).sha256


def test_the_hash_covers_images_and_labels(tmp_path: Path, smooth_image: Draw) -> None:
    def write(name: str, seed: int, emotion: str) -> str:
        with write_dataset(tmp_path / name, INFO) as writer:
            writer.add_array(smooth_image(seed), split="train", emotion=emotion)
        return Dataset(tmp_path / name).sha256

    assert len({write("a", 1, "fear"), write("b", 2, "fear"), write("c", 1, "neutral")}) == 3
    assert write("d", 1, "fear") == Dataset(tmp_path / "a").sha256


def test_an_error_leaves_nothing_and_an_existing_folder_stays(tmp_path: Path, folder: Path, smooth_image: Draw) -> None:
    with pytest.raises(RuntimeError), write_dataset(tmp_path / "broken", INFO) as writer:
        writer.add_array(smooth_image(1), split="train")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]
    with pytest.raises(OutputExistsError), write_dataset(folder, INFO):
        pass
    with pytest.raises(RuntimeError), write_dataset(folder, INFO, force=True):
        raise RuntimeError
    assert len(Dataset(folder)) == 4


@pytest.mark.parametrize("name", ["../x.png", "/tmp/x.png", "a/../../x.png"])
def test_image_names_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="leaves the dataset folder"), write_dataset(tmp_path / "d", INFO) as writer:
        writer.add_file(name, b"", split="train")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path,", "file,", r"missing column\(s\) path"),
        (",train,", ",dev,", "line 2: split 'dev' is not one of"),
        (",fear,", ",anger,", "line 2: emotion 'anger' is not one of neutral, fear"),
        (",1,0,3,", ",1,x,3,", "line 2, column votes_happiness: 'x' is not a number"),
        (",1,0\n", ",2,0\n", "line 3: an action unit is neither 0 nor 1"),
        (",1,0\n", ",inf,0\n", "line 3, column AU1: 'inf' is not a number"),
        (",1,0\n", ",nan,0\n", "line 3, column AU1: 'nan' is not a number"),
        (",1,0,3,", ",1,-2,3,", "line 2: a number of votes is negative"),
        (",1,0\n", ",1\n", "line 3: .* fields, expected"),
        (",fear,", ",\udcff,", "not UTF-8"),
        (",fear,", "," + "x" * 200_000 + ",", "not valid csv"),
    ],
)
def test_damaged_samples(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "samples.csv"
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode(errors="surrogateescape"))
    with pytest.raises(DatasetError, match=said):
        Dataset(folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format_version", 99, "format version 99; this fermobile reads 1"),
        ("emotions", ["bored"], "unknown emotion 'bored'"),
        ("action_units", ["AU99"], "unknown action unit 'AU99'"),
        ("action_units", [["AU1"]], r"unknown action unit \['AU1'\]"),
        ("emotions", [None], "unknown emotion None"),
        ("name", None, "damaged"),
        ("crop", {"margin": 1}, "damaged"),
        ("crop", {"eye_distance": "0.4", "eye_y": 0.4}, "damaged.*eye_distance '0.4' is not a number between 0 and 1"),
        ("crop", {"eye_distance": 0.4, "eye_y": float("nan")}, "damaged.*eye_y nan"),
        ("keypoints", ["chin"], "unknown keypoint 'chin'; known: right_eye"),
    ],
)
def test_damaged_dataset_json(folder: Path, key: str, value: object, said: str) -> None:
    path = folder / "dataset.json"
    raw = json.loads(path.read_text())
    raw[key] = value
    if value is None:
        del raw[key]
    path.write_text(json.dumps(raw))
    with pytest.raises(DatasetError, match=said):
        Dataset(folder)


def test_no_dataset_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="make one with 'fermobile data import'"):
        Dataset(tmp_path)
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(DatasetError, match="damaged"):
        Dataset(tmp_path)


def test_damaged_shards_and_files(folder: Path) -> None:
    (folder / "images" / "a" / "b.png").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        Dataset(folder).image(3)
    np.save(folder / "shard-0000.npy", np.zeros((1, 48, 48), np.uint8))
    with pytest.raises(DatasetError, match=r"has 1 images; samples\.csv asks for row 1"):
        Dataset(folder).image(1)
    np.save(folder / "shard-0000.npy", np.zeros((2, 48, 48), np.float32))
    with pytest.raises(DatasetError, match="is not uint8"):
        Dataset(folder).image(0)
    for data in (b"", b"\x93NUMPY", b"x" * 100):
        (folder / "shard-0000.npy").write_bytes(data)
        with pytest.raises(DatasetError, match="cannot be read"):
            Dataset(folder).image(0)


def test_more_rows_than_one_shard_holds(tmp_path: Path) -> None:
    with write_dataset(tmp_path / "d", DatasetInfo("d")) as writer:
        for i in range(4100):
            writer.add_array(np.full((2, 2), i % 251, np.uint8), split="train")
    dataset = Dataset(tmp_path / "d")
    assert dataset.paths[4096] == "shard-0001.npy:0"
    assert dataset.image(4099)[0, 0].tolist() == [4099 % 251] * 3
