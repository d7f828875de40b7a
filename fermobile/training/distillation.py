"""What teachers answer on the training rows, softened, computed once per run (Hinton et al. 2015)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..contract import ModelContract
from ..data.joined import same_framing
from ..data.manifest import Dataset
from ..errors import ContractError
from ..evaluation.calibration import apply_temperature
from ..files import writing
from .loop import Reporter
from .runs import Run
from .scoring import predict_two_views


def teacher_answers(
    teachers: Sequence[Run], dataset: Dataset, rows: np.ndarray, contract: ModelContract, temperature: float,
    folder: Path, report: Reporter,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Mean over teachers of their probabilities at ``temperature``, over a face and its mirror image.

    Args:
        teachers: one or several runs; each has at least one of the student's heads.
        dataset, rows: the student's training rows.
        contract: the student's.
        folder: of the student's run, where the answers are kept until it is finished.
    Returns:
        {head: float32 (N, labels)} of the heads that a teacher has.
    Raises:
        ContractError: a teacher means something else; see :func:`same_meaning`.
    """
    answers: dict[str, list[np.ndarray]] = {}
    for number, teacher in enumerate(teachers):
        taught = same_meaning(teacher, contract)
        key = [teacher.weights_sha256, dataset.sha256, rows.tolist()]
        path = folder / "features" / f"teacher-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.npz"
        if not path.exists():
            with report.progress(f"teacher {number + 1}/{len(teachers)}", len(rows), "images") as advance:
                scores = predict_two_views(teacher.load_model(), dataset, rows, teacher.contract, advance)
            with writing(path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, **scores)
        with np.load(path) as scores:
            for head in taught:
                answers.setdefault(head, []).append(_softened(head, scores[head], temperature))
    return {head: np.asarray(np.mean(parts, axis=0), np.float32) for head, parts in answers.items()}


def same_meaning(teacher: Run, contract: ModelContract) -> tuple[str, ...]:
    """The heads that a teacher shares with a student.

    Raises:
        ContractError: they share none, or its labels or its crop are others.
    """
    taught = [head for head in contract.heads if head in teacher.contract.heads]
    if not taught:
        raise ContractError(
            f"the teacher {teacher.folder} has the head(s) {', '.join(teacher.contract.heads)}; the student has "
            f"{', '.join(contract.heads)}"
        )
    for head in taught:
        if teacher.contract.labels(head) != contract.labels(head):
            raise ContractError(
                f"the teacher {teacher.folder} has other {head} labels ({', '.join(teacher.contract.labels(head))}) "
                f"than the student ({', '.join(contract.labels(head))}); train it on a set with the same labels"
            )
    ours, theirs = contract.crop, teacher.contract.crop
    if (ours is None) != (theirs is None):
        whose = "the student's set" if ours is None else f"the set of the teacher {teacher.folder}"
        raise ContractError(
            f"how {whose} frames its faces is not known, so it cannot be told whether the two go together: run "
            "'fermobile data measure DATASET --write' before training on it"
        )
    if ours is not None and theirs is not None and not same_framing(ours, theirs):
        raise ContractError(
            f"the teacher {teacher.folder} knows faces cropped as {theirs}, the student's are cropped as {ours}; "
            "crop both sets alike with 'fermobile data crop'"
        )
    return tuple(taught)


def _softened(head: str, scores: np.ndarray, temperature: float) -> np.ndarray:
    if head == "emotion":
        return apply_temperature(scores, temperature)
    pairs = apply_temperature(np.stack([1 - scores, scores], axis=-1), temperature)
    return pairs[..., 1]
