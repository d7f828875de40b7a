"""CelebA: two attributes as stand-ins for action units, and three lists that must agree row by row."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.data.importer import import_dataset
from fermobile.data.manifest import Dataset
from fermobile.data.readers import open_reader
from fermobile.data.readers.base import Face
from fermobile.errors import DatasetError

ATTRIBUTES = "5_o_Clock_Shadow Mouth_Slightly_Open Narrow_Eyes Smiling Young"
#: Mouth_Slightly_Open, Narrow_Eyes, Smiling of each image.
VALUES = [(1, -1, 1), (-1, 1, -1), (1, 1, -1), (-1, -1, 1), (1, -1, 1), (-1, -1, -1)]


@pytest.fixture
def root(tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Path:
    """The tree of the distribution: Anno, Eval and Img, six images of three people."""
    for folder in ("Anno", "Eval", "Img/img_align_celeba"):
        (tmp_path / folder).mkdir(parents=True)
    rows = "".join(f"{i:06d}.jpg -1 {a:2d} {b:2d} {c:2d}  1\n" for i, (a, b, c) in enumerate(VALUES, 1))
    (tmp_path / "Anno/list_attr_celeba.txt").write_text(f"{len(VALUES)}\n{ATTRIBUTES} \n{rows}")
    for file, values in (("Eval/list_eval_partition", "001122"), ("Anno/identity_CelebA", [2880, 2880, 7, 7, 9, 11])):
        (tmp_path / f"{file}.txt").write_text("".join(f"{i:06d}.jpg {v}\n" for i, v in enumerate(values, 1)))
    for i in range(1, 7):
        cv2.imwrite(str(tmp_path / f"Img/img_align_celeba/{i:06d}.jpg"), smooth_image(i, 64, 3))
    return tmp_path


def read(path: Path) -> list[Face]:
    return list(open_reader("celeba", path).read(lambda n: None))  # type: ignore[arg-type]


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_two_attributes_stand_in_for_action_units(root: Path) -> None:
    faces = read(root)
    assert [dict(face.aus) for face in faces] == [
        {"AU12": int(smiling > 0), "AU25": int(mouth > 0)} for mouth, _, smiling in VALUES
    ]
    assert all(face.emotion == "" for face in faces)


def test_they_are_said_to_be_proxies(root: Path, tmp_path: Path) -> None:
    import_dataset(open_reader("celeba", root), tmp_path / "out")
    info = Dataset(tmp_path / "out").info
    assert info.action_units == ("AU12", "AU25")
    assert "attribute proxies, not FACS coding" in info.licence
    assert "not FACS coding: AU12 is Smiling, AU25 is Mouth_Slightly_Open" in info.source


def test_parts_and_people(root: Path, tmp_path: Path) -> None:
    summary = import_dataset(open_reader("celeba", root), tmp_path / "out")
    dataset = Dataset(tmp_path / "out")
    assert dataset.split.tolist() == ["train", "train", "val", "val", "test", "test"]
    assert dataset.subject.tolist() == ["2880", "2880", "7", "7", "9", "11"]
    assert summary.split_rule == "the source's own splits"
    assert dataset.info.emotions == ()


def test_without_identities_nobody_is_known(root: Path) -> None:
    (root / "Anno/identity_CelebA.txt").unlink()
    assert [face.subject for face in read(root)] == [""] * 6


def test_all_lists_in_one_folder(root: Path) -> None:
    expected = read(root)
    for file in [*root.glob("*/*.txt"), root / "Img/img_align_celeba"]:
        file.rename(root / file.name)
    assert [(f.where, f.aus, f.subject) for f in read(root)] == [(f.where, f.aus, f.subject) for f in expected]


def test_a_missing_image_is_listed(root: Path, tmp_path: Path) -> None:
    (root / "Img/img_align_celeba/000002.jpg").unlink()
    assert import_dataset(open_reader("celeba", root), tmp_path / "out", max_rejects=0.5).rejected == 1
    assert "img_align_celeba/000002.jpg,No such file" in (tmp_path / "out" / "rejects.csv").read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Anno/list_attr_celeba.txt", "6\n", "7\n", "announces 7 images in its first line and lists 6"),
        ("Anno/list_attr_celeba.txt", "6\n", "", "line 1: not the number of images"),
        ("Anno/list_attr_celeba.txt", "Smiling", "Smile", "line 2: no attribute Smiling; found: 5_o_Clock_Shadow"),
        ("Anno/list_attr_celeba.txt", "000002.jpg -1 -1", "000002.jpg -1 0", "line 4: values -1, 0 of .* not -1 or 1"),
        ("Anno/list_attr_celeba.txt", "000002.jpg -1 -1", "000002.jpg -1", "line 4: 5 fields, expected 6"),
        ("Anno/list_attr_celeba.txt", "000002.jpg", "000001.jpg", r"line 4: '000001\.jpg' after '000001\.jpg'"),
        ("Anno/list_attr_celeba.txt", "000001.jpg", "../001.jpg", r"line 3: '\.\./001\.jpg' after 'the header'"),
        ("Eval/list_eval_partition.txt", "000003.jpg 1", "000003.jpg 3", "line 3: partition '3' is not 0, 1 or 2"),
    ],
)
def test_broken_lists_stop(root: Path, file: str, old: str, new: str, said: str) -> None:
    edit(root / file, old, new)
    with pytest.raises(DatasetError, match=said):
        read(root)


@pytest.mark.parametrize("file", ["Eval/list_eval_partition.txt", "Anno/identity_CelebA.txt"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("000003.jpg", "000004.jpg", r"line 3: '000004\.jpg \d' where 000003\.jpg should be"),
        ("000002.jpg", "\n", r"line 3: '\d+' where 000002\.jpg should be"),
    ],
)
def test_lists_that_disagree_are_both_named(root: Path, file: str, old: str, new: str, said: str) -> None:
    edit(root / file, old, new)
    with pytest.raises(DatasetError, match=rf"{Path(file).name}, {said}; it and .*list_attr_celeba\.txt must list"):
        read(root)


@pytest.mark.parametrize("file", ["Eval/list_eval_partition.txt", "Anno/identity_CelebA.txt"])
def test_a_list_that_is_longer_or_shorter_is_named(root: Path, file: str) -> None:
    with (root / file).open("a") as stream:
        stream.write("000007.jpg 2\n")
    with pytest.raises(DatasetError, match=rf"{Path(file).name}, line 7: more rows; it and .*list_attr_celeba"):
        read(root)
    lines = (root / file).read_text().splitlines(keepends=True)
    (root / file).write_text("".join(lines[:-2]))
    with pytest.raises(DatasetError, match=rf"{Path(file).name} ends before 000006\.jpg; it and .*list_attr_celeba"):
        read(root)


def test_a_person_in_two_parts_stops(root: Path) -> None:
    edit(root / "Anno/identity_CelebA.txt", "000005.jpg 9", "000005.jpg 7")
    with pytest.raises(
        DatasetError,
        match=r"line 5 puts 000005\.jpg in partition 2, .*CelebA\.txt, line 5 .* person 7, who is in partition 1",
    ):
        read(root)


@pytest.mark.parametrize("name", ["Anno/list_attr_celeba.txt", "Eval/list_eval_partition.txt", "Img/img_align_celeba"])
def test_what_is_missing_is_named_with_its_places(root: Path, name: str) -> None:
    (root / name).rename(root / "elsewhere")
    with pytest.raises(DatasetError, match=rf"no .*none of .*{Path(name).name}.*{name}.* exists"):
        open_reader("celeba", root)


def test_memory_does_not_grow_with_the_rows(root: Path) -> None:
    """A list of 100,000 rows: about 10 MB as text, five times that as objects."""
    count = 100_000
    rows = "".join(f"{i:06d}.jpg -1 -1 -1  1  1\n" for i in range(1, count + 1))
    (root / "Anno/list_attr_celeba.txt").write_text(f"{count}\n{ATTRIBUTES}\n{rows}")
    (root / "Eval/list_eval_partition.txt").write_text("".join(f"{i:06d}.jpg 0\n" for i in range(1, count + 1)))
    (root / "Anno/identity_CelebA.txt").unlink()
    reader = open_reader("celeba", root)
    tracemalloc.start()
    assert sum(1 for _ in reader.read(lambda n: None)) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
