"""DISFA: labels by the names of their files, frames by their numbers, videos frame by frame."""

from __future__ import annotations

import re
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
UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
LENGTH = 6


def write_labels(root: Path, subject: str, length: int = LENGTH) -> Path:
    """Label files of one subject: in frame n, unit number i of the list has the intensity (n + i) % 6."""
    folder = root / "ActionUnit_Labels" / subject
    folder.mkdir(parents=True)
    for i, unit in enumerate(UNITS):
        rows = [f"{n},{(n + i) % 6}" for n in range(1, length + 1)]
        (folder / f"{subject}_au{unit}.txt").write_text("\n".join(rows) + "\n")
    return folder


def expected(frame: int) -> dict[str, int]:
    return {f"AU{unit}": int((frame + i) % 6 >= 2) for i, unit in enumerate(UNITS)}


def write_frames(root: Path, folder: str, numbers: range, draw: Draw, name: str = "{}.png") -> None:
    (root / folder).mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(root / folder / name.format(number)), draw(number, 32, 3))


def write_video(path: Path, levels: list[int]) -> None:
    """A video of flat grey frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (160, 144))
    assert video.isOpened()
    for level in levels:
        video.write(np.full((144, 160, 3), level, np.uint8))
    video.release()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Labels of two subjects of different folds; images are the test's."""
    for subject in ("SN001", "SN011"):
        write_labels(tmp_path / "DISFA", subject)
    return tmp_path / "DISFA"


def read(path: Path, every: int = 1) -> list[Face | Reject | Drop | Note]:
    return list(open_reader("disfa", path, every).read(lambda n: None))


def faces(path: Path, every: int = 1) -> list[Face]:
    return [item for item in read(path, every) if isinstance(item, Face)]


def numbers(path: Path) -> list[str]:
    return [face.where for face in faces(path)]


class TestLabels:
    def test_units_are_named_by_their_files_and_two_is_present(self, root: Path, smooth_image: Draw) -> None:
        """AU12 sorts before AU2 in a list of files: whoever reads columns by place permutes the units."""
        for subject in ("SN001", "SN011"):
            write_frames(root, f"frames/{subject}", range(1, LENGTH + 1), smooth_image)
        found = faces(root)
        assert [face.subject for face in found] == ["SN001"] * LENGTH + ["SN011"] * LENGTH
        for i, face in enumerate(found[:LENGTH]):
            assert face.aus == expected(i + 1)
        assert found[0].aus["AU2"] == 1 and found[0].aus["AU1"] == 0  # intensities 2 and 1

    @pytest.mark.parametrize("first", [0, 1])
    def test_the_count_of_extracted_frames_is_seen_in_their_numbers(
        self, root: Path, smooth_image: Draw, first: int
    ) -> None:
        for subject in ("SN001", "SN011"):
            write_frames(root, f"img/{subject}", range(first, first + LENGTH), smooth_image)
        note, *items = read(root)
        assert isinstance(note, Note) and f"numbered from {first}" in note.text and "img/SN001" in note.text
        assert [item.aus for item in items if isinstance(item, Face)] == 2 * [expected(n + 1) for n in range(LENGTH)]
        assert [Path(f.where).name for f in faces(root)][:2] == [f"{first}.png", f"{first + 1}.png"]

    def test_frames_that_fit_no_count(self, root: Path, smooth_image: Draw) -> None:
        write_frames(root, "img/SN001", range(LENGTH + 1), smooth_image)
        with pytest.raises(DatasetError, match=r"img/SN001: frames 0 to 6, labels of frames 1 to 6: neither"):
            read(root)

    def test_subjects_that_count_differently(self, root: Path, smooth_image: Draw) -> None:
        write_frames(root, "img/SN001", range(LENGTH), smooth_image)
        write_frames(root, "img/SN011", range(1, LENGTH + 1), smooth_image)
        with pytest.raises(DatasetError, match="img/SN001 counts its frames from 0 and img/SN011 from 1"):
            read(root)

    def test_one_subject_settles_it_for_a_part_of_another(self, root: Path, smooth_image: Draw) -> None:
        write_frames(root, "img/SN001", range(2, 5), smooth_image)
        note, *items = read(root)
        assert isinstance(note, Note) and "taken for granted" in note.text
        assert items.count(Drop("label of a frame that was not extracted")) == 3
        write_frames(root, "img/SN011", range(LENGTH), smooth_image)
        assert [face.aus for face in faces(root)][:3] == [expected(n + 1) for n in (2, 3, 4)]

    def test_a_missing_file_of_one_subject(self, root: Path, smooth_image: Draw) -> None:
        write_frames(root, "img/SN001", range(1, LENGTH + 1), smooth_image)
        (root / "ActionUnit_Labels/SN011/SN011_au9.txt").unlink()
        with pytest.raises(DatasetError, match="SN011: no file for AU9, which other subjects have"):
            read(root)
        (root / "ActionUnit_Labels/SN001/SN001_au9.txt").unlink()
        assert "AU9" not in open_reader("disfa", root).action_units

    def test_files_of_different_lengths_are_both_named(self, root: Path, smooth_image: Draw) -> None:
        path = root / "ActionUnit_Labels/SN011/SN011_au4.txt"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        with pytest.raises(DatasetError, match=r"SN011_au1\.txt has 6 frames and SN011_au\d+\.txt has \d"):
            read(root)

    def test_two_files_of_one_unit(self, root: Path) -> None:
        folder = root / "ActionUnit_Labels/SN001"
        (folder / "SN001_au04.txt").write_text((folder / "SN001_au4.txt").read_text())
        with pytest.raises(DatasetError, match=r"SN001_au04\.txt and SN001_au4\.txt are both of AU4"):
            read(root)

    @pytest.mark.parametrize(
        ("row", "said"),
        [("3,6", "'3,6'"), ("3,x", "'3,x'"), ("4,1", "'4,1'"), ("3", "'3'"), ("3,-1", "'3,-1'")],
    )
    def test_a_broken_line_is_named(self, root: Path, row: str, said: str) -> None:
        path = root / "ActionUnit_Labels/SN001/SN001_au6.txt"
        lines = path.read_text().splitlines()
        lines[2] = row
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(DatasetError, match=rf"SN001_au6\.txt, line 3: {said} is not '3,' and an intensity"):
            read(root)

    @pytest.mark.parametrize("name", ["SN001_au3.txt", "SN002_au1.txt", "notes.txt"])
    def test_a_file_of_something_else(self, root: Path, name: str) -> None:
        (root / "ActionUnit_Labels/SN001" / name).write_text("1,0\n")
        with pytest.raises(DatasetError, match=rf"{name}: not a name like SN001_au1\.txt with one of 1, 2, 4"):
            read(root)

    def test_no_labels_and_no_images(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="no recording such as LeftVideoSN001_comp"):
            read(root)
        with pytest.raises(DatasetError, match="no labels of DISFA"):
            read(tmp_path)


class TestVideos:
    def test_every_frame_has_the_label_of_its_line(self, root: Path) -> None:
        levels = [20, 60, 100, 140, 180, 220]
        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", levels)
        found = faces(root)
        assert [face.aus for face in found] == [expected(n) for n in range(1, LENGTH + 1)]
        for face, level in zip(found, levels, strict=True):
            assert isinstance(face.image, np.ndarray) and face.image.shape == (144, 160, 3)
            assert abs(float(face.image.mean()) - level) < 4
        assert found[2].file == "Videos_LeftCamera/LeftVideoSN001_comp/00003.jpg"

    def test_a_subject_without_a_recording_is_listed(self, root: Path) -> None:
        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", [9] * LENGTH)
        rejects = [item for item in read(root) if isinstance(item, Reject)]
        assert rejects == [Reject("SN011", "there is neither a video nor a folder of frames of this subject")]

    def test_videos_shorter_and_longer_than_their_labels(self, root: Path) -> None:
        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", [9] * (LENGTH - 1))
        write_video(root / "Videos_LeftCamera/LeftVideoSN011_comp.avi", [9] * (LENGTH + 2))
        items = read(root)
        assert [i.reason for i in items if isinstance(i, Reject)] == [
            "the video ends before frame 6, which has a label"
        ]
        assert items.count(Drop("frame behind the last label")) == 2
        assert len([i for i in items if isinstance(i, Face)]) == 2 * LENGTH - 1

    def test_a_frame_missing_inside_a_video_stops(self, root: Path) -> None:
        """The decoder passes over an empty chunk, so that every later frame would get the label of the one before."""
        path = root / "Videos_LeftCamera/LeftVideoSN001_comp.avi"
        write_video(path, [20, 60, 100, 140, 180, 220])
        data = bytearray(path.read_bytes())
        at = [found.start() for found in re.finditer(b"00dc", data)]  # the chunks, then the index of them
        size = int.from_bytes(data[at[2] + 4 : at[2] + 8], "little")
        data[at[2] + 4 : at[2] + 16] = bytes(4) + b"JUNK" + (size - 8).to_bytes(4, "little")
        data[at[LENGTH + 2] + 12 : at[LENGTH + 2] + 16] = bytes(4)
        path.write_bytes(data)
        with pytest.raises(DatasetError, match=r"SN001_comp\.avi: frames are missing inside, 5 could be read of 6"):
            read(root)

    @pytest.mark.parametrize("announced", [0.0, -1.0, float("nan"), LENGTH + 1])
    def test_a_header_with_a_wrong_count(self, root: Path, monkeypatch: pytest.MonkeyPatch, announced: float) -> None:
        opened = cv2.VideoCapture

        class Unsure:
            def __init__(self, path: str) -> None:
                self._video = opened(path)

            def __getattr__(self, name: str) -> object:
                return getattr(self._video, name)

            def get(self, prop: int) -> float:
                return announced if prop == cv2.CAP_PROP_FRAME_COUNT else self._video.get(prop)

        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", [9] * LENGTH)
        monkeypatch.setattr("cv2.VideoCapture", Unsure)
        assert len(faces(root)) == LENGTH

    def test_hidden_files_are_passed_over(self, root: Path, smooth_image: Draw) -> None:
        """As macOS leaves them: ._ and the name of each file on a foreign disk."""
        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", [9] * LENGTH)
        (root / "Videos_LeftCamera/._LeftVideoSN001_comp.avi").write_bytes(b"\0\5\x16\7")
        write_frames(root, "img/SN011", range(1, 2), smooth_image, "._{}.png")
        items = read(root)
        assert sum(isinstance(item, Face) for item in items) == LENGTH
        assert Reject("SN011", "there is neither a video nor a folder of frames of this subject") in items

    def test_one_frame_in_so_many(self, root: Path, smooth_image: Draw) -> None:
        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", [20, 60, 100, 140, 180, 220])
        write_frames(root, "img/SN011", range(LENGTH), smooth_image)
        found = faces(root, every=4)
        assert [face.aus for face in found] == [expected(1), expected(5)] * 2
        assert read(root, every=4).count(Drop("not one of every 4 frames")) == 8

    def test_the_left_camera_is_taken_and_a_folder_chooses(self, root: Path, smooth_image: Draw) -> None:
        write_video(root / "Videos_RightCamera/RightVideoSN001_comp.avi", [200] * LENGTH)
        assert numbers(root)[0].startswith("Videos_RightCamera/")
        write_frames(
            root, "img/LeftVideoSN001_comp", range(1, LENGTH + 1), smooth_image, "LeftVideoSN001_comp_{:04}.png"
        )
        assert numbers(root)[0] == "img/LeftVideoSN001_comp/LeftVideoSN001_comp_0001.png"
        write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", [20] * LENGTH)
        assert numbers(root)[0].startswith("Videos_LeftCamera/")
        assert numbers(root / "Videos_RightCamera")[0].startswith("Videos_RightCamera/")
        assert numbers(root / "img")[0].startswith("img/")

    def test_two_recordings_of_one_kind(self, root: Path, smooth_image: Draw) -> None:
        for folder in ("a/SN001", "b/SN001"):
            write_frames(root, folder, range(1, LENGTH + 1), smooth_image)
        with pytest.raises(DatasetError, match=r"a/SN001 and .*b/SN001 are both of SN001"):
            read(root)

    def test_a_file_that_is_no_video(self, root: Path) -> None:
        path = root / "Videos_LeftCamera/LeftVideoSN001_comp.avi"
        path.parent.mkdir()
        path.write_bytes(b"RIFF")
        with pytest.raises(DatasetError, match="cannot be read as a video"):
            read(root)


def test_imported_with_the_official_folds(root: Path, tmp_path: Path) -> None:
    write_labels(root, "SN003")
    for i, subject in enumerate(("SN001", "SN003", "SN011")):
        levels = [10 * (3 * n + i) for n in range(LENGTH)]
        write_video(root / f"Videos_LeftCamera/LeftVideo{subject}_comp.avi", levels)
    done: list[int] = []
    reader = open_reader("disfa", root)
    summary = import_dataset(reader, tmp_path / "out", advance=done.append)
    assert sum(done) == reader.total == 3 * LENGTH
    assert summary.folds == (LENGTH, LENGTH, LENGTH)
    assert len(reader.sources) == 3 * len(UNITS)
    assert summary.action_units["AU1"] == {"labelled": 18, "positive": 12}
    assert "people of the official folds who are not in this copy: SN002, SN004" in summary.notes[1]
    dataset = Dataset(tmp_path / "out", fold=3)
    assert set(dataset.subject[dataset.split == "test"]) == {"SN003"}
    assert dataset.info.folds == (("SN001",), ("SN011",), ("SN003",))
    assert dataset.image(1).shape == (144, 160, 3)
    assert dataset.paths[1] == "images/Videos_LeftCamera/LeftVideoSN001_comp/00002.jpg"
