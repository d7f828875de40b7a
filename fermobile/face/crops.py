"""From a dataset of photos to a dataset of aligned face crops, in parallel."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import CropSpec
from ..data.images import encode_image
from ..data.importer import check_rejects, write_rejects
from ..data.info import EXACT_FRAMING
from ..data.manifest import Dataset, DatasetWriter, write_dataset
from ..data.parallel import cores, map_in_processes
from ..data.readers.base import Reject, reason
from ..errors import FaceGeometryError, ImageError
from ..files import refuse_sources_inside
from .alignment import DEFAULT_CROP, align_face
from .detector import Detector
from .mediapipe_import import import_mediapipe

#: Crops up to this many pixels are kept as arrays, exactly; larger ones as JPEG files of quality 95.
LARGEST_ARRAY = 128

_CHUNK = 8


@dataclass(frozen=True)
class CropSummary:
    """What a cropping did.

    Attributes:
        written: faces in the new set.
        rejects: images left out, and why, in the set's order.
        several: images with more than one face, of which the largest was taken.
    """

    written: int
    rejects: tuple[Reject, ...]
    several: int

    @property
    def reasons(self) -> dict[str, int]:
        """Number of rejects per kind of reason."""
        return dict(Counter(reject.reason.partition(":")[0] for reject in self.rejects))


def crop_dataset(
    dataset: Dataset,
    out: Path,
    *,
    crop: CropSpec = DEFAULT_CROP,
    size: int = 96,
    workers: int | None = None,
    max_rejects: float = 0.05,
    force: bool = False,
    advance: Callable[[int], None] = lambda n: None,
) -> CropSummary:
    """Write a dataset folder with the largest face of every image of another one, aligned; labels are kept.

    Images without a usable face are listed in ``rejects.csv``.  The result does not depend on ``workers``.

    Args:
        dataset: photos.
        out: the folder to make; it appears whole or not at all.
        crop, size: framing and side in pixels of the crops.
        workers: processes, each with its own detector (140 MB); None means one per core that we may use.
        max_rejects: largest fraction of images left out.
        force: replace ``out``.
        advance: told the number of images done since the last call.
    Raises:
        DatasetError: more images than ``max_rejects`` have no usable face.
        MissingExtraError: mediapipe is not installed.
        InputError: ``out`` holds the photos.
        OutputExistsError: ``out`` exists.
        RuntimeFailure: a worker process died.
    """
    refuse_sources_inside(out, [dataset.folder])
    import_mediapipe()  # a missing package shall be reported from here rather than by a dead worker
    info = dataclasses.replace(dataset.info, crop=crop, keypoints=())  # in pixels of the photos
    rejects: list[Reject] = []
    several = 0
    with write_dataset(out, info, force) as writer:
        for index, face in enumerate(_faces(dataset, crop, size, workers or cores())):
            if isinstance(face, str):
                rejects.append(Reject(dataset.paths[index], face))
            else:
                pixels, count = face
                several += count > 1
                _store(writer, dataset, index, pixels)
            advance(1)
        summary = CropSummary(len(dataset) - len(rejects), tuple(rejects), several)
        check_rejects(rejects, summary.written, max_rejects, what="without a usable face")
        origin = {"name": info.name, "sha256": dataset.sha256, "size": size, "rejects": len(rejects)}
        writer.info = dataclasses.replace(info, extra={**info.extra, "cropped_from": origin, **EXACT_FRAMING})
        write_rejects(writer.folder, rejects)
    return summary


def _faces(dataset: Dataset, crop: CropSpec, size: int, workers: int) -> Iterator[tuple[Any, int] | str]:
    """Per image, in order: the crop (an array or JPEG bytes) and the number of faces, or why there is none."""
    job, rows = (dataset.folder, crop, size), range(len(dataset))
    workers = min(workers, -(-len(dataset) // _CHUNK))
    if workers <= 1:
        return map(_Cropper(*job).crop, rows)
    return map_in_processes(_crop_in_worker, rows, workers, chunk=_CHUNK, start=_start_worker, args=job)


class _Cropper:
    """One process's dataset and detector."""

    def __init__(self, folder: Path, crop: CropSpec, size: int) -> None:
        self._dataset, self._crop, self._size = Dataset(folder), crop, size
        self._detector = Detector()

    def crop(self, index: int) -> tuple[Any, int] | str:
        try:
            image = self._dataset.image(index)
            faces = self._detector.detect(image)
            if not faces:
                return "no face found"
            face = align_face(image, faces[0].keypoints, self._crop, self._size)
        except ImageError as error:
            return f"image not readable: {reason(error, self._dataset.folder / self._dataset.paths[index])}"
        except FaceGeometryError as error:
            return f"face not usable: {error}"
        return (face if self._size <= LARGEST_ARRAY else encode_image(face, ".jpg")), len(faces)


_cropper: _Cropper  # of a worker process


def _start_worker(folder: Path, crop: CropSpec, size: int) -> None:
    global _cropper
    _cropper = _Cropper(folder, crop, size)


def _crop_in_worker(index: int) -> tuple[Any, int] | str:
    return _cropper.crop(index)


def _store(writer: DatasetWriter, dataset: Dataset, index: int, pixels: np.ndarray | bytes) -> None:
    labels = {**dataset.labels(index), "keypoints": ()}  # those of the photo
    if isinstance(pixels, bytes):
        writer.add_file(f"{index:06d}.jpg", pixels, **labels)
    else:
        writer.add_array(pixels, **labels)
