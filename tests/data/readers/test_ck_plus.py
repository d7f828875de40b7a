"""CK+: the named peak frame carries the labels, the first one is neutral, and either kind of label may be missing."""

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
from fermobile.labels import ACTION_UNITS

Writer = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Writer:
    """``write("S005", "001", frames=4, emotion=3, facs=[(9, 2)])`` adds a sequence to ``tmp_path / "ck"``."""
    root = tmp_path / "ck"
    for folder in ("cohn-kanade-images", "Emotion", "FACS"):
        (root / folder).mkdir(parents=True)

    def add(
        subject: str, sequence: str, frames: int = 4, emotion: object = None,
        facs: list[tuple[object, object]] | None = None, peak: int | None = None,
    ) -> None:  # fmt: skip
        place, stem = f"{subject}/{sequence}", f"{subject}_{sequence}_{{:08}}"
        for folder in ("cohn-kanade-images", "Emotion", "FACS"):
            (root / folder / place).mkdir(parents=True)
        for frame in range(1, frames + 1):
            image = smooth_image(int(subject[1:]) * 1000 + int(sequence) * 100 + frame, 64)
            cv2.imwrite(str(root / "cohn-kanade-images" / place / f"{stem.format(frame)}.png"), image)
        named = stem.format(peak or frames)
        if emotion is not None:
            text = f"   {emotion:.7e}\n" if isinstance(emotion, int) else str(emotion)
            (root / "Emotion" / place / f"{named}_emotion.txt").write_text(text)
        if facs is not None:
            rows = [
                f"   {unit:.7e}   {grade:.7e}\n" if isinstance(unit, int) else f"{unit} {grade}\n"
                for unit, grade in facs
            ]
            (root / "FACS" / place / f"{named}_facs.txt").write_text("".join(rows))

    return add


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ck"


def read(path: Path) -> list[Face | Reject | Drop | Note]:
    return list(open_reader("ck-plus", path).read(lambda n: None))


def test_first_frame_neutral_last_frame_labelled(root: Path, write: Writer) -> None:
    write("S005", "001", emotion=3, facs=[(9, 2), (17, 0)])
    neutral, drop, other, peak = read(root)
    assert isinstance(neutral, Face) and isinstance(peak, Face)
    assert (neutral.emotion, neutral.subject, neutral.where) == (
        "neutral", "S005", "cohn-kanade-images/S005/001/S005_001_00000001.png",
    )  # fmt: skip
    assert set(neutral.aus) == set(ACTION_UNITS) and not any(neutral.aus.values())
    assert drop == other == Drop("between the neutral and the peak frame")
    assert (peak.emotion, Path(peak.where).name) == ("disgust", "S005_001_00000004.png")
    assert {unit for unit, value in peak.aus.items() if value} == {"AU9", "AU17"}  # 0: present, strength unknown
    assert set(peak.aus) == set(ACTION_UNITS)


@pytest.mark.parametrize(
    ("number", "emotion"),
    enumerate(("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")),
)
def test_the_order_of_the_emotions(root: Path, write: Writer, number: int, emotion: str) -> None:
    write("S010", "002", emotion=number)
    assert read(root)[-1].emotion == emotion  # type: ignore[union-attr]


def test_sequences_without_an_emotion_or_any_label_are_normal(root: Path, write: Writer) -> None:
    write("S005", "001", facs=[(1, 3)])
    write("S005", "002", emotion=5)
    write("S005", "003")
    items = [item for item in read(root) if item != Drop("between the neutral and the peak frame")]
    assert [(i.emotion, i.aus.get("AU1")) for i in items if isinstance(i, Face)] == [
        ("neutral", 0), ("", 1), ("neutral", 0), ("happiness", None), ("neutral", 0),
    ]  # fmt: skip
    assert items[-1] == Drop("peak frame without a label")


def test_action_units_that_fermobile_does_not_know_are_left_out_and_counted(root: Path, write: Writer) -> None:
    write("S005", "001", facs=[(1, 3), (38, 0), (11, 1)])
    write("S010", "001", facs=[(38, 0)])
    *_, peak, note = read(root)
    assert isinstance(peak, Face) and not any(peak.aus.values())
    assert isinstance(note, Note) and "how often they are coded: 11 (1), 38 (2)" in note.text


def test_the_label_is_of_the_frame_that_it_names(root: Path, write: Writer) -> None:
    """A copy that lacks the last images would otherwise give a half-made face the peak's label."""
    write("S005", "001", frames=3, emotion=3, peak=4)
    write("S005", "002", frames=5, emotion=3, peak=4)
    items = read(root)
    assert items[2] == Reject(
        "cohn-kanade-images/S005/001", "the labels are of S005_001_00000004, of which there is no image"
    )
    assert isinstance(items[-1], Face) and Path(items[-1].where).name == "S005_002_00000004.png"


def test_a_copy_without_the_first_frames_has_no_neutral_face(root: Path, write: Writer) -> None:
    """Copies with the last three frames of a sequence are common: the first of those is half a smile."""
    write("S005", "001", frames=5, emotion=3, facs=[(9, 2)])
    images = sorted((root / "cohn-kanade-images/S005/001").iterdir())
    for image in images[:2]:
        image.unlink()
    missing, *between, peak = read(root)
    assert missing == Drop("sequence of which the first frame is missing: no neutral face of it")
    assert between == [Drop("between the neutral and the peak frame")] * 2
    assert isinstance(peak, Face) and peak.emotion == "disgust"
    for image in images[2:4]:
        image.unlink()
    missing, peak = read(root)
    assert isinstance(missing, Drop) and isinstance(peak, Face) and peak.emotion == "disgust"


@pytest.mark.parametrize("frames", [1, 4])
def test_the_first_frame_is_not_both_neutral_and_labelled(root: Path, write: Writer, frames: int) -> None:
    write("S005", "001", frames=frames, emotion=3, peak=1)
    assert read(root) == [
        Reject("cohn-kanade-images/S005/001", "its labels are of the first frame, which should be the neutral one")
    ]


def test_labels_without_any_image_of_their_sequence_are_listed(root: Path, write: Writer) -> None:
    write("S005", "001", emotion=3)
    write("S005", "002", frames=0, emotion=3, facs=[(9, 2)])
    write("S010", "001", frames=0, facs=[(9, 2)])
    (root / "cohn-kanade-images/S010/001").rmdir()
    said = "sequences with labels and no image: 2, for example cohn-kanade-images/S005/002"
    assert [item for item in read(root) if isinstance(item, Note)] == [Note(said)]


def test_labels_of_different_frames(root: Path, write: Writer) -> None:
    write("S005", "001", emotion=3, facs=[(1, 1)])
    file = next((root / "FACS/S005/001").iterdir())
    file.rename(file.with_name("S005_001_00000003_facs.txt"))
    reject = read(root)[-1]
    assert isinstance(reject, Reject)
    assert reject.reason == "its labels are of different frames: S005_001_00000003 and S005_001_00000004"


def test_two_label_files_of_one_sequence(root: Path, write: Writer) -> None:
    write("S005", "001", emotion=3)
    (root / "Emotion/S005/001/S005_001_00000003_emotion.txt").write_text("5.0\n")
    with pytest.raises(
        DatasetError, match=r"S005_001_00000003_emotion\.txt and S005_001_00000004_emotion\.txt label one"
    ):
        read(root)


@pytest.mark.parametrize(
    ("emotion", "facs", "said"),
    [
        (8, None, "'8.0000000e+00' is not one number from 0 to 7"),
        ("1.5", None, "'1.5' is not one number"),
        ("", None, "'' is not one number"),
        ("happy", None, "could not convert"),
        (3, [("1", "7")], "'1 7' is not an action unit and its intensity"),
        (3, [("1", "")], "'1' is not an action unit and its intensity"),
        (3, [("1.5", "1")], "'1.5' is not the number of an action unit"),
        (3, [("inf", "1")], "'inf' is not the number of an action unit"),
        (3, [("1e400", "1")], "'1e400' is not the number of an action unit"),
    ],
)
def test_broken_labels_are_listed(
    root: Path, write: Writer, emotion: object, facs: list[tuple[object, object]] | None, said: str
) -> None:
    write("S005", "001", emotion=emotion, facs=facs)
    reject = read(root)[-1]
    assert isinstance(reject, Reject) and said in reject.reason
    assert reject.where.startswith(("Emotion/S005/001", "FACS/S005/001"))


def test_the_folders_that_the_archives_unpack_into(root: Path, write: Writer) -> None:
    write("S005", "001", emotion=3, facs=[(1, 1)])
    for old, new in (
        ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images"),
        ("Emotion", "Emotion_labels/Emotion"),
        ("FACS", "FACS_labels/FACS"),
    ):
        (root / new).parent.mkdir()
        (root / old).rename(root / new)
    peak = read(root)[-1]
    assert isinstance(peak, Face) and peak.emotion == "disgust" and peak.aus["AU1"] == 1


def test_missing_parts(root: Path, write: Writer) -> None:
    with pytest.raises(DatasetError, match="holds no sequence such as S005/001"):
        read(root)
    write("S005", "001", emotion=3)
    (root / "FACS").rename(root / "gone")
    assert open_reader("ck-plus", root).action_units == ()
    (root / "Emotion").rename(root / "gone too")
    with pytest.raises(DatasetError, match="no labels of CK"):
        read(root)


def test_imported_with_ten_folds_by_subject(root: Path, write: Writer, tmp_path: Path) -> None:
    for number in range(12):
        write(f"S{number:03}", "001", emotion=1 + number % 7, facs=[(4, 1)])
    reader, done = open_reader("ck-plus", root), []
    summary = import_dataset(reader, tmp_path / "out", advance=done.append)
    assert sum(done) == reader.total == 48
    assert summary.folds == (4, 4, *[2] * 8)
    assert len(reader.sources) == 24
    dataset = Dataset(tmp_path / "out", fold=1)
    assert set(dataset.subject[dataset.split == "test"]) == {"S000", "S010"}
    assert summary.action_units["AU4"] == {"labelled": 24, "positive": 12}
