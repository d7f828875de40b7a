"""BP4D: units by the header's numbers, 9 and 999 unknown, frames named with and without leading zeros."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.data.importer import import_dataset
from fermobile.data.manifest import Dataset
from fermobile.data.readers import open_reader
from fermobile.data.readers.base import Drop, Face, Note, Reject
from fermobile.errors import DatasetError

Draw = Callable[..., np.ndarray]
HEADER = "0,1,2,4,6,12,30"  # fermobile knows no AU30
ROWS = ["2440,0,1,0,9,1,0", "2441,1,1,999,0,1,1"]


def write_codes(root: Path, name: str, rows: list[str], header: str = HEADER) -> None:
    path = root / "AUCoding/AU_OCC" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def write_images(root: Path, folder: str, names: list[str], draw: Draw) -> None:
    (root / "2D+3D" / folder).mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        cv2.imwrite(str(root / "2D+3D" / folder / name), draw(hash(folder) % 1000 + i, 32, 3))


@pytest.fixture
def root(tmp_path: Path, smooth_image: Draw) -> Path:
    folder = tmp_path / "BP4D"
    write_codes(folder, "F001_T1", ROWS)
    write_images(folder, "F001/T1", ["2440.jpg", "2441.jpg"], smooth_image)
    return folder


def read(root: Path, every: int = 1) -> list[Face | Reject | Drop | Note]:
    return list(open_reader("bp4d", root, every).read(lambda n: None))


def test_nine_and_999_are_unknown_and_never_positive(root: Path) -> None:
    first, second, note = read(root)
    assert isinstance(first, Face) and isinstance(second, Face)
    assert first.aus == {"AU1": 0, "AU2": 1, "AU4": 0, "AU12": 1}
    assert second.aus == {"AU1": 1, "AU2": 1, "AU6": 0, "AU12": 1}
    assert (first.subject, first.where) == ("F001", "2D+3D/F001/T1/2440.jpg")
    assert note == Note("action units left out, as fermobile does not know them: 30 (in 1 files)")
    assert open_reader("bp4d", root).action_units == ("AU1", "AU2", "AU4", "AU6", "AU12")


def test_units_are_those_of_each_files_header(root: Path, smooth_image: Draw) -> None:
    write_codes(root, "M001_T8", ["7,1,0,0"], header="Frame,AU12,AU2,AU1")
    write_images(root, "M001/T8", ["0007.jpg"], smooth_image)
    face = read(root)[2]
    assert isinstance(face, Face) and face.aus == {"AU12": 1, "AU2": 0, "AU1": 0}


@pytest.mark.parametrize("names", [["0005.jpg", "0012.jpg"], ["5.jpg", "12.jpg"], ["00005.png", "012.jpg"]])
def test_frames_with_and_without_leading_zeros(tmp_path: Path, smooth_image: Draw, names: list[str]) -> None:
    write_codes(tmp_path, "F001_T1", ["5,1,1,1,1,1,1", "12,0,0,0,0,0,0"])
    write_images(tmp_path, "F001/T1", names, smooth_image)
    assert [Path(item.where).name for item in read(tmp_path) if isinstance(item, Face)] == names


def test_two_images_of_one_frame(root: Path, smooth_image: Draw) -> None:
    write_images(root, "F001/T1", ["02440.jpg"], smooth_image)
    with pytest.raises(DatasetError, match=r"02440\.jpg and 2440\.jpg are both frame 2440"):
        read(root)


def test_a_missing_image_is_listed(root: Path) -> None:
    (root / "2D+3D/F001/T1/2441.jpg").unlink()
    reject = read(root)[1]
    assert isinstance(reject, Reject) and reject.reason == "there is no image of frame 2441"
    assert reject.where.endswith("F001_T1.csv, line 3")


def test_a_frame_of_which_nothing_is_known_is_dropped(root: Path) -> None:
    write_codes(root, "F001_T1", ["2440,9,9,9,9,999,1"])
    assert read(root)[0] == Drop("no action unit is coded")


def test_another_code_is_listed(root: Path) -> None:
    write_codes(root, "F001_T1", ["2440,0,1,0,2,1,0"])
    reject = read(root)[0]
    assert isinstance(reject, Reject) and reject.reason == "'2' is neither 0, 1 nor 9 or 999 (unknown)"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["2440,0,1,0"], "line 2: 4 fields that begin with '2440'"),
        (["x,0,1,0,9,1,0"], "line 2: 7 fields that begin with 'x'"),
        ([ROWS[0], ROWS[0]], "line 3: frame 2440 is coded twice"),
    ],
)
def test_broken_rows_stop(root: Path, rows: list[str], said: str) -> None:
    write_codes(root, "F001_T1", rows)
    with pytest.raises(DatasetError, match=said):
        read(root)


@pytest.mark.parametrize("header", ["2440,0,1,0,9,1,0", "0,1,2,2", "frame,one,two", "0,1,inf", "0,1,1e400", ""])
def test_a_file_without_a_header(root: Path, header: str) -> None:
    write_codes(root, "F001_T1", [], header=header)
    with pytest.raises(DatasetError, match="not a header of different action units"):
        read(root)


def test_one_frame_in_so_many(root: Path) -> None:
    items = read(root, every=2)
    assert [isinstance(item, Face) for item in items[:2]] == [True, False]
    assert items[1] == Drop("not one of every 2 frames")


def test_missing_parts(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DatasetError, match="no codes of BP4D"):
        read(tmp_path)
    (tmp_path / "bare" / "AUCoding/AU_OCC").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"holds no file such as F001_T1\.csv"):
        read(tmp_path / "bare")
    write_codes(tmp_path / "bare", "F001_T1", ROWS)
    with pytest.raises(DatasetError, match=r"no frames such as F001/T1/2440\.jpg"):
        read(tmp_path / "bare")


def test_imported_with_the_official_folds(root: Path, tmp_path: Path, smooth_image: Draw) -> None:
    for subject in ("F003", "M015", "M018"):
        write_codes(root, f"{subject}_T2", ["1,0,1,0,9,1,0"])
        write_images(root, f"{subject}/T2", ["0001.jpg"], smooth_image)
    reader, done = open_reader("bp4d", root), []
    summary = import_dataset(reader, tmp_path / "out", advance=done.append)
    assert summary.folds == (2, 2, 1)
    assert sum(done) == reader.total
    dataset = Dataset(tmp_path / "out", fold=2)
    assert set(dataset.subject[dataset.split == "test"]) == {"F003", "M018"}
    assert np.isnan(dataset.au_labels(("AU6",))).sum() == 4
