"""Labels for faces that nobody labelled, by one or several trained runs (Arsirii & Petrosiuk 2023).

The runs' averaged weights answer on each face of a pool and on its mirror image; the mean answer, calibrated on the
validation split, becomes the face's label where it is sure enough (see :mod:`.selection`).  Labels that the pool has
are not looked at.  The result is a dataset of train rows, with the probabilities as votes, and a ledger of its labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.fingerprints import fingerprints, shared_images
from ..data.importer import Reject, check_rejects, write_rejects
from ..data.info import EXACT_FRAMING
from ..data.joined import refuse_other_crop
from ..data.ledger import LEDGER_FILE, Ledger
from ..data.manifest import Dataset, DatasetInfo, write_dataset
from ..errors import ContractError, DatasetError, RunError
from ..evaluation.calibration import apply_temperature, fit_temperature
from ..files import refuse_sources_inside
from ..labels import EMOTIONS
from .loop import Reporter, Silent
from .runs import Run
from .scoring import predict_two_views
from .selection import FLOOR, Selection, adaptive_thresholds, class_quotas, select
from .start import first_set, learned_from

#: Largest share of a pool's images that may be unreadable.
_MAX_REJECTS = 0.05
_EXAMPLES = 3


@dataclass(frozen=True)
class PseudoLabels:
    """What :func:`pseudo_label` did.

    Attributes:
        faces: of the pool that were answered for; those below are not among them.
        overlapping: faces left out because the runs' val or test split holds them too.
        unreadable: images left out because they cannot be read.
        temperature: that calibrates the mean answer.
        emotions: names of the classes, in the order of what follows.
        thresholds, quotas: of each class, float64 and int64 (C,).
        selection: the faces chosen; ``rows`` are row numbers of the pool.
    """

    faces: int
    overlapping: int
    unreadable: int
    temperature: float
    emotions: tuple[str, ...]
    thresholds: np.ndarray
    quotas: np.ndarray
    selection: Selection

    def to_dict(self) -> dict[str, Any]:
        """Everything but the rows, as JSON types; the threshold of a class that is never believed is null."""
        chosen = self.selection
        columns = (self.thresholds, self.quotas, chosen.predicted, chosen.sure, chosen.chosen)
        classes = {
            name: {
                "threshold": round(threshold, 4) if np.isfinite(threshold) else None,
                "quota": quota,
                "predicted": predicted,
                "below_threshold": predicted - sure,
                "cut_by_quota": sure - accepted,
                "accepted": accepted,
            }
            for name, threshold, quota, predicted, sure, accepted in zip(
                self.emotions, *(column.tolist() for column in columns), strict=True
            )
        }
        return {
            "faces": self.faces,
            "overlapping": self.overlapping,
            "unreadable": self.unreadable,
            "accepted": len(chosen.rows),
            "temperature": round(self.temperature, 4),
            "classes": classes,
        }


def pseudo_label(
    runs: Sequence[Run],
    pool: Dataset,
    out: Path,
    floor: float = FLOOR,
    leave_out_overlap: bool = False,
    keep_unsure: bool = False,
    force: bool = False,
    report: Reporter | None = None,
) -> PseudoLabels:
    """Write the pool's faces of which ``runs`` are sure as a dataset folder to train on.

    Args:
        runs: one, or several whose answers are averaged.
        pool: faces framed as the runs' are; all its splits are taken.
        out: the dataset folder to write.
        floor: the lowest threshold of a class.
        leave_out_overlap: leave out faces that the runs' val or test split holds, instead of refusing the pool.
        keep_unsure: write the other faces too, without a label, for a training with the runs as teachers.
        force: replace ``out``.
    Raises:
        RunError: a run is quantized or has no emotions, or the runs were not trained on the same set.
        ContractError: the runs have other labels or crops than the first one.
        DatasetError: the pool holds faces of the runs' val or test split, is framed otherwise, has too many
            unreadable images, or no face of it is sure enough.
        InputError: ``out`` holds the pool, the labelled set or a run.
        OutputExistsError: ``out`` is taken and ``force`` is not set.
    """
    report = report or Silent()
    _refuse_other_teachers(runs)
    labelled = runs[0].open_dataset(added=False)
    if labelled.sha256 != first_set(runs[0].info["dataset"])[0]:
        raise RunError(f"{labelled.folder} is not what {runs[0].folder} was trained on: it was written anew since")
    refuse_sources_inside(out, [pool.folder, labelled.folder, *(run.folder for run in runs)])
    refuse_other_crop(labelled, pool)
    held_out = labelled.indices("val")
    rows, overlapping, rejects = _usable(pool, labelled, leave_out_overlap, report)
    emotions = runs[0].contract.emotions
    known, answers = _mean_answers(runs, labelled, held_out, pool, rows, report)
    labels = labelled.hard_labels(emotions)
    temperature = fit_temperature(known, labels[held_out])
    known, answers = apply_temperature(known, temperature), apply_temperature(answers, temperature)
    thresholds = adaptive_thresholds(known, labels[held_out], floor)
    quotas = class_quotas(labels[labelled.split == "train"], len(emotions), len(rows))
    chosen = select(answers, thresholds, quotas)
    if not len(chosen.rows):
        raise DatasetError(f"{pool.folder}: no face is sure enough; {_surest(answers, thresholds, emotions)}")
    votes = answers[chosen.rows]
    chosen = dataclasses.replace(chosen, rows=rows[chosen.rows])
    unsure = np.setdiff1d(rows, chosen.rows) if keep_unsure else rows[:0]
    result = PseudoLabels(
        len(rows), overlapping, len(rejects), temperature, emotions, thresholds, quotas, chosen
    )  # fmt: skip
    _write(result, votes, unsure, runs, pool, rejects, out, force)
    return result


def _refuse_other_teachers(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs:
        if run.quantized:
            raise RunError(f"{run.folder} is quantized; label with the float run that it came from, which is better")
        if "emotion" not in run.contract.heads:
            raise RunError(
                f"{run.folder} has no emotion head ({', '.join(run.contract.heads)}), whose labels these are"
            )
        for what in ("emotions", "crop"):
            ours, theirs = getattr(first.contract, what), getattr(run.contract, what)
            if ours != theirs:
                raise ContractError(
                    f"{run.folder} has other {what} than {first.folder}: {_said(theirs)}, not {_said(ours)}; answers "
                    "can be averaged of runs that mean the same only"
                )
        ours, theirs = first.info["dataset"], run.info["dataset"]
        if first_set(ours) != first_set(theirs):
            raise RunError(
                f"{run.folder} was trained on {theirs['name']} and {first.folder} on {ours['name']}: what one was "
                "trained on the other one holds out, perhaps; label with runs of one dataset"
            )


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _usable(
    pool: Dataset, labelled: Dataset, leave_out_overlap: bool, report: Reporter
) -> tuple[np.ndarray, int, list[Reject]]:
    """Rows of the pool that can be read and are not held out; how many are held out; which cannot be read."""
    held_out = np.flatnonzero(labelled.split != "train")
    with report.progress("comparing", len(held_out) + len(pool), "images") as advance:
        ours = fingerprints(labelled, held_out, advance)
        theirs = fingerprints(pool, pool.indices(), advance)
    rejects = [Reject(pool.paths[row], why) for row, why in theirs.unreadable.items()]
    check_rejects(rejects, len(theirs.rows), _MAX_REJECTS, what="unreadable")
    shared = shared_images(ours, theirs)
    if len(shared) and not leave_out_overlap:
        examples = ", ".join(
            f"{pool.paths[b]} = {labelled.split[a]} {labelled.paths[a]}" for a, b in shared[:_EXAMPLES].tolist()
        )
        raise DatasetError(
            f"{len(shared)} of {len(pool)} images of {pool.folder} are, or look like, images that {labelled.folder} "
            f"holds back for validation or test: {examples}; training on them would make figures too good: "
            "leave them out with --leave-out-overlap"
        )
    rows = np.setdiff1d(theirs.rows, shared[:, 1])
    if not len(rows):
        raise DatasetError(f"{pool.folder}: the run's val or test split holds every image of it")
    return rows, len(shared), rejects


def _mean_answers(
    runs: Sequence[Run], labelled: Dataset, held_out: np.ndarray, pool: Dataset, rows: np.ndarray, report: Reporter
) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities over the runs and two views, float32 (N, C): of held-out labelled faces, and of the pool."""
    sums = [np.zeros((len(r), len(runs[0].contract.emotions)), np.float64) for r in (held_out, rows)]
    for number, run in enumerate(runs):
        model = run.load_model()
        with report.progress(f"run {number + 1}/{len(runs)}", len(held_out) + len(rows), "faces") as advance:
            for total, dataset, chosen in zip(sums, (labelled, pool), (held_out, rows), strict=True):
                total += predict_two_views(model, dataset, chosen, run.contract, advance)["emotion"]
    known, answers = (np.asarray(total / len(runs), np.float32) for total in sums)
    return known, answers


def _surest(answers: np.ndarray, thresholds: np.ndarray, emotions: Sequence[str]) -> str:
    """The surest answer of each class beside what it needs."""
    found, confidence = answers.argmax(axis=1), answers.max(axis=1)
    return ", ".join(
        f"{name} {confidence[found == i].max():.2f} of {thresholds[i]:.2f}"
        for i, name in enumerate(emotions)
        if (found == i).any()
    )


def _write(
    result: PseudoLabels, votes: np.ndarray, unsure: np.ndarray, runs: Sequence[Run], pool: Dataset,
    rejects: list[Reject], out: Path, force: bool,
) -> None:  # fmt: skip
    chosen, names = result.selection, result.emotions
    labels = [names[i] for i in chosen.classes]
    origin = {
        "pool": {"name": pool.info.name, "sha256": pool.sha256},
        "runs": [{"name": run.contract.name, "weights_sha256": run.weights_sha256} for run in runs],
        "learned_from": learned_from(run.folder for run in runs),
        **result.to_dict(),
    }
    info = DatasetInfo(
        name=f"{pool.info.name} (pseudo-labels)",
        emotions=tuple(name for name in EMOTIONS if name in labels),
        vote_emotions=names,
        licence=pool.info.licence,
        source=pool.info.source,
        crop=pool.info.crop,
        extra={"pseudo_labels": origin, **(EXACT_FRAMING if pool.info.exactly_framed else {})},
    )
    with write_dataset(out, info, force) as writer:
        samples = [
            writer.add_copy(
                pool, row, split="train", subject=str(pool.subject[row]), emotion=label, votes=tuple(answer)
            )
            for row, label, answer in zip(chosen.rows.tolist(), labels, votes.tolist(), strict=True)
        ]
        for row in unsure.tolist():
            writer.add_copy(pool, row, split="train", subject=str(pool.subject[row]))
        nothing = [""] * len(samples)
        Ledger(writer.folder / LEDGER_FILE).record(0, 0, samples, nothing, labels, chosen.margins.tolist())
        write_rejects(writer.folder, rejects)
