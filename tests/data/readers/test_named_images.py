"""KDEF and JAFFE: labels and people from file names; what is misnamed is listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.data.importer import import_dataset
from fermobile.data.manifest import Dataset
from fermobile.data.readers import open_reader
from fermobile.data.readers.base import Drop, Face, Reject
from fermobile.errors import DatasetError


@pytest.fixture
def write(tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Callable[[Sequence[str]], Path]:
    """Write one image per name, each unlike the others."""

    def write(names: Sequence[str]) -> Path:
        for i, name in enumerate(names):
            file = tmp_path / "source" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            ending = ".jpg" if file.suffix == ".JPG" else file.suffix
            file.write_bytes(cv2.imencode(ending, smooth_image(i, 64))[1].tobytes())
        return tmp_path / "source"

    return write


def read(name: str, path: Path) -> list[Face | Reject | Drop]:
    return list(open_reader(name, path).read(lambda n: None))


class TestKdef:
    def test_emotion_and_person(self, write: Callable[..., Path]) -> None:
        codes = ("AF", "AN", "DI", "HA", "NE", "SA", "SU")
        faces = read("kdef", write([f"KDEF/AM07/AM07{code}S.JPG" for code in codes]))
        assert [f.emotion for f in faces if isinstance(f, Face)] == [
            "fear", "anger", "disgust", "happiness", "neutral", "sadness", "surprise",
        ]  # fmt: skip
        assert {f.subject for f in faces if isinstance(f, Face)} == {"M07"}

    def test_both_sessions_are_one_person_but_the_sexes_count_apart(self, write: Callable[..., Path]) -> None:
        names = [f"KDEF/{who}/{who}HAS.JPG" for who in ("AF01", "BF01", "AM01")]
        assert [f.subject for f in read("kdef", write(names)) if isinstance(f, Face)] == ["F01", "M01", "F01"]

    def test_sessions_stay_together_when_people_are_held_out(self, write: Callable[..., Path], tmp_path: Path) -> None:
        people = [f"{sex}{n:02d}" for sex in "FM" for n in range(1, 11)]
        names = [f"KDEF/{s}{p}/{s}{p}{code}S.JPG" for p in people for s in "AB" for code in ("AN", "HA", "NE")]
        import_dataset(open_reader("kdef", write(names)), tmp_path / "out", val_fraction=0.2)
        dataset = Dataset(tmp_path / "out")
        splits = {person: set(dataset.split[dataset.subject == person]) for person in people}
        assert all(len(parts) == 1 for parts in splits.values())
        assert {part for parts in splits.values() for part in parts} == {"train", "val", "test"}

    @pytest.mark.parametrize(
        ("view", "reason"),
        [
            ("HL", "half left profile"),
            ("HR", "half right profile"),
            ("FL", "full left profile"),
            ("FR", "full right profile"),
        ],
    )
    def test_profiles_are_dropped(self, write: Callable[..., Path], view: str, reason: str) -> None:
        names = [f"KDEF/AF01/AF01HA{view}.JPG", "KDEF/AF01/AF01HAS.JPG"]
        assert [item for item in read("kdef", write(names)) if not isinstance(item, Face)] == [Drop(reason)]

    @pytest.mark.parametrize("name", ["AF31V.JPG", "AM31H.JPG", "AF01XXS.JPG", "AF01HA.JPG", "AF01HAS (1).JPG"])
    def test_misnamed_files_are_listed(self, write: Callable[..., Path], name: str) -> None:
        folder = name[:4]
        items = read("kdef", write([f"KDEF/{folder}/{name}", f"KDEF/{folder}/{folder}NES.JPG"]))
        (reject,) = [item for item in items if isinstance(item, Reject)]
        assert reject.where == f"{folder}/{name}"
        assert "is not like AF01AFS" in reject.reason
        assert sum(isinstance(item, Face) for item in items) == 1

    def test_a_file_in_another_persons_folder_is_listed(self, write: Callable[..., Path]) -> None:
        (reject,) = read("kdef", write(["KDEF/AF02/AF01HAS.JPG"]))
        assert isinstance(reject, Reject)
        assert "the name says AF01, the folder AF02" in reject.reason

    def test_averaged_faces_beside_it_are_passed_over(self, write: Callable[..., Path]) -> None:
        source = write(["KDEF/AF01/AF01HAS.JPG", "AKDEF/FHAS.JPG"])
        assert [item.where for item in read("kdef", source) if not isinstance(item, Drop)] == ["AF01/AF01HAS.JPG"]
        assert len(read("kdef", source / "KDEF")) == 1

    def test_all_in_one_folder_and_in_small_letters(self, write: Callable[..., Path]) -> None:
        (face,) = read("kdef", write(["bm12sus.jpg"]))
        assert isinstance(face, Face)
        assert (face.subject, face.emotion) == ("M12", "surprise")

    def test_nothing_there(self, tmp_path: Path) -> None:
        (tmp_path / "KDEF").mkdir()
        with pytest.raises(DatasetError, match="KDEF holds no image"):
            open_reader("kdef", tmp_path)


class TestJaffe:
    def test_names(self, write: Callable[..., Path], tmp_path: Path) -> None:
        names = ["KA.AN1.39", "KA.DI2.43", "KL.FE3.176", "KL.HA1.158", "TM.NE2.178", "TM.SA3.186", "YM.SU1.58"]
        source = write([f"jaffe/{name}.tiff" for name in names])
        (source / "jaffe" / "README").write_text("not an image")
        faces = [item for item in read("jaffe", source) if isinstance(item, Face)]
        assert [(f.subject, f.emotion) for f in faces] == [
            ("KA", "anger"), ("KA", "disgust"), ("KL", "fear"), ("KL", "happiness"),
            ("TM", "neutral"), ("TM", "sadness"), ("YM", "surprise"),
        ]  # fmt: skip
        import_dataset(open_reader("jaffe", source), tmp_path / "out", val_fraction=0.3)
        dataset = Dataset(tmp_path / "out")
        assert dataset.paths[0].endswith("KA.AN1.39.tiff")
        assert dataset.image(0).shape == (64, 64, 3)

    @pytest.mark.parametrize("name", ["KA.XX1.39.tiff", "KA.AN.39.tiff", "K.AN1.39.tiff", "KA.AN1.tiff", "icon.png"])
    def test_misnamed_files_are_listed(self, write: Callable[..., Path], name: str) -> None:
        (reject,) = read("jaffe", write([name]))
        assert isinstance(reject, Reject)
        assert (reject.where, reject.reason[:27]) == (name, "the name is not like KA.AN1")

    def test_two_people_who_look_alike_are_still_two(
        self, tmp_path: Path, smooth_image: Callable[..., np.ndarray]
    ) -> None:
        """Before the same two walls the portraits are near duplicates; grouped, too few could be held out."""
        source = tmp_path / "jaffe"
        source.mkdir()
        for i, person in enumerate(("KA", "KL", "KM", "KR", "MK", "NA")):
            portrait = cv2.addWeighted(smooth_image(i % 2, 64), 0.9, smooth_image(10 + i, 64), 0.1, 0)
            cv2.imwrite(str(source / f"{person}.NE1.{i}.tiff"), portrait)
        import_dataset(open_reader("jaffe", source), tmp_path / "out", val_fraction=0.2)
        assert set(Dataset(tmp_path / "out").split) == {"train", "val", "test"}
