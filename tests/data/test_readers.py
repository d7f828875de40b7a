"""Readers turn each layout as distributed into labelled faces, and refuse what is structurally broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.readers import READERS, open_reader
from fermobile.data.readers.base import Drop, Face, Reject
from fermobile.errors import DatasetError, InputError

Writer = Callable[..., Path]


def read(name: str, path: Path) -> list[Face | Reject | Drop]:
    return list(open_reader(name, path).read(lambda n: None))


def test_unknown_reader_lists_the_choices() -> None:
    with pytest.raises(InputError, match=r"choose from: fer2013, ferplus, .*imagefolder"):
        open_reader("raf", "x")


@pytest.mark.parametrize("name", READERS)
def test_missing_source_is_a_dataset_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        open_reader(name, tmp_path / "nowhere")


class TestFer2013:
    def test_labels_pixels_and_usage(self, write_fer: Writer, smooth_image: Callable[..., np.ndarray]) -> None:
        usages = ["Training", "PublicTest", "PrivateTest"]
        faces = read("fer2013", write_fer([(label, label, usages[label % 3]) for label in range(7)]))
        expected = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
        assert [f.emotion for f in faces] == expected
        assert [f.split for f in faces[:3]] == ["train", "val", "test"]
        assert np.array_equal(faces[4].image, smooth_image(4))

    def test_takes_the_csv_itself(self, write_fer: Writer) -> None:
        assert len(read("fer2013", write_fer([(0, 1, "Training")]) / "fer2013.csv")) == 1

    def test_columns_in_another_order_with_blanks_and_a_byte_order_mark(
        self, write_fer: Writer, smooth_image: Callable[..., np.ndarray]
    ) -> None:
        pixels = " ".join(map(str, smooth_image(1).ravel()))
        folder = write_fer([(3, "Training", pixels)], header="\ufeffemotion, Usage, pixels")
        (face,) = read("fer2013", folder)
        assert (face.emotion, face.split) == ("happiness", "train")

    @pytest.mark.parametrize(
        ("label", "pixels", "said"),
        [
            ("7", None, "column emotion: '7' is not a label"),
            ("", None, "column emotion"),
            ("x", None, "column emotion"),
            ("0", "1 2 3", "column pixels: 3 values, expected 2304"),
            ("0", "", "column pixels: 0 values"),
            ("0", " ".join(["256"] * 2304), "column pixels: '256'"),
            ("0", " ".join(["-1"] * 2304), "column pixels: '-1'"),
            ("0", " ".join(["1.5"] * 2304), "column pixels: '1.5'"),
            ("0", " ".join(["red"] * 2304), "column pixels: 'red'"),
            ("0", " ".join(["1"] * 2305), "column pixels: 2305 values"),
        ],
    )
    def test_a_broken_sample_is_rejected_with_line_and_column(
        self, write_fer: Writer, label: str, pixels: str | None, said: str
    ) -> None:
        folder = write_fer([(0, 1, "Training"), (label, 2 if pixels is None else pixels, "Training")])
        good, bad = read("fer2013", folder)
        assert isinstance(good, Face)
        assert isinstance(bad, Reject)
        assert bad.where == f"{folder / 'fer2013.csv'}, line 3"
        assert said in bad.reason

    def test_unknown_usage_stops(self, write_fer: Writer) -> None:
        with pytest.raises(DatasetError, match=r"line 2, column Usage: 'Train' is not one of Training, PublicTest"):
            read("fer2013", write_fer([(0, 1, "Train")]))

    @pytest.mark.parametrize("kept", [1, 10, 5000])
    def test_a_cut_last_line_stops(self, write_fer: Writer, kept: int) -> None:
        path = write_fer([(0, 1, "Training"), (0, 2, "Training")]) / "fer2013.csv"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:2]) + lines[2][:kept])
        with pytest.raises(DatasetError, match=r"line 3: \d field\(s\), expected 3; is the file cut off"):
            read("fer2013", path)

    def test_cut_pixels_at_the_end_of_the_file_stop(self, write_fer: Writer) -> None:
        """As in icml_face_data.csv, where the pixels come last and a cut line has all its fields."""
        pixels = " ".join(["7"] * 2304)
        path = write_fer([(0, "Training", pixels)] * 2, header="emotion, Usage, pixels") / "fer2013.csv"
        whole = path.read_text()
        path.write_text(whole.removesuffix("\n"))
        assert len(read("fer2013", path)) == 2
        path.write_text(whole[:-9])
        with pytest.raises(DatasetError, match=r"line 3, column pixels: 2300 values.*cut off"):
            read("fer2013", path)

    def test_a_cut_usage_stops(self, write_fer: Writer) -> None:
        path = write_fer([(0, 1, "Training"), (0, 2, "Training")]) / "fer2013.csv"
        path.write_text(path.read_text()[:-4])
        with pytest.raises(DatasetError, match=r"line 3, column Usage: 'Train' .*cut off"):
            read("fer2013", path)

    def test_progress_adds_up_to_the_file(self, write_fer: Writer) -> None:
        reader = open_reader("fer2013", write_fer([(0, i, "Training") for i in range(3)]))
        done: list[int] = []
        list(reader.read(done.append))
        assert sum(done) == reader.total


class TestFerPlus:
    @pytest.mark.parametrize(
        ("votes", "emotion", "kept"),
        [
            ("0,9,0,0,0,0,0,0,1,0", "happiness", (0, 9, 0, 0, 0, 0, 0, 0)),  # single votes are outliers
            ("5,1,0,0,0,0,0,0,4,0", "neutral", (5, 0, 0, 0, 0, 0, 0, 0)),  # 5 of 9 is more than half
            ("5,0,0,0,0,0,0,0,5,0", "", (5, 0, 0, 0, 0, 0, 0, 0)),  # 5 of 10 is not
            ("4,0,0,3,2,1,0,0,0,0", "", (4, 0, 0, 3, 2, 0, 0, 0)),  # 4 of 9: a soft label only
            ("0,0,0,0,0,0,2,8,0,0", "contempt", (0, 0, 0, 0, 0, 0, 2, 8)),
            ("3,0,0,0,0,0,0,0,2,0", "neutral", (3, 0, 0, 0, 0, 0, 0, 0)),  # unknown counts in the half
            ("3,0,0,0,0,0,0,0,3,0", "", (3, 0, 0, 0, 0, 0, 0, 0)),
        ],
    )
    def test_majority_and_soft_labels(
        self, write_fer: Writer, votes: str, emotion: str, kept: tuple[float, ...]
    ) -> None:
        (face,) = read("ferplus", write_fer([(0, 1, "Training")], [f"Training,a.png,{votes}"]))
        assert isinstance(face, Face)
        assert (face.emotion, face.votes) == (emotion, kept)

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("Training,a.png,2,0,0,0,0,0,0,0,8,0", "annotated as unknown"),
            ("Training,a.png,0,0,0,0,0,0,0,0,0,10", "annotated as NF"),
            ("Training,,0,0,0,0,0,0,0,0,0,10", "no face (empty image name)"),
            ("Training,a.png,1,1,1,1,1,1,1,1,1,1", "no two annotators agree"),
        ],
    )
    def test_what_the_protocol_drops(self, write_fer: Writer, row: str, reason: str) -> None:
        assert read("ferplus", write_fer([(0, 1, "Training")], [row])) == [Drop(reason)]

    def test_rows_without_a_face_keep_the_files_aligned(self, write_fer: Writer) -> None:
        votes = [
            "Training,a.png,9,0,0,0,0,0,0,0,0,0",
            "Training,,0,0,0,0,0,0,0,0,0,0",
            "PublicTest,c.png,0,9,0,0,0,0,0,0,0,0",
        ]
        first, second, third = read(
            "ferplus", write_fer([(0, 1, "Training"), (0, 2, "Training"), (0, 3, "PublicTest")], votes)
        )
        assert isinstance(first, Face) and isinstance(second, Drop) and isinstance(third, Face)
        assert (third.emotion, third.split) == ("happiness", "val")

    @pytest.mark.parametrize("vote", ["x", "-1", "1.5", "", "1000", "²"])
    def test_broken_vote_is_rejected(self, write_fer: Writer, vote: str) -> None:
        (reject,) = read("ferplus", write_fer([(0, 1, "Training")], [f"Training,a.png,{vote},9,0,0,0,0,0,0,0,0"]))
        assert isinstance(reject, Reject)
        assert "fer2013new.csv, line 2" in reject.where
        assert "column neutral" in reject.reason

    @pytest.mark.parametrize(("faces", "votes"), [(2, 3), (3, 2), (0, 1), (1, 0)])
    def test_files_of_unequal_length_stop(self, write_fer: Writer, faces: int, votes: int) -> None:
        folder = write_fer([(0, 1, "Training")] * faces, ["Training,a.png,9,0,0,0,0,0,0,0,0,0"] * votes)
        with pytest.raises(DatasetError, match=rf"has {faces} rows and .* has {votes}"):
            read("ferplus", folder)

    def test_files_that_are_not_aligned_stop(self, write_fer: Writer) -> None:
        folder = write_fer([(0, 1, "Training")], ["PublicTest,a.png,9,0,0,0,0,0,0,0,0,0"])
        with pytest.raises(DatasetError, match="not row by row the same faces"):
            read("ferplus", folder)

    @pytest.fixture
    def write_many(self, write_fer: Writer) -> Writer:
        """``write_many(1000, shifted=range(500, 1000))``: rows whose votes, but in every third, are for the label.

        The shifted ones have the votes of the row before, as when each file lacks another row.
        """
        columns = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
        order = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
        pixels = " ".join(["7"] * 2304)

        def votes(row: int) -> str:
            counts = [0] * 10
            counts[columns.index(order[(row + (row % 3 == 0)) % 7])] = 9
            return f"Training,a.png,{','.join(map(str, counts))}"

        def write(rows: int, shifted: range = range(0)) -> Path:
            return write_fer(
                [(row % 7, pixels, "Training") for row in range(rows)],
                [votes(row - 1 if row in shifted else row) for row in range(rows)],
            )

        return write

    def test_labels_that_differ_from_the_votes_as_often_as_they_do(self, write_many: Writer) -> None:
        assert len(read("ferplus", write_many(1200))) == 1200

    def test_votes_shifted_by_a_row_stop(self, write_many: Writer) -> None:
        """Usage and the number of rows still fit."""
        with pytest.raises(
            DatasetError, match=r"fer2013\.csv, lines 502 to 1001: only 33% .*fer2013new\.csv, line 1001 and before"
        ):
            read("ferplus", write_many(1200, shifted=range(500, 1000)))

    def test_the_last_rows_are_judged_where_they_are_enough(self, write_many: Writer) -> None:
        with pytest.raises(DatasetError, match="lines 502 to 701: only"):
            read("ferplus", write_many(700, shifted=range(500, 700)))
        assert len(read("ferplus", write_many(699, shifted=range(500, 699)))) == 699

    def test_a_file_instead_of_the_folder(self, write_fer: Writer) -> None:
        with pytest.raises(DatasetError, match="give the folder that holds"):
            open_reader("ferplus", write_fer([(0, 1, "Training")]) / "fer2013.csv")

    def test_missing_votes_file(self, write_fer: Writer) -> None:
        with pytest.raises(DatasetError, match=r"fer2013new\.csv does not exist"):
            open_reader("ferplus", write_fer([(0, 1, "Training")]))


class TestImageFolder:
    def test_split_and_class_aliases(self, write_folder: Writer) -> None:
        faces = read("imagefolder", write_folder({"Training/Happy": 1, "valid/sad": 1, "test/AN": 1}))
        assert {(f.split, f.emotion) for f in faces} == {
            ("train", "happiness"),
            ("val", "sadness"),
            ("test", "anger"),
        }

    def test_fer2013_in_folders(self, write_folder: Writer) -> None:
        """As on Kaggle: classes in alphabetical order, PublicTest and PrivateTest together in test."""
        classes = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
        source = write_folder({f"{split}/{name}": 1 for split in ("train", "test") for name in classes}, channels=1)
        faces = read("imagefolder", source)
        emotions = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
        assert [(f.split, f.emotion) for f in faces] == [(s, e) for s in ("test", "train") for e in emotions]

    def test_without_splits(self, write_folder: Writer) -> None:
        faces = read("imagefolder", write_folder({"happy": 2, "fear": 1}))
        assert [(f.split, f.emotion) for f in faces] == [("", "fear"), ("", "happiness"), ("", "happiness")]

    def test_unknown_class_lists_the_known(self, write_folder: Writer) -> None:
        with pytest.raises(DatasetError, match=r"bored.*unknown emotion 'bored'; known: neutral, happiness"):
            open_reader("imagefolder", write_folder({"train/happy": 1, "train/bored": 1}))

    def test_empty_class(self, write_folder: Writer) -> None:
        with pytest.raises(DatasetError, match="fear: the class is empty"):
            open_reader("imagefolder", write_folder({"train/happy": 1, "train/fear": 0}))

    def test_a_stray_folder_beside_the_splits(self, write_folder: Writer) -> None:
        with pytest.raises(DatasetError, match="holdout beside the split folder"):
            open_reader("imagefolder", write_folder({"train/happy": 1, "holdout/happy": 1}))

    def test_no_class_folders(self, write_folder: Writer) -> None:
        with pytest.raises(DatasetError, match="no class folders"):
            open_reader("imagefolder", write_folder({"train": 2}))

    def test_what_is_no_image_is_listed_and_hidden_files_are_not(self, write_folder: Writer) -> None:
        root = write_folder({"train/happy": 1})
        for name in ("train/happy/a.gif", "train/loose.png", "loose.jpg", "train/notes.txt", "train/happy/.b.png"):
            (root / name).touch()
        (root / "train/happy/.thumbs").mkdir()
        (root / "train/happy/.thumbs/c.png").touch()
        face, gif, *loose = read("imagefolder", root)
        assert isinstance(face, Face)
        assert isinstance(gif, Reject) and (gif.where, gif.reason[:19]) == ("train/happy/a.gif", "not an image format")
        assert [item.where for item in loose if isinstance(item, Reject)] == ["loose.jpg", "train/loose.png"]
        assert open_reader("imagefolder", root).total == 4

    def test_a_name_that_is_not_utf_8_is_listed(self, write_folder: Writer) -> None:
        root = write_folder({"train/happy": 1})
        (root / "train/happy" / os.fsdecode(b"caf\xe9.png")).touch()
        items = read("imagefolder", root)
        assert sum(isinstance(item, Face) for item in items) == 1
        assert Reject("train/happy/caf\\xe9.png", "the file name is not UTF-8 text; rename the file") in items
