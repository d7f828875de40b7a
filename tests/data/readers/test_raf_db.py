"""RAF-DB: the official list's order, its images of both kinds, and the copies that number otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.data.importer import import_dataset
from fermobile.data.manifest import Dataset
from fermobile.data.readers import open_reader
from fermobile.data.readers.base import Drop, Face, Reject
from fermobile.errors import DatasetError

LIST = "EmoLabel/list_patition_label.txt"
#: One line per class and part; the numbers are the official ones.
ROWS = [*(f"train_{n:05d}.jpg {n}" for n in range(1, 8)), "test_0001.jpg 4", "test_0002.jpg 7"]
EMOTIONS = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]


@pytest.fixture
def basic(tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Path:
    """The folder ``basic`` of the distribution: list, aligned images (100x100) and originals (of other sizes)."""
    root = tmp_path / "basic"
    for folder in ("EmoLabel", "Image/aligned", "Image/original"):
        (root / folder).mkdir(parents=True)
    (root / LIST).write_text("\n".join(ROWS) + "\n")
    for i, row in enumerate(ROWS):
        stem = row.partition(".")[0]
        cv2.imwrite(str(root / f"Image/aligned/{stem}_aligned.jpg"), smooth_image(i, 100, 3))
        cv2.imwrite(str(root / f"Image/original/{stem}.jpg"), smooth_image(i, 150, 3))
    return root


def read(path: Path) -> list[Face | Reject | Drop]:
    return list(open_reader("raf-db", path).read(lambda n: None))


def test_labels_are_in_the_lists_own_order(basic: Path) -> None:
    faces = [item for item in read(basic) if isinstance(item, Face)]
    assert [face.emotion for face in faces] == [*EMOTIONS, "happiness", "neutral"]
    assert [face.split for face in faces] == ["train"] * 7 + ["test"] * 2


def test_aligned_images_are_preferred_and_the_path_chooses(basic: Path) -> None:
    names = [item.where for item in read(basic) if isinstance(item, Face)]
    assert names[0] == "Image/aligned/train_00001_aligned.jpg"
    originals = [item for item in read(basic / "Image" / "original") if isinstance(item, Face)]
    assert originals[0].where == "Image/original/train_00001.jpg"
    assert [face.emotion for face in originals] == [*EMOTIONS, "happiness", "neutral"]
    assert read(basic / "Image" / "aligned") == read(basic)


def test_a_relative_path_may_choose(basic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(basic / "Image" / "original")
    assert read(Path("../original"))[0] == read(basic / "Image" / "original")[0]


def test_originals_where_there_is_nothing_else(basic: Path) -> None:
    (basic / "Image" / "aligned").rename(basic / "elsewhere")
    assert read(basic) == read(basic / "Image" / "original")


def test_images_arrive_with_a_validation_part_held_out(basic: Path, tmp_path: Path) -> None:
    import_dataset(open_reader("raf-db", basic), tmp_path / "out")
    dataset = Dataset(tmp_path / "out")
    assert dataset.image(0).shape == (100, 100, 3)
    assert sorted(dataset.split[:7]) == ["train"] * 6 + ["val"]
    assert (tmp_path / "out" / "images" / dataset.paths[0].removeprefix("images/")).read_bytes() == (
        basic / "Image/aligned/train_00001_aligned.jpg"
    ).read_bytes()


def test_a_listed_file_that_is_absent_and_an_image_that_is_not_listed(basic: Path, tmp_path: Path) -> None:
    aligned = basic / "Image" / "aligned"
    (aligned / "train_00003_aligned.jpg").rename(aligned / "train_00099_aligned.jpg")
    summary = import_dataset(open_reader("raf-db", basic), tmp_path / "out", max_rejects=0.5)
    assert (summary.samples, summary.rejected) == (8, 2)
    rejects = (tmp_path / "out" / "rejects.csv").read_text()
    assert "Image/aligned/train_00003_aligned.jpg,No such file" in rejects
    assert f"Image/aligned/train_00099_aligned.jpg,the image is not in {LIST}" in rejects


def test_an_original_among_the_aligned_is_not_taken_for_listed(basic: Path) -> None:
    aligned = basic / "Image" / "aligned"
    (aligned / "train_00001.jpg").write_bytes((aligned / "train_00001_aligned.jpg").read_bytes())
    assert [item.where for item in read(basic) if isinstance(item, Reject)] == ["Image/aligned/train_00001.jpg"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train_00008.jpg 0", r"line 10: label '0' is not.*1 surprise, 2 fear.*count from 0 have another order"),
        ("train_00008.jpg 8", r"line 10: label '8'.*above 7 are compound emotions"),
        ("train_00008.jpg happy", "line 10: label 'happy'"),
        ("train_00008.jpg", "line 10: 'train_00008.jpg' is not like"),
        ("train_00008.jpg 4 1", "line 10: .* is not like"),
        ("../train_00008.jpg 4", "line 10: .* is not like"),
        ("train_00002.jpg 5", r"line 10: train_00002\.jpg stands in line 2 already"),
    ],
)
def test_a_list_in_doubt_stops(basic: Path, line: str, said: str) -> None:
    with (basic / LIST).open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(DatasetError, match=said):
        read(basic)


def test_without_the_list(basic: Path) -> None:
    (basic / LIST).unlink()
    with pytest.raises(DatasetError, match=r"list_patition_label\.txt does not exist.*name its folders by emotion"):
        open_reader("raf-db", basic)


def test_without_images(basic: Path) -> None:
    (basic / "Image").rename(basic / "Images")
    with pytest.raises(DatasetError, match=r"no images of RAF-DB: none of .*aligned, .*original exists"):
        open_reader("raf-db", basic)


@pytest.mark.parametrize("numbers", [range(1, 8), range(7)])
def test_numbered_class_folders_are_refused(write_folder: Callable[..., Path], numbers: range) -> None:
    """1..7 and 0..6 are both in use, in different orders, and 1..6 stand in both."""
    copy = write_folder({f"train/{n}": 1 for n in numbers})
    with pytest.raises(DatasetError) as caught:
        open_reader("imagefolder", copy)
    message = str(caught.value)
    assert "RAF-DB: 1 surprise, 2 fear, 3 disgust, 4 happiness, 5 sadness, 6 anger, 7 neutral" in message
    assert "copies of RAF-DB, and AffectNet: 0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear" in message
    assert "name the folders by emotion" in message
    with pytest.raises(DatasetError, match="import it as imagefolder"):
        open_reader("raf-db", copy)


def test_progress_adds_up_to_the_list(basic: Path) -> None:
    reader = open_reader("raf-db", basic)
    done: list[int] = []
    list(reader.read(done.append))
    assert sum(done) == reader.total


def test_a_whole_part_in_the_copies_order_stops_though_it_counts_from_1(basic: Path) -> None:
    published = {"surprise": 329, "fear": 74, "disgust": 160, "happiness": 1185, "sadness": 478, "anger": 162}
    published["neutral"] = 680
    copies = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
    for order in (EMOTIONS, copies):
        labels = [order.index(emotion) + 1 for emotion, count in published.items() for _ in range(count)]
        (basic / LIST).write_text("".join(f"test_{i:04}.jpg {label}\n" for i, label in enumerate(labels, 1)))
        if order is EMOTIONS:
            assert sum(isinstance(item, Face) for item in read(basic)) == 3068
        else:
            with pytest.raises(DatasetError, match=r"680 surprise.* in test, of which RAF-DB has 329, .*another order"):
                read(basic)
