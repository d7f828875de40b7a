"""Many synthetic faces, in order, each determined by (seed, index) alone; and the dataset folder made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...contract import CropSpec
from ...errors import InputError
from ...files import sha256
from ..info import EXACT_FRAMING, KEYPOINTS, DatasetInfo
from ..manifest import write_dataset
from ..parallel import cores, map_in_processes
from .expressions import Expression, emotion_expression
from .head import Head, measured_head
from .render import render
from .repertoire import repertoire
from .scene import PhotoFraming, Scene, random_photo, random_scene
from .subjects import Subject, make_subject

#: The framing of aligned crops: the whole face, with a little air for a dropped jaw.
DEFAULT_CROP = CropSpec(eye_distance=0.31, eye_y=0.36)

# Of every twenty people fourteen are for training, three for validation, three for testing; the first three
# people already fill all three splits.
_SPLITS = ("train", "val", "test", "train", "train", "train", "train") * 2 + ("train", "val", "test") + ("train",) * 3
_CHUNK = 48
_SIZES = range(16, 1025)


@dataclass(frozen=True)
class SyntheticFace:
    """One rendered face and everything that is known about it.

    Attributes:
        image: uint8 RGB (size, size, 3).
        keypoints: float32 (6, 2) pixels: right eye, left eye, nose tip, mouth, right ear, left ear.
        emotion: canonical name; "" when it is a free combination of action units.
        intensities: 0..1 per rendered action unit (the stronger side).
        aus: 0/1 per rendered action unit.
        subject: who it is.
        split: the subject's split.
        index: its number within the seed.
    """

    image: np.ndarray
    keypoints: np.ndarray
    emotion: str
    intensities: Mapping[str, float]
    aus: Mapping[str, int]
    subject: str
    split: str
    index: int


def open_head(mesh: str | None) -> Head:
    """The head to render: None for the measured one, "ict:PATH" for ICT-FaceKit's.

    Raises:
        InputError: the mesh is not known, or its file is missing or not what it should be.
    """
    if mesh is None:
        return measured_head()
    kind, _, path = mesh.partition(":")
    if kind != "ict" or not path:
        raise InputError(f"unknown mesh {mesh!r}; choose ict:PATH (ICT-FaceKit's .npz), or leave it out")
    from .ict import ict_head

    return ict_head(path)


def render_face(
    seed: int,
    index: int,
    size: int = 96,
    crop: CropSpec = DEFAULT_CROP,
    mesh: str | None = None,
    rates: str | None = None,
) -> SyntheticFace:
    """The aligned crop number ``index`` of ``seed``."""
    subject, face, scene, _ = _sample(seed, index, open_head(mesh).identities, rates)
    return _finish(index, subject, face, *render(open_head(mesh), subject, face, scene, crop, size))


def render_photo(
    seed: int, index: int, size: int = 256, mesh: str | None = None, emotion: str | None = None
) -> SyntheticFace:
    """The same face as a photo: head and shoulders before a background, as a detector wants it.

    Args:
        emotion: show this emotion instead of the sample's own.
    """
    subject, face, scene, framing = _sample(seed, index, open_head(mesh).identities)
    if emotion is not None:
        face = emotion_expression(emotion, np.random.default_rng([seed, 3, index]))
    return _finish(index, subject, face, *render(open_head(mesh), subject, face, scene, framing, size))


def render_faces(
    count: int,
    seed: int = 0,
    size: int = 96,
    crop: CropSpec = DEFAULT_CROP,
    mesh: str | None = None,
    rates: str | None = None,
    workers: int = 1,
) -> Iterator[SyntheticFace]:
    """Aligned crops 0 … count - 1 of a seed, in order; the same bytes whatever the number of workers.

    Raises:
        InputError: the size, the mesh or the rates cannot be used.
        RuntimeFailure: a worker process died.
    """
    if size not in _SIZES:
        raise InputError(f"size {size} is not in {_SIZES.start}..{_SIZES.stop - 1}")
    if count < 1:
        raise InputError(f"count {count} is not positive")
    open_head(mesh), repertoire(rates)  # complain here, not in a worker
    starts = range(0, count, _CHUNK)
    work = functools.partial(_render_chunk, seed=seed, stop=count, size=size, crop=crop, mesh=mesh, rates=rates)
    if workers <= 1 or len(starts) == 1:
        for start in starts:
            yield from work(start)
        return
    for faces in map_in_processes(work, starts, min(workers, len(starts))):
        yield from faces


def write_synthetic(
    folder: str | Path,
    count: int,
    seed: int = 0,
    size: int = 96,
    crop: CropSpec = DEFAULT_CROP,
    mesh: str | None = None,
    rates: str | None = None,
    workers: int | None = None,
    force: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Write a dataset folder of aligned faces with emotion, AU and keypoint labels, split by subject 70/15/15.

    Args:
        rates: None shows every emotion equally often; "disfa" shows that set's action units at its rates, and
            labels these alone.
        workers: processes; None for one per core that we may use.
        advance: called with 1 for every face written.
    Raises:
        InputError: the count, the size, the mesh or the rates cannot be used.
        OutputExistsError: the folder exists and ``force`` is not set.
    """
    folder = Path(folder)
    options: dict[str, Any] = {"count": count, "seed": seed, "size": size, "mesh": mesh, "rates": rates}
    if crop != DEFAULT_CROP:
        options |= {"eye-distance": crop.eye_distance, "eye-y": crop.eye_y}
    head, shown = open_head(mesh), repertoire(rates)
    extra: dict[str, Any] = {
        "seed": seed,
        "count": count,
        "subjects": -(-count // shown.samples),
        **EXACT_FRAMING,
    }
    if mesh is not None:
        extra["mesh"] = {"file": mesh, "sha256": sha256(Path(mesh.partition(":")[2]))}
    info = DatasetInfo(
        name=f"synthetic-{seed}" if rates is None else f"synthetic-{rates}-{seed}",
        emotions=shown.emotions,
        action_units=shown.units,
        licence=f"CC0-1.0 (rendered; {head.licence})",
        source=" ".join(["fermobile data synth", *(f"--{k} {v}" for k, v in options.items() if v is not None)]),
        crop=crop,
        keypoints=KEYPOINTS,
        extra=extra,
    )
    with write_dataset(folder, info, force) as writer:
        for face in render_faces(count, seed, size, crop, mesh, rates, workers or cores()):
            aus = {unit: face.aus[unit] for unit in shown.units}
            labels = {"split": face.split, "subject": face.subject, "emotion": face.emotion, "aus": aus}
            writer.add_array(face.image, keypoints=face.keypoints.tolist(), **labels)
            if advance is not None:
                advance(1)
    return folder


def _render_chunk(
    start: int, seed: int, stop: int, size: int, crop: CropSpec, mesh: str | None, rates: str | None
) -> list[SyntheticFace]:
    return [render_face(seed, i, size, crop, mesh, rates) for i in range(start, min(start + _CHUNK, stop))]


@functools.lru_cache(maxsize=4)
def _subject(seed: int, number: int, identities: int) -> Subject:
    return make_subject(seed, number, identities)


def _sample(
    seed: int, index: int, identities: int, rates: str | None = None
) -> tuple[Subject, Expression, Scene, PhotoFraming]:
    """Everything that determines picture ``index``."""
    shown = repertoire(rates)
    number, turn = divmod(index, shown.samples)
    rng = np.random.default_rng([seed, 0, index])
    face = shown.show(seed, number, turn, rng)
    return _subject(seed, number, identities), face, random_scene(rng), random_photo(rng)


def _finish(index: int, subject: Subject, face: Expression, image: np.ndarray, keypoints: np.ndarray) -> SyntheticFace:
    return SyntheticFace(
        image=image,
        keypoints=keypoints,
        emotion=face.emotion,
        intensities=face.intensities,
        aus=face.present,
        subject=subject.name,
        split=_SPLITS[subject.number % len(_SPLITS)],
        index=index,
    )
