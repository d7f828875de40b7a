"""Datasets that are trained on together: all of one, and the train rows of others.

Validation and test stay those of the first set, so that figures before and after adding a set compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import CropSpec
from ..errors import DatasetError
from ..labels import ACTION_UNITS, EMOTIONS
from .fingerprints import fingerprints, shared_images
from .info import DatasetInfo
from .manifest import Dataset

#: Largest difference of two sets' eye distance or eye height, in sides of the image, that lets them be mixed.
CROP_TOLERANCE = 0.05


class JoinedDataset(Dataset):
    """All rows of ``first``, then the train rows of each of the ``added`` sets; see :class:`Dataset`.

    Labels are the union of the sets' labels; what a set does not label is unlabelled in its rows.  ``folder`` is that
    of ``first``.  The paths of added rows begin with ``added-1/``, ``added-2/`` and so on, and so do their subjects
    where the set is of another source: then one name does not mean one person.

    Raises:
        DatasetError: the faces of two sets are framed otherwise.
    """

    def __init__(self, first: Dataset, added: Sequence[Dataset]) -> None:
        for dataset in added:
            refuse_other_crop(first, dataset)
        self.folder, self.fold, self.parts = first.folder, first.fold, (first, *added)
        self.info = _joined_info([part.info for part in self.parts])
        self.sha256 = _combined([part.sha256 for part in self.parts])
        rows = [np.arange(len(first)), *(np.flatnonzero(part.split == "train") for part in added)]
        self._part = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        self._row = np.concatenate(rows)
        self.paths = [
            f"added-{part}/{self.parts[part].paths[row]}" if part else first.paths[row]
            for part, row in zip(self._part.tolist(), self._row.tolist(), strict=True)
        ]
        pairs = list(zip(self.parts, rows, strict=True))
        self.split, self.emotion = (
            np.concatenate([getattr(part, name)[chosen] for part, chosen in pairs]) for name in ("split", "emotion")
        )
        self.subject = np.concatenate(
            [_subjects(part, k, first.info)[chosen] for k, (part, chosen) in enumerate(pairs)]
        )
        self.votes = np.concatenate([_votes(part, self.info)[chosen] for part, chosen in pairs])
        self.aus = np.concatenate([part.au_labels(self.info.action_units)[chosen] for part, chosen in pairs])
        self.keypoints = np.concatenate([_keypoints(part, self.info)[chosen] for part, chosen in pairs])

    @property
    def origin(self) -> dict[str, Any]:
        """What a training remembers: as of the first set, with the hash of all, and the sets one by one."""
        first, *added = (part.origin for part in self.parts)
        joined = {"name": self.info.name, "sha256": self.sha256, "first_sha256": first["sha256"], "added": added}
        return first | joined

    def as_trained(self, origin: Mapping[str, Any]) -> Dataset:
        """With the first set's splits of a training on it, see :meth:`Dataset.as_trained`."""
        first = self.parts[0].as_trained(origin)
        return self if first is self.parts[0] else JoinedDataset(first, self.parts[1:])

    def image(self, index: int) -> np.ndarray:
        """The image of one row, see :meth:`Dataset.image`."""
        return self.parts[self._part[index]].image(int(self._row[index]))

    def content_sha256(self) -> str:
        """What ``sha256`` is unless a set was changed, see :meth:`Dataset.content_sha256`."""
        return _combined([part.content_sha256() for part in self.parts])


def join(first: Dataset, added: Sequence[Dataset], advance: Callable[[int], None] = lambda n: None) -> Dataset:
    """``first`` with the train rows of the ``added`` sets; ``first`` itself when there are none.

    Args:
        advance: told the images done, of those that :func:`images_to_compare` counts.
    Raises:
        DatasetError: the faces of two sets are framed otherwise; or an added set would train on images (equal or
            near duplicates) of the first one's val or test split.
    """
    if not added:
        return first
    joined = JoinedDataset(first, added)
    held_out = fingerprints(first, np.flatnonzero(first.split != "train"), advance)
    for dataset in added:
        train = fingerprints(dataset, np.flatnonzero(dataset.split == "train"), advance)
        shared = shared_images(held_out, train)
        if len(shared):
            ours, theirs = shared[0].tolist()
            raise DatasetError(
                f"{len(shared)} train images of {dataset.folder} are, or look like, images that {first.folder} holds "
                f"back for validation or test, for example {dataset.paths[theirs]} = {first.split[ours]} "
                f"{first.paths[ours]}: figures would be too good. Leave them out of {dataset.folder} "
                "('fermobile pseudo-label --leave-out-overlap' does), or add another set"
            )
    return joined


def images_to_compare(first: Dataset, added: Sequence[Dataset]) -> int:
    """How many images :func:`join` reads."""
    held_out = int((first.split != "train").sum())
    return held_out + sum(int((dataset.split == "train").sum()) for dataset in added) if added else 0


def reopen(values: Mapping[str, Any], folder: Path | None = None, added: bool = True) -> Dataset:
    """The dataset of a training.

    Args:
        values: "dataset" of run.json: the set's :attr:`~Dataset.origin` with the ``path`` of each folder.
        folder: where the first set is now, if it moved.
        added: also the added sets; who measures on val or test needs none.
    Raises:
        DatasetError: a set is not there, or its fold has other subjects today.
    """
    first = Dataset(folder or Path(values["path"])).as_trained(values)
    if not added or not values.get("added"):
        return first
    return JoinedDataset(first, [Dataset(Path(place["path"])) for place in values["added"]])


def where(dataset: Dataset) -> dict[str, Any]:
    """What run.json keeps of a dataset, for :func:`reopen`."""
    first, *added = dataset.parts if isinstance(dataset, JoinedDataset) else (dataset,)
    values = {**dataset.origin, "path": str(first.folder.resolve())}
    if added:
        values["added"] = [{**part.origin, "path": str(part.folder.resolve())} for part in added]
    return values


def refuse_other_crop(first: Dataset, second: Dataset) -> None:
    """Raise DatasetError when two sets frame their faces so differently that a model cannot serve both."""
    ours, theirs = first.info.crop, second.info.crop
    if ours is None and theirs is None:
        return
    for dataset, crop in ((first, ours), (second, theirs)):
        if crop is None:
            raise DatasetError(
                f"how {dataset.folder} frames its faces is not known, so it cannot be told whether it goes with the "
                f"other set; run: fermobile data measure {dataset.folder} --write"
            )
    assert ours is not None and theirs is not None
    if not same_framing(ours, theirs):
        raise DatasetError(
            f"{first.folder} and {second.folder} frame their faces differently: {_framing(ours)}, and "
            f"{_framing(theirs)}; make both alike from the uncropped photos with 'fermobile data crop'"
        )


def same_framing(one: CropSpec, other: CropSpec) -> bool:
    """Whether two crops are near enough for one model."""
    distance, height = one.eye_distance - other.eye_distance, one.eye_y - other.eye_y
    return max(abs(distance), abs(height)) <= CROP_TOLERANCE


def _framing(crop: CropSpec) -> str:
    return f"eyes {crop.eye_distance:.2f} of the side apart at {crop.eye_y:.2f} of its height"


def _combined(hashes: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _joined_info(infos: Sequence[DatasetInfo]) -> DatasetInfo:
    def union(name: str, order: Sequence[str]) -> tuple[str, ...]:
        present = {label for info in infos for label in getattr(info, name)}
        return tuple(label for label in order if label in present)

    def texts(name: str, between: str) -> str:
        return between.join(dict.fromkeys(getattr(info, name) for info in infos if getattr(info, name)))

    return replace(
        infos[0],
        name=texts("name", " + "),
        emotions=union("emotions", EMOTIONS),
        action_units=union("action_units", tuple(ACTION_UNITS)),
        vote_emotions=union("vote_emotions", EMOTIONS),
        licence=texts("licence", "; "),
        source=texts("source", "; "),
    )


def _subjects(dataset: Dataset, part: int, first: DatasetInfo) -> np.ndarray:
    """A set's subjects, under names that are one person's only."""
    if not part or (first.source and dataset.info.source == first.source):
        return dataset.subject
    return np.array([subject and f"added-{part}/{subject}" for subject in dataset.subject], dtype=object)


def _votes(dataset: Dataset, info: DatasetInfo) -> np.ndarray:
    """A set's votes in the joined columns; who voted gave none to an emotion that could not be voted for."""
    voted = np.isfinite(dataset.votes).all(axis=1) & bool(dataset.info.vote_emotions)
    out = np.where(voted[:, None], 0, np.nan).astype(np.float32) * np.ones(len(info.vote_emotions), np.float32)
    at = [info.vote_emotions.index(name) for name in dataset.info.vote_emotions]
    out[:, at] = dataset.votes
    return out


def _keypoints(dataset: Dataset, info: DatasetInfo) -> np.ndarray:
    """A set's keypoints in the first set's columns."""
    out = np.full((len(dataset), len(info.keypoints), 2), np.nan, np.float32)
    for i, name in enumerate(info.keypoints):
        if name in dataset.info.keypoints:
            out[:, i] = dataset.keypoints[:, dataset.info.keypoints.index(name)]
    return out
