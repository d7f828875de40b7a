"""The check finds each planted fault, and nothing in a clean dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fermobile.data.check import CheckReport, check_dataset
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

Draw = Callable[..., np.ndarray]
Make = Callable[..., Dataset]


@pytest.fixture
def make(tmp_path: Path, smooth_image: Draw) -> Make:
    """``make([(image or seed, split, labels…)…])`` writes and opens a dataset."""

    def write(rows: list[tuple[Any, str, dict[str, Any]]], action_units: tuple[str, ...] = ()) -> Dataset:
        emotions = tuple(sorted({str(labels["emotion"]) for _, _, labels in rows if labels.get("emotion")}))
        with write_dataset(tmp_path / "set", DatasetInfo("set", emotions, action_units)) as writer:
            for image, split, labels in rows:
                pixels = image if isinstance(image, np.ndarray) else smooth_image(image)
                writer.add_array(pixels, split=split, **labels)
        return Dataset(tmp_path / "set")

    return write


def clean() -> list[tuple[Any, str, dict[str, Any]]]:
    return [
        (3 * i + j, split, {"emotion": ("fear", "anger")[i % 2], "subject": f"{split}{i}"})
        for i in range(4)
        for j, split in enumerate(("train", "val", "test"))
    ]


def codes(report: CheckReport) -> set[str]:
    return {finding.code for finding in report.findings}


def test_a_clean_dataset_has_no_findings(make: Make) -> None:
    report = check_dataset(make(clean()))
    assert report.findings == ()
    assert report.emotions["val"] == {"anger": 2, "fear": 2}
    assert report.subjects == {"train": 4, "val": 4, "test": 4}
    assert report.equal == {"images": 0, "groups": 0, "across": {"val/train": 0, "test/train": 0, "test/val": 0}}
    json.dumps(report.to_dict())


def test_equal_images_across_splits_are_an_error(make: Make) -> None:
    report = check_dataset(make([*clean(), (0, "test", {"emotion": "fear"}), (0, "train", {"emotion": "fear"})]))
    assert report.equal == {"images": 3, "groups": 1, "across": {"val/train": 0, "test/train": 1, "test/val": 0}}
    (finding,) = (f for f in report.findings if f.code == "equal_across_splits")
    assert finding.severity == "error"
    assert "1 images of test (20.0%) have one in train" in finding.message
    assert finding.examples == ("test shard-0000.npy:12 = train shard-0000.npy:0",)


def test_similar_images_across_splits_are_a_warning(make: Make, smooth_image: Draw) -> None:
    darker = cv2.convertScaleAbs(smooth_image(1), alpha=0.8)
    report = check_dataset(make([*clean(), (darker, "test", {"emotion": "fear"})]))
    assert codes(report) == {"similar_across_splits"}
    assert report.errors == 0
    assert report.similar["across"]["test/val"] == 1
    assert report.equal["images"] == 0


def test_duplicates_within_a_split_are_counted_only(make: Make) -> None:
    report = check_dataset(make([*clean(), (0, "train", {"emotion": "fear"})]))
    assert report.findings == ()
    assert report.equal["images"] == 2


def test_equal_images_with_different_labels(make: Make) -> None:
    report = check_dataset(make([*clean(), (0, "train", {"emotion": "anger"})]))
    (finding,) = report.findings
    assert (finding.code, finding.examples) == ("conflicting_labels", ("anger / fear: 1",))


def test_subjects_in_two_splits_are_an_error(make: Make) -> None:
    report = check_dataset(make([*clean(), (50, "test", {"emotion": "fear", "subject": "train0"})]))
    (finding,) = report.findings
    assert (finding.severity, finding.code) == ("error", "subjects_across_splits")
    assert finding.examples == ("train0: train, test",)


def test_unreadable_images_are_counted_and_named(make: Make) -> None:
    dataset = make(clean())
    np.save(dataset.folder / "shard-0000.npy", np.load(dataset.folder / "shard-0000.npy")[:10])
    report = check_dataset(Dataset(dataset.folder))
    finding = report.findings[0]
    assert (finding.code, finding.message) == ("unreadable", "2 of 12 images cannot be read")
    assert "asks for row 10" in finding.examples[0]


def test_a_changed_dataset_is_an_error(make: Make) -> None:
    dataset = make(clean())
    path = dataset.folder / "samples.csv"
    path.write_text(path.read_text().replace("fear", "anger", 1))
    (finding,) = check_dataset(Dataset(dataset.folder)).findings
    assert (finding.severity, finding.code) == ("error", "changed")


def test_empty_classes_and_splits(make: Make) -> None:
    report = check_dataset(make([(1, "train", {"emotion": "fear"}), (2, "test", {"emotion": "anger"})]))
    messages = {f.code: (f.message, f.examples) for f in report.findings}
    assert messages["empty_split"] == ("no samples in: val", ())
    assert messages["empty_class"][1] == ("train: anger", "test: fear")


def test_action_unit_base_rates(make: Make) -> None:
    rows = [(i, "train", {"aus": {"AU1": i % 2, "AU4": 0}}) for i in range(4)] + [(9, "train", {})]
    report = check_dataset(make(rows, ("AU1", "AU4")))
    assert report.action_units["AU1"] == {"train": {"labelled": 4, "positive": 2}}
    (constant,) = (f for f in report.findings if f.code == "constant_action_unit")
    assert constant.examples == ("train: AU4 never positive",)


def test_blank_images(make: Make) -> None:
    blank = np.full((48, 48), 7, np.uint8)
    report = check_dataset(make([*clean(), (blank, "train", {"emotion": "fear"})]))
    (finding,) = report.findings
    assert (finding.code, finding.examples) == ("blank", ("train shard-0000.npy:12",))


def test_progress_counts_every_image(make: Make) -> None:
    done: list[int] = []
    check_dataset(make(clean()), done.append)
    assert sum(done) == 12
