"""Action units on real faces that nobody coded: do they go with what the faces are known to show?

    .venv/bin/python benchmarks/papers/au_validity.py DATA --renders SET SET --landmarker FILE --work DIR

DATA is FER+ after ``fermobile data label-aus``; the renders are sets of ``fermobile data synth``, framed like it.
Three trainings of the recipe mobilenet_v1_expressions learn action units alone, so that no emotion label helps them:
from renders (exact labels), from the teacher's labels of real faces, and from both.  A fourth learns the emotions too.
The teacher itself is judged beside them.

Each check is the area under the ROC curve (0.5: chance) of a unit, or of the mean of several, against faces that the
FER+ majority says show an emotion, or against lips that are apart by MediaPipe's landmarks; with the 95 % interval of a
bootstrap over faces.  All are judged on the faces that the teacher sees ("seen"); the trainings also on the others.
One row per training in rows/au_validity.jsonl; a row that is there is not run again.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from record import Record

from fermobile.data.joined import join
from fermobile.data.manifest import Dataset
from fermobile.evaluation.bootstrap import interval, resample_counts
from fermobile.evaluation.metrics import emotion_metrics, roc_auc
from fermobile.face.blendshapes import CUTS, signals
from fermobile.face.landmarker import Landmarker

#: What the trainings learn from (real faces, renders, emotions), and the epochs of stage 2: about 160,000 faces each.
TRAININGS: dict[str, tuple[bool, bool, bool, int]] = {
    "renders": (False, True, False, 20),
    "teacher": (True, False, False, 7),
    "both": (True, True, False, 5),
    "both, emotions too": (True, True, True, 5),
}

OPEN_MOUTH = "open mouth"

#: Lips whose gap is this part of the mouth's width or more are apart: half way between the teacher's cuts, so that
#: every face counts.
_APART = (CUTS["AU25"].absent + CUTS["AU25"].present) / 2


@dataclass(frozen=True)
class Check:
    """The mean of ``units`` should tell faces that show ``what``."""

    units: tuple[str, ...]
    what: str

    @property
    def name(self) -> str:
        return f"{'+'.join(self.units)} {self.what}"


CHECKS = (
    *(Check((unit,), "happiness") for unit in ("AU12", "AU6")),
    Check(("AU6", "AU12"), "happiness"),
    *(Check(("AU4",), emotion) for emotion in ("anger", "sadness")),
    *(Check((unit,), "surprise") for unit in ("AU1", "AU2", "AU5", "AU26", "AU27")),
    Check(("AU1", "AU2", "AU5", "AU26"), "surprise"),
    Check(("AU9",), "disgust"),
    *(Check((unit,), "sadness") for unit in ("AU1", "AU15")),
    Check(("AU25",), OPEN_MOUTH),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--renders", type=Path, nargs="+", required=True)
    parser.add_argument("--landmarker", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    real, renders, record = Dataset(options.data), [Dataset(path) for path in options.renders], Record("au_validity")
    seen = {split: teacher_signals(real, split, options.landmarker, options.work) for split in ("val", "test")}
    with record.run({"training": "the teacher itself"}, real) as figures:
        if figures is not None:
            figures.update({split: judged(real, split, found, found) for split, found in seen.items()})
    for seed, training in itertools.product(options.seeds, options.trainings):
        with record.run({"training": training, "seed": seed}, real) as figures:
            if figures is not None:
                folder = options.work / f"{training.replace(', ', '-').replace(' ', '-')}-{seed}"
                figures.update(measured(training, real, renders, seed, folder, seen))
                print(training, seed, figures, flush=True)


def teacher_signals(real: Dataset, split: str, landmarker: Path, work: Path) -> dict[str, np.ndarray]:
    """The teacher's signal per unit on every face of a split, float64 (N,); NaN where it sees none."""
    cache = work / f"signals-{split}-{real.sha256[:12]}.npz"
    if not cache.exists():
        with Landmarker(landmarker) as model:
            faces = [model.find(real.image(row)) for row in real.indices(split).tolist()]
        table = [dict.fromkeys(CUTS, np.nan) if face is None else signals(face) for face in faces]
        work.mkdir(parents=True, exist_ok=True)
        np.savez(cache, **{unit: np.array([row[unit] for row in table]) for unit in CUTS})
    return dict(np.load(cache))


def measured(
    training: str, real: Dataset, renders: Sequence[Dataset], seed: int, folder: Path,
    seen: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, Any]:  # fmt: skip
    """Train and judge: the checks on real faces, and each unit against the exact labels of unseen rendered people."""
    from fermobile.training.recipe import load_recipe
    from fermobile.training.scoring import predict_rows
    from fermobile.training.transfer import train

    with_real, with_renders, with_emotions, epochs = TRAININGS[training]
    first, *added = [*([real] if with_real else []), *(renders if with_renders else [])]
    changes = {"seed": seed, "tasks": ("emotion", "au")[not with_emotions :], "tune.epochs": epochs}
    recipe = load_recipe("mobilenet_v1_expressions").override(**changes)
    run = train(recipe, join(first, added), folder, resume=True)
    model, contract = run.load_model(), run.contract
    figures: dict[str, Any] = {}
    for split, by_teacher in seen.items():
        rows = real.indices(split)
        scores = predict_rows(model, real, rows, contract)
        units = dict(zip(contract.action_units, scores["au"].T, strict=True))
        figures[split] = judged(real, split, units, by_teacher)
        if "emotion" in scores:
            found = emotion_metrics(scores["emotion"], real.hard_labels(contract.emotions)[rows], contract.emotions)
            figures[split] |= {"accuracy": found.accuracy, "macro_f1": found.macro_f1}
    exact = [(data, data.indices("test")) for data in renders]
    labels = np.concatenate([data.au_labels(contract.action_units)[rows] for data, rows in exact])
    scores = np.concatenate([predict_rows(model, data, rows, contract)["au"] for data, rows in exact])
    areas = {unit: float(roc_auc(*pair)) for unit, *pair in zip(contract.action_units, scores.T, labels.T, strict=True)}
    return {**figures, "renders": {**areas, "mean": float(np.mean(list(areas.values())))}}


def judged(
    real: Dataset, split: str, units: Mapping[str, np.ndarray], by_teacher: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The checks on the faces of a split that the teacher sees, and on the others."""
    emotions, gap = real.emotion[real.indices(split)], by_teacher["AU25"]
    truth = {name: np.where(emotions == "", np.nan, emotions == name) for name in real.info.emotions}
    truth[OPEN_MOUTH] = np.where(np.isfinite(gap), gap >= _APART, np.nan)
    sees = np.isfinite(gap)
    return {
        group: checked({k: v[faces] for k, v in units.items()}, {k: v[faces] for k, v in truth.items()})
        for group, faces in (("seen", sees), ("unseen", ~sees))
    }


def checked(units: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Area, interval and numbers of each check that can be made, on faces (N,); truth is 1, 0 or NaN."""
    found = {}
    counts = resample_counts(len(next(iter(truth.values()))))
    for check in CHECKS:
        known = all(unit in units and np.isfinite(units[unit]).all() for unit in check.units)
        if not known or check.what not in truth:
            continue
        scores, labels = np.mean([units[unit] for unit in check.units], axis=0), truth[check.what]
        area = float(roc_auc(scores, labels))
        if np.isfinite(area):
            low, high = interval(roc_auc(scores, labels, counts))
            numbers = {"positives": int((labels == 1).sum()), "n": int(np.isfinite(labels).sum())}
            found[check.name] = {"auc": area, "low": float(low), "high": float(high), **numbers}
    return found


if __name__ == "__main__":
    main()
