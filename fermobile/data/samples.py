"""samples.csv, read line by line into columns: a set of a million rows opens in a few hundred megabytes."""

from __future__ import annotations

import csv
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from .info import DatasetInfo

SPLITS = ("train", "val", "test")
TEXT_COLUMNS = ("path", "split", "subject", "emotion")
_LARGEST = 1e6  # votes and pixels
_COMMON = {"": float("nan"), "0": 0.0, "1": 1.0}


@dataclass(frozen=True)
class Samples:
    """The columns of samples.csv, as :class:`fermobile.data.manifest.Dataset` describes them."""

    paths: list[str]
    split: np.ndarray
    subject: np.ndarray
    emotion: np.ndarray
    votes: np.ndarray
    aus: np.ndarray
    keypoints: np.ndarray


def read_samples(path: Path, info: DatasetInfo) -> Samples:
    """Read the samples of a dataset.

    Raises:
        DatasetError: a column is missing, or a cell is no label of the set; says the line.
    """
    columns, known = number_columns(info), {"", *info.emotions}
    paths: list[str] = []
    texts: tuple[list[str], ...] = ([], [], [])
    numbers = array("f")
    for where, row in _rows(path, [*TEXT_COLUMNS, *columns]):
        name, split, subject, emotion = row[: len(TEXT_COLUMNS)]
        if split not in SPLITS:
            raise DatasetError(f"{where}: split {split!r} is not one of {', '.join(SPLITS)}")
        if emotion not in known:
            raise DatasetError(f"{where}: emotion {emotion!r} is not one of {', '.join(info.emotions)}")
        paths.append(name)
        for column, text in zip(texts, (split, subject, emotion), strict=True):
            column.append(sys.intern(text))  # the same few in every row
        cells = row[len(TEXT_COLUMNS) :]
        try:
            numbers.extend([_COMMON[cell] for cell in cells])
        except KeyError:
            numbers.extend([_number(cell, where, column) for cell, column in zip(cells, columns, strict=True)])
    table = np.array(numbers, np.float32).reshape(len(paths), len(columns))
    votes, aus, points = np.split(table, np.cumsum([len(info.vote_emotions), len(info.action_units)]), axis=1)
    for bad, said in (
        (~np.isnan(aus) & (aus != 0) & (aus != 1), "an action unit is neither 0 nor 1"),
        (votes < 0, "a number of votes is negative"),
    ):
        if bad.any():
            raise DatasetError(f"{path}, line {int(np.argwhere(bad)[0][0]) + 2}: {said}")
    splits, subjects, emotions = (np.array(column, dtype=object) for column in texts)
    return Samples(paths, splits, subjects, emotions, votes, aus, points.reshape(len(paths), len(info.keypoints), 2))


def number_columns(info: DatasetInfo) -> list[str]:
    """The columns of samples.csv that hold numbers: votes, action units, keypoints."""
    votes = [f"votes_{name}" for name in info.vote_emotions]
    return [*votes, *info.action_units, *(f"{name}_{axis}" for name in info.keypoints for axis in "xy")]


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each row of samples.csv: where it is, and its cells in the order of ``columns``."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            missing = [c for c in columns if c not in header]
            if missing:
                raise DatasetError(f"{path}: missing column(s) {', '.join(missing)}; found: {', '.join(header)}")
            at = [header.index(name) for name in columns]
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if len(row) != len(header):
                    raise DatasetError(f"{where}: {len(row)} fields, expected {len(header)}")
                yield where, [row[i] for i in at]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8 text") from None
    except csv.Error as error:
        raise DatasetError(f"{path} is not valid csv: {error}") from None


def _number(text: str, where: str, column: str) -> float:
    """A cell's number, NaN when it is empty."""
    if text == "":
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = float("inf")
    if not abs(value) <= _LARGEST:
        raise DatasetError(f"{where}, column {column}: {text[:40]!r} is not a number of that kind")
    return value
