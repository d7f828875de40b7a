"""Bosphorus: what the names pose, and nothing about what they do not say."""

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

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, smooth_image: Callable[..., np.ndarray]) -> Writer:
    """``write("LFAU_12", …)`` makes an image (and the scan beside it) of each pose of person bs000."""

    def make(*poses: str, person: str = "bs000") -> Path:
        folder = tmp_path / "BosphorusDB" / person
        folder.mkdir(parents=True, exist_ok=True)
        for i, pose in enumerate(poses):
            cv2.imwrite(str(folder / f"{person}_{pose}_0.png"), smooth_image(i + 100 * int(person[2:]), 64, 3))
            (folder / f"{person}_{pose}_0.bnt").touch()
        return tmp_path / "BosphorusDB"

    return make


def read(path: Path) -> list[Face | Reject | Drop | Note]:
    return list(open_reader("bosphorus", path).read(lambda n: None))


@pytest.mark.parametrize(
    ("pose", "units"),
    [
        ("LFAU_12", {"AU12"}),
        ("LFAU_12L", {"AU12"}),
        ("LFAU_12R", {"AU12"}),
        ("LFAU_12LW", {"AU12"}),
        ("UFAU_1", {"AU1"}),
        ("UFAU_43", {"AU43"}),
        ("CAU_22A25", {"AU22", "AU25"}),
        ("CAU_A26A12LW", {"AU12", "AU26"}),
        ("CAU_28+26", {"AU26"}),  # AU28 is not known
    ],
)
def test_posed_units_are_present_and_the_others_unlabelled(write: Writer, pose: str, units: set[str]) -> None:
    (face,) = read(write(pose))
    assert isinstance(face, Face)
    assert face.aus == dict.fromkeys(units, 1)
    assert (face.subject, face.emotion) == ("bs000", "")


def test_neutral_faces_show_no_unit_and_emotions_say_nothing_about_units(write: Writer) -> None:
    *emotions, neutral = read(
        write("N_N", *(f"E_{e}" for e in ("ANGER", "DISGUST", "FEAR", "HAPPY", "SADNESS", "SURPRISE")))
    )
    assert isinstance(neutral, Face)
    assert neutral.emotion == "neutral" and set(neutral.aus.values()) == {0} and "AU12" in neutral.aus
    assert [face.emotion for face in emotions if isinstance(face, Face)] == [
        "anger", "disgust", "fear", "happiness", "sadness", "surprise",
    ]  # fmt: skip
    assert not any(face.aus for face in emotions if isinstance(face, Face))


def test_turned_and_covered_faces_are_dropped_with_the_reason(write: Writer) -> None:
    items = read(write("YR_R10", "PR_D", "CR_RU", "O_EYE", "IGN_0", "LFAU_34", "UFAU_44"))
    assert items == [
        Drop("head turned both ways"),
        Drop("left out by the set's makers"),
        Drop("poses only action units that fermobile does not know (34)"),
        Drop("face partly covered"),
        Drop("head turned up or down"),
        Drop("poses only action units that fermobile does not know (44)"),
        Drop("head turned sideways"),
    ]


@pytest.mark.parametrize(
    ("pose", "said"),
    [
        ("LFAU_smile", "'smile' is no action unit"),
        ("LFAU_12X", "'12X' is no action unit"),
        ("CAU_22A25A", "'22A25A' is no action unit"),
        ("E_BORED", "unknown emotion 'BORED'"),
        ("XX_1", "unknown group 'XX'; known: N, E, LFAU"),
        ("12", "the name is not like bs000_LFAU_12_0"),
    ],
)
def test_names_that_say_nothing_are_listed(write: Writer, pose: str, said: str) -> None:
    (reject,) = read(write(pose))
    assert isinstance(reject, Reject) and said in reject.reason


def test_a_name_of_another_person_than_its_folder(write: Writer) -> None:
    root = write("N_N")
    (root / "bs000/bs000_N_N_0.png").rename(root / "bs000/bs001_N_N_0.png")
    assert read(root) == [Reject("bs000/bs001_N_N_0.png", "the name says bs001, the folder bs000: whose face is it?")]


def test_imported(write: Writer, tmp_path: Path) -> None:
    for number in range(6):
        root = write("N_N", "LFAU_12", "E_HAPPY", person=f"bs{number:03}")
    import_dataset(open_reader("bosphorus", root), tmp_path / "out", val_fraction=0.2)
    dataset = Dataset(tmp_path / "out")
    labels = dataset.au_labels(("AU12", "AU9"))
    assert np.nansum(labels[:, 0]) == 6 and np.isfinite(labels[:, 0]).sum() == 12
    assert np.isfinite(labels[:, 1]).sum() == 6  # of the neutral faces only
    assert dataset.info.folds == ()
