"""The dataset folder: the one form in which labelled faces are kept.

::

    dataset.json      name, emotions, action units, licence, source, crop geometry, counts, content sha256
    samples.csv       path,split,subject,emotion[,votes_<emotion>…][,AU1…][,<keypoint>_x,<keypoint>_y…]
    images/…          image files, or
    shard-0000.npy    uint8 (N, H, W) or (N, H, W, 3) RGB: many small images of one size in one file

``path`` is an image file relative to the folder, or ``shard-0000.npy:17`` for row 17 of a shard.  An empty
``emotion`` or AU cell means *unlabelled* (masked in losses and metrics), never negative.  Votes are the
annotators' counts per emotion; where present they give soft labels.  Keypoints are in pixels of the stored image.
"""

from __future__ import annotations

import contextlib
import copy
import csv
import functools
import hashlib
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DatasetError
from ..files import sha256, write_json, writing_folder
from .folds import among, fold_sha256, fold_splits
from .images import read_image_file, read_rgb
from .info import FORMAT_VERSION, DatasetInfo, read_info
from .samples import SPLITS, TEXT_COLUMNS, number_columns, read_samples

_SHARD_ROWS = 4096
_SHARD_PATH = re.compile(r"([^:]+\.npy):([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face.

    Attributes:
        path: image file relative to the dataset folder, or ``shard:row``.
        split: "train", "val" or "test".
        subject: who it is; "" when unknown.
        emotion: canonical name; "" when unlabelled.
        votes: annotators' counts per emotion, aligned with ``DatasetInfo.vote_emotions``; () when there are none.
        aus: 0/1 per action unit that is labelled.
        keypoints: x and y in pixels of the image, aligned with ``DatasetInfo.keypoints``; () when there are none.
    """

    path: str
    split: str
    subject: str = ""
    emotion: str = ""
    votes: tuple[float, ...] = ()
    aus: Mapping[str, int] = field(default_factory=dict)
    keypoints: Sequence[Sequence[float]] = ()


class Dataset:
    """A dataset folder, opened for reading.  Labels are columns in memory; images stay on disk.

    Attributes:
        folder: where it is.
        info: dataset.json.
        sha256: content hash over labels and images, as recorded when the set was written.
        fold: the fold whose splits these are, from 1; None for those of samples.csv.
        paths: list of str, length N.
        split, subject, emotion: object arrays of str, (N,).
        votes: float32 (N, len(info.vote_emotions)); NaN rows where a sample has none.
        aus: float32 (N, len(info.action_units)); 1, 0, or NaN where unlabelled.
        keypoints: float32 (N, len(info.keypoints), 2), x then y in pixels of the image; NaN where unknown.
    """

    def __init__(self, folder: str | Path, fold: int | None = None) -> None:
        """Open ``folder``, with the splits of samples.csv or those of a fold (see :func:`.folds.fold_splits`).

        Raises:
            DatasetError: the folder is not a dataset, is damaged, or has no such fold.
        """
        self.folder, self.fold = Path(folder), fold
        self.info, self.sha256 = read_info(self.folder)
        rows = read_samples(self.folder / "samples.csv", self.info)
        self.paths, self.split, self.subject, self.emotion = rows.paths, rows.split, rows.subject, rows.emotion
        self.votes, self.aus, self.keypoints = rows.votes, rows.aus, rows.keypoints
        self._own_split = self.split
        if fold is not None:
            self.split = fold_splits(self.subject, self.info.folds, fold, self.folder)

    @property
    def origin(self) -> dict[str, Any]:
        """What a training remembers of its dataset: name, sha256, and the fold if one was chosen."""
        found: dict[str, Any] = {"name": self.info.name, "sha256": self.sha256}
        if self.fold is not None:
            found |= {"fold": self.fold, "fold_sha256": fold_sha256(self.info.folds, self.fold)}
        return found

    def as_trained(self, origin: Mapping[str, Any]) -> Dataset:
        """This set with the splits of a training on it, so that no face of that training is in test or val.

        Args:
            origin: what the training remembers, see :attr:`origin`; of another set it changes nothing.
        Raises:
            DatasetError: the fold has other subjects today.
        """
        fold = origin.get("fold")
        if self.sha256 not in (origin.get("sha256"), origin.get("first_sha256")):
            return self
        found = self if fold == self.fold else self._with_fold(fold)
        if found.origin.get("fold_sha256") != origin.get("fold_sha256"):
            raise DatasetError(
                f"{self.folder}: fold {fold} tests other subjects than when the model was trained, so its test faces "
                "may be training faces; lay the old folds down again, or train again"
            )
        return found

    def every_fold(self) -> list[Dataset]:
        """This set once per fold, with the splits of each.

        Raises:
            DatasetError: it has no folds, or one of them cannot be tested on this copy of the set.
        """
        return [self._with_fold(fold) for fold in range(1, max(len(self.info.folds), 1) + 1)]  # of none, 1 says why

    def _with_fold(self, fold: int | None) -> Dataset:
        found = copy.copy(self)
        found.fold, found.split = fold, self._own_split
        if fold is not None:
            found.split = fold_splits(self.subject, self.info.folds, fold, self.folder)
        return found

    def __len__(self) -> int:
        return len(self.paths)

    def indices(self, *splits: str) -> np.ndarray:
        """Row numbers of the given splits (all rows when none is named), int64.

        Raises:
            DatasetError: a split is unknown or empty.
        """
        chosen = np.arange(len(self))
        if splits:
            for split in splits:
                if split not in SPLITS:
                    raise DatasetError(f"unknown split {split!r}; choose from: {', '.join(SPLITS)}")
            chosen = np.flatnonzero(np.isin(self.split.astype(str), splits))
            if not len(chosen):
                raise DatasetError(f"{self.folder}: the split {' + '.join(splits)} is empty")
        return chosen

    def image(self, index: int) -> np.ndarray:
        """The image of one row, uint8 RGB (H, W, 3).

        Raises:
            ImageError: the image file cannot be read.
            DatasetError: the shard cannot, or lacks the row.
        """
        path = self.paths[index]
        image = self._packed(path)
        if image is None:
            return read_rgb(self.folder / path)
        return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image

    def content_sha256(self) -> str:
        """The content hash of what the folder holds now; ``sha256`` unless labels or images were changed.

        Raises:
            ImageError, DatasetError: as for :meth:`image`.
        """
        images = hashlib.sha256()
        for path in self.paths:
            image = self._packed(path)
            images.update(read_image_file(self.folder / path) if image is None else image.tobytes())
        return _content_sha256(self.folder, images.digest())

    def _packed(self, path: str) -> np.ndarray | None:
        """An image in a shard as it is stored; None for an image file."""
        in_shard = _SHARD_PATH.fullmatch(path)
        if in_shard is None:
            return None
        shard, row = in_shard[1], int(in_shard[2])
        array = self._shard(shard)
        if row >= len(array):
            raise DatasetError(f"{self.folder / shard} has {len(array)} images; samples.csv asks for row {row}")
        return np.asarray(array[row])

    @functools.lru_cache(maxsize=64)  # noqa: B019 - memory maps of this folder's own shards
    def _shard(self, name: str) -> np.ndarray:
        try:
            array = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(f"{self.folder / name} cannot be read: {error}") from None
        if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
            raise DatasetError(f"{self.folder / name} is not uint8 (N, H, W) or (N, H, W, 3)")
        return array

    def soft_labels(self, emotions: Sequence[str]) -> np.ndarray:
        """Vote distributions over ``emotions``, float32 (N, len(emotions)); NaN rows where there are no votes."""
        columns = []
        for name in emotions:
            if name in self.info.vote_emotions:
                columns.append(self.votes[:, self.info.vote_emotions.index(name)])
            else:
                columns.append(np.zeros(len(self), np.float32))
        counts = np.stack(columns, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float32)

    def hard_labels(self, emotions: Sequence[str]) -> np.ndarray:
        """Index of each row's emotion in ``emotions``, int64 (N,); -1 where unlabelled or not among them."""
        index = {name: i for i, name in enumerate(emotions)}
        return np.array([index.get(name, -1) for name in self.emotion], np.int64)

    def labels(self, row: int) -> dict[str, Any]:
        """All labels of one row, as :class:`Sample` takes them."""
        votes, points, units = self.votes[row], self.keypoints[row], self.info.action_units
        return {
            "split": str(self.split[row]),
            "subject": str(self.subject[row]),
            "emotion": str(self.emotion[row]),
            "votes": () if np.isnan(votes).any() else tuple(votes.tolist()),
            "aus": {name: int(v) for name, v in zip(units, self.aus[row], strict=True) if np.isfinite(v)},
            "keypoints": () if np.isnan(points).any() else points.tolist(),
        }

    def au_labels(self, action_units: Sequence[str]) -> np.ndarray:
        """0/1 labels, float32 (N, len(action_units)); NaN where unlabelled or the set has no such AU."""
        out = np.full((len(self), len(action_units)), np.nan, np.float32)
        for j, name in enumerate(action_units):
            if name in self.info.action_units:
                out[:, j] = self.aus[:, self.info.action_units.index(name)]
        return out


def _content_sha256(folder: Path, images: bytes) -> str:
    """The hash over the labels and the ``images``' digest, which is over their bytes in the order of the rows."""
    return hashlib.sha256(sha256(folder / "samples.csv").encode() + images).hexdigest()


class DatasetWriter:
    """Writes a dataset folder row by row, in bounded memory; use it as :func:`write_dataset` gives it."""

    def __init__(self, folder: Path, info: DatasetInfo) -> None:
        self.folder, self.info = folder, info
        self._stream = (folder / "samples.csv").open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._stream, lineterminator="\n")
        self._csv.writerow([*TEXT_COLUMNS, *number_columns(info)])
        self._waiting: deque[str] = deque()
        self._shard: list[np.ndarray] = []
        self._shards = 0
        self._counts: dict[str, int] = {}
        self._subjects: set[str] = set()
        self._images = hashlib.sha256()

    def add_array(self, image: np.ndarray, **labels: Any) -> None:
        """Add a small uint8 image, (H, W) grey or (H, W, 3) RGB, packed into shards of images of one shape."""
        self.add_row(Sample(path=self.store_array(image), **labels))

    def add_file(self, name: str, data: bytes, **labels: Any) -> None:
        """Add an encoded image file under ``images/name``."""
        self.add_row(Sample(path=self.store_file(name, data), **labels))

    def add_copy(self, source: Dataset, row: int, **labels: Any) -> str:
        """Add the image of another folder's row as it is stored there; returns its path in this one."""
        name = source.paths[row]
        packed = source._packed(name)
        if packed is None:
            path = self.store_file(name.removeprefix("images/"), read_image_file(source.folder / name))
        else:
            path = self.store_array(packed)
        self.add_row(Sample(path=path, **labels))
        return path

    def store_array(self, image: np.ndarray) -> str:
        """Keep an image as :meth:`add_array` does, for a row that follows; returns its path."""
        if self._shard and self._shard[0].shape != image.shape:
            self._flush()
        path = f"shard-{self._shards:04d}.npy:{len(self._shard)}"
        self._shard.append(np.ascontiguousarray(image, np.uint8))
        self._images.update(self._shard[-1].tobytes())
        self._waiting.append(path)
        if len(self._shard) == _SHARD_ROWS:
            self._flush()
        return path

    def store_file(self, name: str, data: bytes) -> str:
        """Keep an image as :meth:`add_file` does, for a row that follows; returns its path."""
        path = self.folder / "images" / name
        if not path.resolve().is_relative_to((self.folder / "images").resolve()):
            raise DatasetError(f"image name {name!r} leaves the dataset folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._images.update(data)
        self._waiting.append(f"images/{name}")
        return self._waiting[-1]

    def add_row(self, sample: Sample) -> None:
        """Write the labels of the stored image that is next; rows have the order in which their images were stored."""
        if not self._waiting or self._waiting.popleft() != sample.path:
            raise ValueError(f"{sample.path} is not the next image")
        votes = [f"{v:g}" for v in sample.votes] or [""] * len(self.info.vote_emotions)
        aus = [sample.aus.get(name, "") for name in self.info.action_units]
        points = [f"{v:.2f}" for point in sample.keypoints for v in point] or [""] * (2 * len(self.info.keypoints))
        self._csv.writerow([sample.path, sample.split, sample.subject, sample.emotion, *votes, *aus, *points])
        self._counts[sample.split] = self._counts.get(sample.split, 0) + 1
        self._subjects.add(sample.subject)

    def _flush(self) -> None:
        if self._shard:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(self._shard), *self._shard[0].shape)}
            with (self.folder / f"shard-{self._shards:04d}.npy").open("wb") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for image in self._shard:  # np.save would hide why a write failed: its error has no errno
                    stream.write(image.data)
            self._shard, self._shards = [], self._shards + 1

    def close(self) -> None:
        """Close the open file; harmless when done twice."""
        self._stream.close()

    def finish(self) -> None:
        """Write what is pending and dataset.json."""
        self.close()
        self._flush()
        digest = _content_sha256(self.folder, self._images.digest())
        crop = None if self.info.crop is None else asdict(self.info.crop)
        write_json(
            self.folder / "dataset.json",
            {
                **asdict(self.info),
                "crop": crop,
                "folds": among(self.info.folds, self._subjects),  # of the people who are here after all
                "format_version": FORMAT_VERSION,
                "counts": self._counts,
                "sha256": digest,
            },
        )


@contextlib.contextmanager
def write_dataset(folder: str | Path, info: DatasetInfo, force: bool = False) -> Iterator[DatasetWriter]:
    """``with write_dataset(folder, info) as writer: writer.add_array(...)``: the folder appears whole or not at all."""
    with writing_folder(Path(folder), "dataset.json", force) as temporary:
        writer = DatasetWriter(temporary, info)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()
