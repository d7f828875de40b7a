"""From a reader of a public dataset to a dataset folder, in one pass over the images."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DatasetError, ImageError
from ..files import sha256
from ..labels import EMOTIONS
from . import duplicates
from .images import decode_rgb, encode_image, read_image_file
from .manifest import SPLITS, DatasetInfo, DatasetWriter, Sample, write_dataset
from .readers.base import Drop, Face, Note, Reader, Reject, reason
from .readers.protocols import official_folds
from .splits import complete_splits, each_pair, join, subject_pairs

#: The file beside samples.csv that lists what was skipped and why.
REJECTS_FILE = "rejects.csv"


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        samples: number written.
        counts: split -> emotion -> number; "" counts the samples without an emotion.
        dropped: reason -> number of samples that the dataset's protocol leaves out.
        rejected: number of broken samples, listed in rejects.csv.
        split_rule: which rule gave the splits.
        action_units: action unit -> number of samples that are "labelled" and that are "positive".
        folds: number of samples that each fold of the benchmark's protocol tests; () when there is no protocol.
        notes: what the reader found out that whoever uses the set should know.
    """

    samples: int
    counts: dict[str, dict[str, int]]
    dropped: dict[str, int]
    rejected: int
    split_rule: str
    action_units: dict[str, dict[str, int]]
    folds: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass
class _Kept:
    """Labels and fingerprints of the stored images; the images themselves are on disk."""

    samples: list[Sample] = field(default_factory=list)
    strata: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    thumbnails: list[np.ndarray] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_dataset(
    reader: Reader,
    out: Path,
    *,
    val_fraction: float = 0.1,
    seed: int = 0,
    max_rejects: float = 0.05,
    force: bool = False,
    advance: Callable[[int], None] = lambda n: None,
) -> ImportSummary:
    """Write the reader's faces as a dataset folder.

    Args:
        reader: an opened dataset.
        out: the folder to make; it appears whole or not at all.
        val_fraction, seed: the hold-out for splits that the source lacks, see :func:`.splits.complete_splits`.
        max_rejects: largest fraction of broken samples.
        force: replace ``out``.
        advance: told the units of ``reader.total`` as they are done.
    Raises:
        DatasetError: the source's structure is broken, too many samples are, or none is left.
        OutputExistsError: ``out`` exists.
    """
    info = DatasetInfo(
        name=reader.name,
        action_units=reader.action_units,
        vote_emotions=reader.vote_emotions,
        licence=reader.licence,
        source=reader.citation,
        crop=reader.crop,
    )
    with write_dataset(out, info, force) as writer:
        kept = _store(reader, writer, advance)
        check_rejects(kept.rejects, len(kept.samples), max_rejects, what="broken", dropped=kept.dropped.total())
        splits, rule = complete_splits([s.split for s in kept.samples], kept.strata, _groups(kept), val_fraction, seed)
        if any(not s.subject and s.split != split for s, split in zip(kept.samples, splits, strict=True)):
            kept.notes.append("nobody knows who is on the images: of one person some may be held out and others not")
        for sample, split in zip(kept.samples, splits, strict=True):
            writer.add_row(dataclasses.replace(sample, split=split))
        present = {sample.emotion for sample in kept.samples}
        images = Counter(sample.subject for sample in kept.samples)
        folds = official_folds(reader.name, images)
        absent = sorted({subject for fold in folds for subject in fold} - set(images))
        if absent:
            kept.notes.append(f"people of the official folds who are not in this copy: {', '.join(absent)}")
        summary = ImportSummary(
            samples=len(kept.samples),
            counts=_counts(kept.samples, splits),
            dropped=dict(sorted(kept.dropped.items())),
            rejected=len(kept.rejects),
            split_rule=rule,
            action_units=_action_unit_counts(kept.samples, reader.action_units),
            folds=tuple(sum(images[subject] for subject in fold) for fold in folds),
            notes=tuple(kept.notes),
        )
        extra: dict[str, Any] = {
            "import": {
                **dataclasses.asdict(summary),
                "sources": {path.name: sha256(path) for path in reader.sources},
                "val_fraction": val_fraction,
                "seed": seed,
            }
        }
        emotions = tuple(e for e in EMOTIONS if e in present)
        writer.info = dataclasses.replace(info, emotions=emotions, folds=folds, extra=extra)
        write_rejects(writer.folder, kept.rejects)
    return summary


def _store(reader: Reader, writer: DatasetWriter, advance: Callable[[int], None]) -> _Kept:
    kept = _Kept()
    for item in reader.read(advance):
        if isinstance(item, Drop):
            kept.dropped[item.reason] += 1
        elif isinstance(item, Reject):
            kept.rejects.append(item)
        elif isinstance(item, Note):
            kept.notes.append(item.text)
        elif (reject := _keep(item, writer, kept)) is not None:
            kept.rejects.append(reject)
    return kept


def _groups(kept: _Kept) -> np.ndarray:
    """Whom no hold-out divides, int64 (N,): copies of an image, and the images of a person, share a number."""
    subjects = [sample.subject for sample in kept.samples]
    if all(subjects):  # near duplicates are of one person, or portraits of two before one wall, which are no copies
        equal, near = duplicates.equal_pairs(kept.digests), np.empty((0, 2), np.int64)
    else:
        equal, near = duplicates.duplicate_pairs(kept.digests, np.stack(kept.thumbnails))
    copies = ((a, b) for a, b in each_pair(near) if subjects[a] == subjects[b] or "" in (subjects[a], subjects[b]))
    return join(len(subjects), itertools.chain(each_pair(equal), copies, subject_pairs(subjects)))


def _keep(face: Face, writer: DatasetWriter, kept: _Kept) -> Reject | None:
    """Store one face, or say why it cannot be used."""
    if isinstance(face.image, Path):
        try:
            data = read_image_file(face.image)
            image = decode_rgb(data, str(face.image))
        except ImageError as error:
            return Reject(face.where, reason(error, face.image))
        path = writer.store_file(face.where, data)
    else:
        image = face.image
        if face.file:
            path = writer.store_file(face.file, encode_image(image, Path(face.file).suffix))
        else:
            path = writer.store_array(image)
    kept.digests.append(duplicates.digest(image))
    kept.thumbnails.append(duplicates.thumbnail(image))
    kept.strata.append(face.stratum)
    kept.samples.append(Sample(path, face.split, face.subject, face.emotion, face.votes, face.aus))
    return None


def check_rejects(rejects: Sequence[Reject], kept: int, max_rejects: float, *, what: str, dropped: int = 0) -> None:
    """Stop when too many samples are left out or none is kept; the message shows the first ones.

    Args:
        rejects: the samples left out.
        kept: number of the others.
        max_rejects: largest fraction of samples left out.
        what: what the rejects are: "broken".
        dropped: number of samples that a protocol leaves out, which is nothing wrong.
    Raises:
        DatasetError: says how many there are, and how to allow them.
    """
    lost, total = len(rejects), len(rejects) + kept
    first = "".join(f"\n  {r.where}: {r.reason}" for r in rejects[:3])
    if not kept:
        raise DatasetError(f"no usable sample: {lost} {what}, {dropped} dropped{first}")
    if lost > max_rejects * total:
        raise DatasetError(
            f"{lost} of {total} samples are {what}, more than {max_rejects:.1%}; mend the source, "
            f"or leave them out with --max-rejects {min(1.0, lost / total + 0.005):.2f}{first}"
        )


def _counts(samples: list[Sample], splits: np.ndarray) -> dict[str, dict[str, int]]:
    table = Counter((split, sample.emotion) for sample, split in zip(samples, splits, strict=True))
    return {
        split: {emotion: table[split, emotion] for emotion in (*EMOTIONS, "") if table[split, emotion]}
        for split in SPLITS
        if any(key[0] == split for key in table)
    }


def _action_unit_counts(samples: list[Sample], units: Sequence[str]) -> dict[str, dict[str, int]]:
    labelled, positive = Counter[str](), Counter[str]()
    for sample in samples:
        labelled.update(sample.aus.keys())
        positive.update(name for name, value in sample.aus.items() if value)
    return {name: {"labelled": labelled[name], "positive": positive[name]} for name in units}


def write_rejects(folder: Path, rejects: list[Reject]) -> None:
    """List the samples that were skipped in rejects.csv of a dataset folder; no file where there are none."""
    if not rejects:
        return
    with (folder / REJECTS_FILE).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["where", "reason"])
        rows.writerows((reject.where, reject.reason) for reject in rejects)
