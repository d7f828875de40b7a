"""Opening a large set takes a bounded number of bytes per row."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.info import DatasetInfo
from fermobile.data.samples import read_samples

UNITS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU9", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26")
INFO = DatasetInfo("many", ("neutral", "fear"), UNITS)


def write_samples(path: Path, count: int) -> None:
    """Paths as long as AffectNet's, 100 rows per subject, some cells empty."""
    with path.open("w") as stream:
        stream.write(",".join(["path", "split", "subject", "emotion", *UNITS]) + "\n")
        for i in range(count):
            units = ",".join("01"[(i >> j) % 2] if (i + j) % 5 else "" for j in range(len(UNITS)))
            split, emotion = ("train", "val", "test")[i // 100 % 3], ("neutral", "fear", "")[i % 3]
            stream.write(
                f"images/Manually_Annotated_Images/{i % 1000}/{i:08}.jpg,{split},S{i // 100:05},{emotion},{units}\n"
            )


def test_labels_are_those_of_the_rows(tmp_path: Path) -> None:
    write_samples(tmp_path / "samples.csv", 300)
    rows = read_samples(tmp_path / "samples.csv", INFO)
    assert rows.paths[7] == "images/Manually_Annotated_Images/7/00000007.jpg"
    assert [rows.split[i] for i in (0, 100, 299)] == ["train", "val", "test"]
    assert rows.emotion[[0, 1, 2]].tolist() == ["neutral", "fear", ""]
    expected = [np.nan if (7 + j) % 5 == 0 else (7 >> j) % 2 for j in range(len(UNITS))]
    np.testing.assert_array_equal(rows.aus[7], np.float32(expected))
    rows.aus[7] = 0  # columns may be changed in memory
    assert rows.votes.shape == (300, 0) and rows.keypoints.shape == (300, 0, 2)


def test_a_row_takes_few_bytes(tmp_path: Path) -> None:
    count = 20_000
    write_samples(tmp_path / "samples.csv", count)
    tracemalloc.start()
    try:
        rows = read_samples(tmp_path / "samples.csv", INFO)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rows.paths) == count
    # 48 of numbers, 24 of references to shared texts, 105 of a path: one more text of its own per row would be 50.
    assert kept / count < 200
    assert peak / count < 320


@pytest.mark.slow
def test_a_million_rows_open_in_less_than_400_mib(tmp_path: Path) -> None:
    write_samples(tmp_path / "samples.csv", 1_000_000)
    said = {"name": "many", "emotions": INFO.emotions, "action_units": UNITS, "vote_emotions": [], "licence": ""}
    (tmp_path / "dataset.json").write_text(json.dumps({"format_version": 1, "source": "", "sha256": "", **said}))
    done = subprocess.run([sys.executable, "-c", _OPEN, tmp_path], check=True, capture_output=True, text=True)
    rows, peak_mib = map(int, done.stdout.split())
    assert rows == 1_000_000 and peak_mib < 400


_OPEN = """
import sys
from fermobile.data.manifest import Dataset
dataset = Dataset(sys.argv[1])
dataset.indices("train"), dataset.hard_labels(dataset.info.emotions)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(dataset), peak // 1024)
"""
