"""FER+ in folders: votes without a header, with and without boxes, beside the images."""

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

BOX = '"(0, 0, 48, 48)",'
#: Votes of one image per part, as in the lists of the authors.
VOTES = {"Train": "0,9,0,0,0,0,0,0,1,0", "Valid": "4,0,0,3,2,1,0,0,0,0", "Test": "0,0,0,0,2,1,0,7,0,0"}


@pytest.fixture(params=[BOX, ""], ids=["with-box", "without-box"])
def root(request: pytest.FixtureRequest, tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Path:
    """Three parts of one image, in both forms of the list."""
    for i, (part, votes) in enumerate(VOTES.items()):
        folder = tmp_path / f"FER2013{part}"
        folder.mkdir()
        (folder / "label.csv").write_text(f"fer000000{i}.png,{request.param}{votes}\n")
        cv2.imwrite(str(folder / f"fer000000{i}.png"), smooth_image(i))
    return tmp_path


def read(path: Path) -> list[Face | Reject | Drop]:
    return list(open_reader("ferplus", path).read(lambda n: None))


def add(root: Path, line: str) -> None:
    with (root / "FER2013Train/label.csv").open("a") as stream:
        stream.write(line + "\n")


def test_votes_and_parts(root: Path) -> None:
    faces = [item for item in read(root) if isinstance(item, Face)]
    assert [(f.where, f.split, f.emotion) for f in faces] == [
        ("FER2013Train/fer0000000.png", "train", "happiness"),
        ("FER2013Valid/fer0000001.png", "val", ""),
        ("FER2013Test/fer0000002.png", "test", "contempt"),
    ]
    assert faces[1].votes == (4, 0, 0, 3, 2, 0, 0, 0)


def test_both_forms_give_the_same_labels(write_fer: Callable[..., Path], root: Path, tmp_path: Path) -> None:
    usages = {"Train": "Training", "Valid": "PublicTest", "Test": "PrivateTest"}
    rows = [(0, i, usage) for i, usage in enumerate(usages.values())]
    source = write_fer(rows, [f"{usages[part]},fer{i}.png,{votes}" for i, (part, votes) in enumerate(VOTES.items())])
    import_dataset(open_reader("ferplus", source), tmp_path / "csv")
    import_dataset(open_reader("ferplus", root), tmp_path / "folders")
    one, other = Dataset(tmp_path / "csv"), Dataset(tmp_path / "folders")
    assert np.array_equal(one.votes, other.votes)
    assert one.emotion.tolist() == other.emotion.tolist()
    assert one.split.tolist() == other.split.tolist()
    assert all(np.array_equal(one.image(i), other.image(i)) for i in range(3))


def test_what_the_protocol_drops(root: Path) -> None:
    add(root, "fer0000007.png,0,0,0,0,0,0,0,0,0,10")
    assert Drop("annotated as NF") in read(root)


def test_a_listed_image_that_is_absent_and_one_that_is_not_listed(root: Path, tmp_path: Path) -> None:
    folder = root / "FER2013Train"
    add(root, "fer0000007.png,0,9,0,0,0,0,0,0,0,0")
    (folder / "fer0000008.png").write_bytes((folder / "fer0000000.png").read_bytes())
    summary = import_dataset(open_reader("ferplus", root), tmp_path / "out", max_rejects=0.5)
    assert (summary.samples, summary.rejected) == (3, 2)
    rejects = (tmp_path / "out" / "rejects.csv").read_text()
    assert "FER2013Train/fer0000007.png,No such file" in rejects
    assert "FER2013Train/fer0000008.png,the image is not in label.csv" in rejects


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fer0000007.png,x,9,0,0,0,0,0,0,0,0", "column neutral: 'x' is not a number of votes"),
        ('fer0000007.png,"(4, 4, 40, 40)",0,9,0,0,0,0,0,0,0,0', r"box '(4, 4, 40, 40)' is not the whole image"),
    ],
)
def test_broken_rows_are_listed(root: Path, line: str, said: str) -> None:
    add(root, line)
    (reject,) = [item for item in read(root) if isinstance(item, Reject)]
    assert reject.where.endswith("label.csv, line 2")
    assert said in reject.reason


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fer0000007.png,0,9,0", "line 2: not an image's name"),
        ("fer0000007.png,(0, 0, 48, 48),0,9,0,0,0,0,0,0,0,0", "line 2: not an image's name"),
        ("../fer0000007.png,0,9,0,0,0,0,0,0,0,0", "line 2: not an image's name"),
        (",0,9,0,0,0,0,0,0,0,0", "line 2: not an image's name"),
        ("fer0000000.png,0,0,9,0,0,0,0,0,0,0", "line 2: fer0000000.png stands in the list already"),
    ],
)
def test_a_list_in_doubt_stops(root: Path, line: str, said: str) -> None:
    add(root, line)
    with pytest.raises(DatasetError, match=said):
        read(root)


def test_lists_without_images(root: Path) -> None:
    """As in the authors' repository, where the images are still to be written."""
    (root / "FER2013Valid/fer0000001.png").unlink()
    with pytest.raises(DatasetError, match="FER2013Valid holds no image"):
        open_reader("ferplus", root)


def test_images_without_a_list(root: Path) -> None:
    (root / "FER2013Valid/label.csv").unlink()
    with pytest.raises(DatasetError, match=r"FER2013Valid/label\.csv does not exist"):
        open_reader("ferplus", root)


def test_both_forms_in_one_folder_are_not_guessed_between(root: Path) -> None:
    (root / "fer2013new.csv").touch()
    with pytest.raises(DatasetError, match=r"holds both fer2013new\.csv and FER2013Train"):
        open_reader("ferplus", root)
