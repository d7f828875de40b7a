from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.images import encode_image
from fermobile.data.joined import JoinedDataset, images_to_compare, join, reopen, where
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.errors import DatasetError

CROP = CropSpec(0.4, 0.35)


def picture(seed: int, side: int = 48) -> np.ndarray:
    """A smooth picture that looks like no other one."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


def write_first(folder: Path, crop: CropSpec | None = CROP) -> Dataset:
    """Six grey-vote rows: train, train, val, val, test, test."""
    info = DatasetInfo("first", ("neutral", "fear"), ("AU4", "AU12"), ("neutral", "fear"), "CC0", "here", crop)
    with write_dataset(folder, info) as writer:
        for i in range(6):
            writer.add_array(
                picture(i), split=("train", "val", "test")[i // 2], subject=f"a{i}",
                emotion=("neutral", "fear")[i % 2], votes=(3.0, 1.0) if i else (), aus={"AU4": 1},
            )  # fmt: skip
    return Dataset(folder)


def write_added(
    folder: Path, images: dict[str, np.ndarray] | None = None, crop: CropSpec | None = CROP, source: str = "there"
) -> Dataset:
    """Image files of train, val and train."""
    info = DatasetInfo("added", ("happiness",), ("AU1", "AU12"), ("happiness", "neutral"), "CC0", source, crop)
    images = images or {"train": picture(100), "val": picture(101), "train ": picture(102)}
    with write_dataset(folder, info) as writer:
        for i, (split, image) in enumerate(images.items()):
            writer.add_file(
                f"{i}.png", encode_image(image, ".png"), split=split.strip(), subject=f"b{i}", emotion="happiness",
                votes=(0.75, 0.25), aus={"AU1": 0, "AU12": 1},
            )  # fmt: skip
    return Dataset(folder)


@pytest.fixture
def first(tmp_path: Path) -> Dataset:
    return write_first(tmp_path / "first")


@pytest.fixture
def added(tmp_path: Path) -> Dataset:
    return write_added(tmp_path / "added")


def test_nothing_added_is_the_first_set_itself(first: Dataset) -> None:
    assert join(first, []) is first
    assert images_to_compare(first, []) == 0


def test_only_train_rows_are_added(first: Dataset, added: Dataset) -> None:
    both = join(first, [added])
    assert len(both) == len(both.paths) == 8
    for split, rows in {"train": [0, 1, 6, 7], "val": [2, 3], "test": [4, 5]}.items():
        assert both.indices(split).tolist() == rows
    assert both.paths[6:] == ["added-1/images/0.png", "added-1/images/2.png"]
    assert both.subject.tolist()[5:] == ["a5", "added-1/b0", "added-1/b2"]
    assert both.folder == first.folder


def test_people_of_one_source_keep_their_names(first: Dataset, tmp_path: Path) -> None:
    trap = write_added(tmp_path / "trap", source="here")
    assert join(first, [trap]).subject.tolist()[5:] == ["a5", "b0", "b2"]


def test_images_come_from_their_sets(first: Dataset, added: Dataset) -> None:
    both = join(first, [added])
    for i in range(6):
        np.testing.assert_array_equal(both.image(i), picture(i))
    np.testing.assert_array_equal(both.image(6), picture(100))
    np.testing.assert_array_equal(both.image(7), picture(102))


def test_labels_are_the_union_and_what_a_set_lacks_is_unlabelled(first: Dataset, added: Dataset) -> None:
    both = join(first, [added])
    assert both.info.emotions == ("neutral", "happiness", "fear")
    assert both.info.vote_emotions == ("neutral", "happiness", "fear")
    assert both.info.action_units == ("AU1", "AU4", "AU12")
    np.testing.assert_array_equal(both.hard_labels(both.info.emotions), [0, 2, 0, 2, 0, 2, 1, 1])
    soft = both.soft_labels(both.info.emotions)
    assert np.isnan(soft[0]).all()
    np.testing.assert_allclose(soft[[1, 6]], [[0.75, 0, 0.25], [0.25, 0.75, 0]])
    np.testing.assert_array_equal(both.aus[[0, 6]], [[np.nan, 1, np.nan], [0, np.nan, 1]])
    assert both.info.name == "first + added"
    assert (both.info.licence, both.info.source) == ("CC0", "here; there")


def test_paths_stay_unique_when_a_set_is_added_twice_over(first: Dataset, added: Dataset, tmp_path: Path) -> None:
    again = write_added(tmp_path / "again", {"train": picture(200)})
    both = join(first, [added, again])
    assert len(set(both.paths)) == len(both) == 9
    np.testing.assert_array_equal(both.image(8), picture(200))


def test_the_hash_is_over_all_sets_in_their_order(first: Dataset, added: Dataset, tmp_path: Path) -> None:
    again = write_added(tmp_path / "again", {"train": picture(200)})
    hashes = {first.sha256, join(first, [added]).sha256, join(first, [again]).sha256,
              join(first, [added, again]).sha256, join(first, [again, added]).sha256}  # fmt: skip
    assert len(hashes) == 5
    both = join(first, [added])
    assert both.content_sha256() == both.sha256 == JoinedDataset(first, [added]).sha256
    (added.folder / "images/0.png").write_bytes(encode_image(picture(9), ".png"))
    assert both.content_sha256() != both.sha256


def test_what_a_run_keeps_opens_the_sets_again(first: Dataset, added: Dataset, tmp_path: Path) -> None:
    both = join(first, [added])
    kept = where(both)
    assert kept["added"] == [{"name": "added", "sha256": added.sha256, "path": str(added.folder.resolve())}]
    assert (kept["name"], kept["sha256"], kept["first_sha256"]) == ("first + added", both.sha256, first.sha256)
    again = reopen(kept)
    assert (again.sha256, again.paths, again.origin) == (both.sha256, both.paths, both.origin)
    assert reopen(kept, added=False).sha256 == first.sha256
    assert where(first) == {"name": "first", "sha256": first.sha256, "path": str(first.folder.resolve())}
    moved = first.folder.rename(tmp_path / "moved")
    assert reopen(kept, moved).sha256 == both.sha256
    with pytest.raises(DatasetError, match="is not a dataset folder"):
        reopen(kept)


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("change", ["equal", "brighter and larger"])
def test_images_held_back_cannot_be_trained_on(first: Dataset, tmp_path: Path, split: str, change: str) -> None:
    image = picture({"val": 3, "test": 4}[split])
    if change != "equal":
        image = cv2.resize(cv2.convertScaleAbs(image, alpha=0.8, beta=30), (64, 64))
    trap = write_added(tmp_path / "trap", {"train": picture(100), "train ": image, "train  ": image})
    with pytest.raises(DatasetError, match=rf"2 train images of .*trap .*images/1\.png = {split} shard-0000") as error:
        join(first, [trap])
    assert "pseudo-label --leave-out-overlap" in str(error.value)


def test_images_of_the_first_sets_own_train_split_may_be_added(first: Dataset, tmp_path: Path) -> None:
    again = write_added(tmp_path / "again", {"train": picture(0), "val": picture(3)})
    assert len(join(first, [again])) == 7


def test_progress_counts_the_images_that_are_read(first: Dataset, added: Dataset) -> None:
    told: list[int] = []
    join(first, [added], told.append)
    assert sum(told) == images_to_compare(first, [added]) == 4 + 2


def test_another_framing_is_refused(first: Dataset, tmp_path: Path) -> None:
    wide = write_added(tmp_path / "wide", crop=CropSpec(0.3, 0.35))
    with pytest.raises(DatasetError, match=r"eyes 0\.40 .*eyes 0\.30 .*fermobile data crop") as error:
        join(first, [wide])
    assert str(first.folder) in str(error.value) and str(wide.folder) in str(error.value)
    low = write_added(tmp_path / "low", crop=CropSpec(0.4, 0.45))
    with pytest.raises(DatasetError, match="fermobile data crop"):
        join(first, [low])
    near = write_added(tmp_path / "near", crop=CropSpec(0.43, 0.32))
    assert len(join(first, [near])) == 8


def test_a_framing_that_is_not_known_is_to_be_measured(first: Dataset, tmp_path: Path) -> None:
    unknown = write_added(tmp_path / "unknown", crop=None)
    with pytest.raises(DatasetError, match=r"fermobile data measure .*unknown --write"):
        join(first, [unknown])
    neither = write_first(tmp_path / "neither", crop=None)
    assert len(join(neither, [unknown])) == 8
