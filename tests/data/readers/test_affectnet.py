"""AffectNet: the lists of 2017 with their boxes, the array files of 2021, and what neither may do."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.data.importer import import_dataset
from fermobile.data.manifest import Dataset
from fermobile.data.readers import open_reader
from fermobile.data.readers.affectnet import SIDE
from fermobile.data.readers.base import Drop, Face, Reject
from fermobile.errors import DatasetError

HEADER = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height",
    "facial_landmarks", "expression", "valence", "arousal",
)  # fmt: skip
EMOTIONS = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]


def read(path: Path) -> list[Face | Reject | Drop]:
    return list(open_reader("affectnet", path).read(lambda n: None))


def row(name: str, expression: object = 1, box: Sequence[object] = (40, 30, 100, 100), valence: str = "0.5") -> list:
    return [name, *box, "50.1;60.2;70.3;60.4", expression, valence, "-0.1"]


class TestLists:
    @pytest.fixture
    def write(self, tmp_path: Path) -> Callable[..., Path]:
        """``write(training rows, validation rows)``: the distribution's tree, with photos a.png and v.png."""

        def write(training: Sequence[list], validation: Sequence[list] = (), header: Sequence[str] = HEADER) -> Path:
            root = tmp_path / "AffectNet"
            lists = root / "Manually_Annotated_file_lists"
            lists.mkdir(parents=True)
            for name, rows in (("training.csv", training), ("validation.csv", validation)):
                with (lists / name).open("w", newline="") as stream:
                    csv.writer(stream).writerows([header, *rows])
            photos = root / "Manually_Annotated_Images" / "689"
            photos.mkdir(parents=True)
            photo = np.zeros((240, 320, 3), np.uint8)
            photo[:, :, 0] = np.arange(320) // 2  # red tells the column, green the row
            photo[:, :, 1] = np.arange(240)[:, None]
            for name in ("a.png", "v.png"):
                cv2.imwrite(str(photos / name), photo[..., ::-1])
            return root

        return write

    def test_labels_and_splits(self, write: Callable[..., Path]) -> None:
        root = write([row("689/a.png", label) for label in range(8)], [row("689/v.png", 0)])
        faces = [item for item in read(root) if isinstance(item, Face)]
        assert [face.emotion for face in faces] == [*EMOTIONS, "neutral"]
        assert [face.split for face in faces] == ["train"] * 8 + ["val"]

    def test_the_box_is_cut_out_with_its_margin(self, write: Callable[..., Path]) -> None:
        """A box of 100 x 80 around (150, 120): a square of 120 from column 90 to 210, row 60 to 180."""
        (face,) = read(write([row("689/a.png", 1, (100, 80, 100, 80))]))
        assert isinstance(face, Face) and isinstance(face.image, np.ndarray)
        assert (face.image.shape, face.image.dtype) == ((SIDE, SIDE, 3), np.uint8)
        red, green = face.image[..., 0].astype(float), face.image[..., 1].astype(float)
        assert np.abs(green[[0, -1]].mean(1) - [60, 179]).max() < 1.5
        assert np.abs(red[:, [0, -1]].mean(0) - [45, 104.5]).max() < 1.5

    def test_a_box_at_the_edge_repeats_the_edge(self, write: Callable[..., Path]) -> None:
        (face,) = read(write([row("689/a.png", 1, (0, 100, 100, 100))]))
        assert isinstance(face, Face) and isinstance(face.image, np.ndarray)
        assert (face.image[:, :10, 0] == 0).all()
        assert 50 < face.image[0, -1, 0] <= 55

    @pytest.mark.parametrize(
        ("label", "reason"),
        [(8, "annotated as none"), (9, "annotated as uncertain"), (10, "annotated as no face")],
    )
    def test_what_is_no_emotion_is_dropped(self, write: Callable[..., Path], label: int, reason: str) -> None:
        assert read(write([row("689/a.png", label)])) == [Drop(reason)]

    def test_a_negative_width_is_dropped(self, write: Callable[..., Path]) -> None:
        assert read(write([row("689/a.png", 1, (40, 30, -1, -1))])) == [Drop("no face box (face_width is negative)")]

    @pytest.mark.parametrize("name", ["689/A.PNG", "689/a.png", "689/A.png"])
    def test_paths_may_differ_in_case(self, write: Callable[..., Path], name: str) -> None:
        (face,) = read(write([row(name)]))
        assert isinstance(face, Face)

    def test_a_case_that_two_files_share_is_not_guessed(self, write: Callable[..., Path]) -> None:
        root = write([row("689/A.PNG")])
        photos = root / "Manually_Annotated_Images" / "689"
        (photos / "A.png").write_bytes((photos / "a.png").read_bytes())
        (reject,) = read(root)
        assert isinstance(reject, Reject) and "689/A.PNG: no such image" in reject.reason

    def test_decimal_commas(self, write: Callable[..., Path]) -> None:
        dot, comma = read(
            write(
                [
                    row("689/a.png", 1, ("40.5", "30", "100", "100")),
                    row("689/a.png", 1, ("40,5", "30", "100,0", "100"), valence="0,5"),
                ]
            )
        )
        assert isinstance(dot, Face) and isinstance(comma, Face)
        assert np.array_equal(dot.image, comma.image)

    def test_unquoted_decimal_commas_stop(self, write: Callable[..., Path]) -> None:
        root = write([row("689/a.png")])
        with (root / "Manually_Annotated_file_lists" / "training.csv").open("a") as stream:
            stream.write("689/a.png,40,30,100,100,1;2,1,0,5,0,1\n")
        with pytest.raises(DatasetError, match=r"training\.csv, line 3: 11 field\(s\), expected 9"):
            read(root)

    @pytest.mark.parametrize(
        ("bad", "said"),
        [
            (row("689/a.png", 11), "expression '11' is not a label from 0 to 10"),
            (row("689/a.png", "x"), "expression 'x'"),
            (row("689/a.png", -1), "expression '-1'"),
            (row("689/a.png", 1, ("NULL", 30, 100, 100)), "column face_x: 'NULL' is not a number of pixels"),
            (row("689/a.png", 1, (40, 30, "nan", 100)), "column face_width: 'nan'"),
            (row("689/a.png", 1, (40, 30, "1e300", 100)), "column face_width: '1e300'"),
            (row("689/a.png", 1, (40, 30, 0, 100)), "does not lie in the photo of 320 x 240 pixels"),
            (row("689/a.png", 1, (400, 30, 100, 100)), "does not lie in the photo"),
            (row("689/a.png", 1, (-9000, -9000, 18300, 18300)), "does not lie in the photo"),
            (row("689/b.png"), "689/b.png: no such image"),
            (row("690/a.png"), "690/a.png: no such image"),
            (row("../../outside.png"), "no such image"),
            (row("/etc/hostname"), "no such image"),
            (row(""), "no such image"),
            (row("689/broken.png"), "689/broken.png: the file is cut off"),
        ],
    )
    def test_broken_rows_are_listed_with_their_line(self, write: Callable[..., Path], bad: list, said: str) -> None:
        root = write([row("689/a.png"), bad])
        photos = root / "Manually_Annotated_Images" / "689"
        (photos / "broken.png").write_bytes((photos / "a.png").read_bytes()[:200])
        (root.parent / "outside.png").write_bytes((photos / "a.png").read_bytes())
        good, reject = read(root)
        assert isinstance(good, Face)
        assert isinstance(reject, Reject)
        assert reject.where.endswith("training.csv, line 3")
        assert said in reject.reason

    def test_an_image_in_both_lists_stops(self, write: Callable[..., Path]) -> None:
        with pytest.raises(DatasetError, match=r"training\.csv, line 2: 689/a\.png is also in .*validation\.csv"):
            read(write([row("689/a.png", 1)], [row("689/A.png", 2)]))

    def test_faces_are_packed_and_the_validation_part_is_test(self, write: Callable[..., Path], tmp_path: Path) -> None:
        training = [row("689/a.png", i % 8, (10 * i, 5 * i, 80, 80)) for i in range(20)]
        root = write(training, [row("689/v.png", 1, (220, 140, 60, 60))])
        summary = import_dataset(open_reader("affectnet", root), tmp_path / "out")
        dataset = Dataset(tmp_path / "out")
        assert "validation part, its only held-out one, is test" in summary.split_rule
        assert dataset.split[-1] == "test"
        assert dataset.paths[3] == "shard-0000.npy:3"
        assert set(dataset.info.extra["import"]["sources"]) == {"training.csv", "validation.csv"}

    def test_lists_beside_the_photos(self, write: Callable[..., Path]) -> None:
        root = write([row("689/a.png")])
        for name in ("training.csv", "validation.csv"):
            (root / "Manually_Annotated_file_lists" / name).rename(root / name)
        assert isinstance(read(root)[0], Face)

    def test_a_missing_column(self, write: Callable[..., Path]) -> None:
        with pytest.raises(DatasetError, match=r"training\.csv: missing column\(s\) expression"):
            read(write([row("689/a.png")], header=("subDirectory_filePath", *HEADER[1:6], "label", *HEADER[7:])))

    def test_missing_photos(self, write: Callable[..., Path]) -> None:
        root = write([row("689/a.png")])
        (root / "Manually_Annotated_Images").rename(root / "photos")
        with pytest.raises(DatasetError, match=r"no photos of AffectNet: none of .*Manually_Annotated_Images"):
            read(root)


class TestArrays:
    @pytest.fixture
    def root(self, tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Path:
        """The tree of 2021: eleven training images, numbered with gaps, and one of the validation part."""
        for name, numbers in (("train_set", [*range(9), 10, 100]), ("val_set", [7])):
            for part in ("images", "annotations"):
                (tmp_path / name / part).mkdir(parents=True)
            for n in numbers:
                cv2.imwrite(str(tmp_path / name / f"images/{n}.jpg"), smooth_image(n + len(name), 224, 3))
                annotation = f"{tmp_path}/{name}/annotations/{n}"
                np.save(f"{annotation}_exp.npy", np.array(str(n % 8)))
                np.save(f"{annotation}_val.npy", np.array("0.25"))
                np.save(f"{annotation}_aro.npy", np.array("-0.5"))
                np.save(f"{annotation}_lnd.npy", np.zeros(136))
        return tmp_path

    def test_labels_are_text_and_images_come_by_number(self, root: Path) -> None:
        faces = [item for item in read(root) if isinstance(item, Face)]
        assert [Path(face.where).stem for face in faces] == [*map(str, range(9)), "10", "100", "7"]
        assert [face.emotion for face in faces[:8]] == EMOTIONS
        assert [face.split for face in faces] == ["train"] * 11 + ["val"]

    def test_images_are_copied_as_they_are(self, root: Path, tmp_path: Path) -> None:
        import_dataset(open_reader("affectnet", root), tmp_path / "out")
        copied = tmp_path / "out" / "images" / "train_set" / "images" / "10.jpg"
        assert copied.read_bytes() == (root / "train_set/images/10.jpg").read_bytes()

    def test_a_pickled_label_is_refused_unread(self, root: Path, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[object, ...]:
                return (Path(tmp_path / "sprung").touch, ())

        np.save(root / "train_set/annotations/3_exp.npy", np.array(Trap(), dtype=object), allow_pickle=True)
        (root / "train_set/annotations/4_exp.npy").write_bytes(pickle.dumps(Trap()))
        rejects = [item for item in read(root) if isinstance(item, Reject)]
        assert [reject.where for reject in rejects] == ["train_set/images/3.jpg", "train_set/images/4.jpg"]
        assert all("pickled objects, which are never loaded" in reject.reason for reject in rejects)
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize(
        ("label", "said"),
        [
            (np.array("11"), "expression '11'"),
            (np.array(""), "expression ''"),
            (np.array(["1", "2"]), "2 labels, expected one"),
            (np.zeros(0), "0 labels"),
            (np.array(1.5), "expression '1.5'"),
            (np.zeros(4096), "too large for a label"),
        ],
    )
    def test_broken_labels_are_listed(self, root: Path, label: np.ndarray, said: str) -> None:
        np.save(root / "val_set/annotations/7_exp.npy", label)
        (reject,) = [item for item in read(root) if isinstance(item, Reject)]
        assert reject.where == "val_set/images/7.jpg"
        assert f"val_set/annotations/7_exp.npy: {said}" in reject.reason

    @pytest.mark.parametrize(
        "header",
        [b"{", b"1\n  2\n 3", b"{'descr': '<,1', 'fortran_order': False, 'shape': (), }", b"-" * 3000 + b"1"],
        ids=["token", "indentation", "syntax", "recursion"],
    )
    def test_a_garbled_header_is_listed(self, root: Path, header: bytes) -> None:
        """Numpy parses it as Python, whose errors are no ValueError."""
        data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        (root / "val_set/annotations/7_exp.npy").write_bytes(data)
        (reject,) = [item for item in read(root) if isinstance(item, Reject)]
        assert (reject.where, "7_exp.npy: damaged" in reject.reason) == ("val_set/images/7.jpg", True)

    def test_what_macos_leaves_beside_the_files_is_passed_over(self, root: Path) -> None:
        for name in ("annotations/._7_exp.npy", "images/._7.jpg"):
            (root / "val_set" / name).write_bytes(b"\0\5\x16\7")
        assert not [item for item in read(root) if isinstance(item, Reject)]

    @pytest.mark.parametrize("label", [np.array("3"), np.array(["3"]), np.array(3), np.array(3, np.uint8)])
    def test_forms_of_a_label(self, root: Path, label: np.ndarray) -> None:
        np.save(root / "val_set/annotations/7_exp.npy", label)
        face = read(root)[-1]
        assert isinstance(face, Face)
        assert face.emotion == "surprise"

    def test_what_is_no_emotion_is_dropped(self, root: Path) -> None:
        np.save(root / "val_set/annotations/7_exp.npy", np.array("10"))
        assert read(root)[-1] == Drop("annotated as no face")

    def test_an_image_without_a_label_and_a_label_without_an_image(self, root: Path) -> None:
        (root / "train_set/annotations/3_exp.npy").unlink()
        (root / "train_set/images/5.jpg").unlink()
        assert [item for item in read(root) if isinstance(item, Reject)] == [
            Reject("train_set/images/3.jpg", "train_set/annotations/3_exp.npy: No such file or directory"),
            Reject("train_set/annotations/5_exp.npy", "there is no image of that number"),
        ]

    @given(data=st.binary(max_size=200), whole=st.booleans())
    def test_any_bytes_are_a_label_or_a_reject(
        self, data: bytes, whole: bool, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("any")
        for part in ("images", "annotations"):
            (folder / "val_set" / part).mkdir(parents=True)
        (folder / "val_set/images/1.jpg").touch()
        head = b"" if whole else b"\x93NUMPY\x01\x00"
        (folder / "val_set/annotations/1_exp.npy").write_bytes(head + data)
        (item,) = read(folder)
        assert isinstance(item, Reject)

    def test_a_set_without_annotations(self, root: Path) -> None:
        (root / "val_set/annotations").rename(root / "val_set/labels")
        with pytest.raises(DatasetError, match=r"val_set/annotations does not exist"):
            read(root)


def test_neither_or_both_distributions(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither training\.csv or validation\.csv .* nor train_set/ or val_set/"):
        open_reader("affectnet", tmp_path)
    (tmp_path / "train_set").mkdir()
    (tmp_path / "training.csv").touch()
    with pytest.raises(DatasetError, match=r"holds both .*training\.csv and .*train_set"):
        open_reader("affectnet", tmp_path)
