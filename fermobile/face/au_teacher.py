"""Action units for the faces of a dataset, from MediaPipe's blendshapes as the teacher."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..data.info import DatasetInfo
from ..data.manifest import Dataset, write_dataset
from ..data.parallel import cores, map_in_processes
from ..errors import DatasetError, ImageError
from ..files import refuse_sources_inside, sha256
from ..labels import ACTION_UNITS
from .blendshapes import CUTS, action_units
from .landmarker import Landmarker

_CHUNK = 16
_NAMES = {1: "present", 0: "absent", None: "unlabelled"}
_NO_FACE, _UNREADABLE = "no face seen", "image not readable"


@dataclass(frozen=True)
class LabelSummary:
    """What a labelling did.

    Attributes:
        images: of the set.
        found: images in which the landmarker saw a face.
        unreadable: images that cannot be decoded.
        kept: cells that had a label before, which stayed.
        units: per unit of the teacher, the cells that are "present", "absent" and "unlabelled" in the new set.
    """

    images: int
    found: int
    unreadable: int
    kept: int
    units: dict[str, dict[str, int]]


def label_action_units(
    dataset: Dataset,
    out: Path,
    landmarker: Path,
    *,
    workers: int | None = None,
    force: bool = False,
    advance: Callable[[int], None] = lambda n: None,
) -> LabelSummary:
    """Write a copy of a set of face crops in which the teacher has filled empty action-unit cells.

    Images, splits and all labels stay.  A face that the landmarker does not see gets no label.  The result does not
    depend on ``workers``.  Faces of val and test are labelled too: figures on those say how well the teacher is copied.

    Args:
        dataset: face crops.
        out: the folder to make; it appears whole or not at all.
        landmarker: MediaPipe's ``face_landmarker.task``.
        workers: processes, each with its own landmarker (150 MB); None means one per core that we may use.
        force: replace ``out``.
        advance: told the number of images done since the last call.
    Raises:
        ModelFileError: ``landmarker`` is none.
        DatasetError: no face is seen in any image.
        ImageError: an image file is missing.
        MissingExtraError: mediapipe is not installed.
        InputError: ``out`` holds the set.
        OutputExistsError: ``out`` exists.
        RuntimeFailure: a worker process died.
    """
    refuse_sources_inside(out, [dataset.folder, landmarker])
    Landmarker(landmarker).close()  # a wrong file shall be reported from here rather than by a dead worker
    found = unreadable = kept = 0
    counts = {unit: {"present": 0, "absent": 0, "unlabelled": 0} for unit in CUTS}
    with write_dataset(out, _described(dataset, landmarker), force) as writer:
        for row, seen in enumerate(_seen(dataset, landmarker, workers or cores())):
            labels = dataset.labels(row)
            kept += len(labels["aus"])
            if isinstance(seen, dict):
                found += 1
                labels["aus"] = seen | labels["aus"]
            unreadable += seen == _UNREADABLE
            for unit, count in counts.items():
                count[_NAMES[labels["aus"].get(unit)]] += 1
            writer.add_copy(dataset, row, **labels)
            advance(1)
        if not found:
            raise DatasetError(f"{dataset.folder}: no face is seen in any image; are these crops of one face each?")
    return LabelSummary(len(dataset), found, unreadable, kept, counts)


def _described(dataset: Dataset, landmarker: Path) -> DatasetInfo:
    """The set's dataset.json, which says who labelled the action units and by which cuts."""
    info, digest = dataset.info, sha256(landmarker)
    teacher = {
        "model": "MediaPipe FaceLandmarker blendshapes",
        "file": landmarker.name,
        "sha256": digest,
        "labelled_from": {"name": info.name, "sha256": dataset.sha256},
        "cuts": {
            unit: {key: value for key, value in dataclasses.asdict(cuts).items() if math.isfinite(value)}
            for unit, cuts in CUTS.items()
        },
    }
    said = f"action units {', '.join(CUTS)} by {teacher['model']} ({landmarker.name}, sha256 {digest[:12]})"
    return dataclasses.replace(
        info,
        action_units=tuple(unit for unit in ACTION_UNITS if unit in {*info.action_units, *CUTS}),
        licence=f"{info.licence}; labels of action units: a model's, no human coder's",
        source="; ".join(part for part in (info.source, said) if part),
        extra={**info.extra, "au_teacher": teacher},
    )


def _seen(dataset: Dataset, landmarker: Path, workers: int) -> Iterator[dict[str, int] | str]:
    """Per image, in order: its labels, or why there are none."""
    job, rows = (dataset.folder, landmarker), range(len(dataset))
    workers = min(workers, -(-len(dataset) // _CHUNK))
    if workers <= 1:
        return map(_Teacher(*job).label, rows)
    return map_in_processes(_label_in_worker, rows, workers, chunk=_CHUNK, start=_start_worker, args=job)


class _Teacher:
    """One process's dataset and landmarker."""

    def __init__(self, folder: Path, landmarker: Path) -> None:
        self._dataset, self._landmarker = Dataset(folder), Landmarker(landmarker)

    def label(self, row: int) -> dict[str, int] | str:
        try:
            face = self._landmarker.find(self._dataset.image(row))
        except ImageError:
            return _UNREADABLE
        return _NO_FACE if face is None else action_units(face)


_teacher: _Teacher  # of a worker process


def _start_worker(folder: Path, landmarker: Path) -> None:
    global _teacher
    _teacher = _Teacher(folder, landmarker)


def _label_in_worker(row: int) -> dict[str, int] | str:
    return _teacher.label(row)
