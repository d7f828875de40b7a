"""Learning from FER2013's own noisy labels: plain, Self-Cure (SCN), attention consistency (EAC), and both.

    .venv/bin/python benchmarks/papers/self_cure.py FOLDER --work DIR

FOLDER holds fer2013.csv and fer2013new.csv.  The labels to learn from are FER2013's; the truth is FER+'s majority, with
which they agree on about 63 % of the faces.  Symmetric noise is added to the labels on top, of training and validation
alike.  Validation chooses the epoch by the noisy labels, as whoever has no others must; the test part (PublicTest) is
judged by the truth.  One row per run in rows/self_cure.jsonl; a row that is there is not run again.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from judge import judged_on
from record import Record

from fermobile.data import duplicates
from fermobile.data.info import DatasetInfo
from fermobile.data.ledger import LEDGER_FILE, Ledger
from fermobile.data.manifest import Dataset, write_dataset
from fermobile.data.readers.base import Face
from fermobile.data.readers.fer2013 import CITATION, CROP, EMOTION_ORDER, LICENCE, Fer2013
from fermobile.data.readers.ferplus import FerPlus
from fermobile.data.splits import complete_splits, join
from fermobile.labels import EMOTIONS

#: The emotions that both label sets have, in our order.
CLASSES = tuple(name for name in EMOTIONS if name in EMOTION_ORDER)

#: Training faces; the first of a permutation of all.
FACES = 10_000

#: What each method adds to the recipe; SCN's and EAC's numbers are their papers', relabelling begins half way.
METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "SCN": {"self_cure.enabled": True},
    "EAC": {"consistency.weight": 5.0, "augment.erase": 0.25},
    "EAC, λ = 1": {"consistency.weight": 1.0, "augment.erase": 0.25},
    "SCN + EAC": {"self_cure.enabled": True, "consistency.weight": 5.0, "augment.erase": 0.25},
}

RECIPE: dict[str, Any] = {
    "name": "noisy_labels",
    "network": {"backbone": "mobilenet_v1", "alpha": 0.5, "size": 96, "weights": "imagenet"},
    "labels": {"soft": False},
    "head": {"epochs": 4, "views": 0},
    "tune": {"epochs": 8, "learning_rate": 1e-3, "batch": 64},
    "self_cure": {"relabel_from": 5},
    "augment": {"shift": 0.05, "zoom": 0.08, "rotate": 6.0},
    "ema": 0.99,
    "patience": 100,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where datasets and runs are kept")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    record = Record("self_cure")
    for seed, noise, method in itertools.product(options.seeds, options.noise, options.methods):
        data = noisy(options.folder, options.work, noise, seed)
        setting = {"method": method, "noise": noise, "seed": seed, "faces": FACES, "epochs": RECIPE["tune"]["epochs"]}
        with record.run(setting, data) as figures:
            if figures is not None:
                name = f"{method.replace(' + ', '-').lower()}-{noise:g}-{seed}"
                figures.update(measured(data, options.work / "runs" / name, method, seed))
                print(setting, figures, flush=True)


def faces_and_truth(folder: Path) -> Iterator[tuple[np.ndarray, str, str, str]]:
    """Image, split, FER2013's emotion and FER+'s majority ("" where it has none that both know) of each face."""
    pairs = zip(Fer2013(folder).read(lambda n: None), FerPlus(folder).read(lambda n: None), strict=True)
    for own, other in pairs:
        if isinstance(own, Face) and isinstance(other, Face) and isinstance(own.image, np.ndarray):
            yield own.image, own.split, own.emotion, other.emotion if other.emotion in CLASSES else ""


def noisy(folder: Path, work: Path, noise: float, seed: int) -> Dataset:
    """A dataset whose emotions are the noisy labels, the test part's the truth; the truth is in all parts' votes."""
    out = work / f"fer2013-noise-{noise:g}-{seed}"
    if not out.exists():
        faces = list(faces_and_truth(folder))
        rng = np.random.default_rng([seed, 7])
        labels = np.array([CLASSES.index(face[2]) for face in faces])
        moved = rng.random(len(faces)) < noise
        labels = np.where(moved, (labels + rng.integers(1, len(CLASSES), len(faces))) % len(CLASSES), labels)
        images = [face[0] for face in faces]
        pairs = duplicates.duplicate_pairs(
            [duplicates.digest(image) for image in images], np.stack([duplicates.thumbnail(image) for image in images])
        )
        alike = join(len(faces), [*pairs[0].tolist(), *pairs[1].tolist()])
        splits, _ = complete_splits([face[1] for face in faces], [face[2] for face in faces], alike, 0.1, 0)
        train = np.random.default_rng(0).permutation(np.flatnonzero(splits == "train"))
        left_out = set(train[FACES:].tolist())
        info = DatasetInfo(out.name, CLASSES, (), CLASSES, licence=LICENCE, source=CITATION, crop=CROP)
        with write_dataset(out, info) as writer:
            for i, (image, _, _, truth) in enumerate(faces):
                if i not in left_out:
                    label = CLASSES[labels[i]] if splits[i] != "test" else truth
                    votes = tuple(float(name == truth) for name in CLASSES) if truth else ()
                    writer.add_array(image, split=splits[i], emotion=label, votes=votes)
    return Dataset(out)


def measured(data: Dataset, folder: Path, method: str, seed: int) -> dict[str, Any]:
    """Train and judge: accuracy and macro-F1 by the truth, and how right the relabels are."""
    from fermobile.training.recipe import recipe_from_dict
    from fermobile.training.transfer import train

    recipe = recipe_from_dict(RECIPE).override(seed=seed, **METHODS[method])
    run = train(recipe, data, folder, resume=True)
    epochs = [row for row in run.metrics() if row["stage"] == "tune"]
    best = max(epochs, key=lambda row: row["score"])
    train_rows = data.indices("train")
    truth, given = truths(data)[train_rows], data.hard_labels(CLASSES)[train_rows]
    return {
        "seconds": sum(row["seconds"] for row in run.metrics()),
        **judged_on(run, data, "test"),
        "noisy_val_accuracy": best["val_accuracy"],
        "best_epoch": best["epoch"],
        "seconds_per_epoch": float(np.median([row["seconds"] for row in epochs])),
        "train_labels_right": float((given == truth)[truth >= 0].mean()),
        **relabels(data, Ledger(run.folder / LEDGER_FILE)),
    }


def relabels(data: Dataset, ledger: Ledger) -> dict[str, Any]:
    """Precision: of the relabelled faces, those that now carry the truth; recall: of the wrong ones, those mended.

    Faces without a truth are left out of both.
    """
    rows = data.indices("train")
    changed = ledger.labels()
    given, truth = data.hard_labels(CLASSES)[rows], truths(data)[rows]
    now = np.array(
        [CLASSES.index(changed.get(data.paths[row], CLASSES[label])) for row, label in zip(rows, given, strict=True)]
    )
    judged = (truth >= 0) & (now != given)
    right, wrong = judged & (now == truth), (truth >= 0) & (given != truth)
    count = int(judged.sum())
    return {
        "relabelled": int((now != given).sum()),
        "relabel_precision": float(right.sum() / count) if count else None,
        "relabel_recall": float(right.sum() / wrong.sum()) if count else None,
        "relabelled_although_right": float((judged & (given == truth)).sum() / count) if count else None,
    }


def truths(data: Dataset) -> np.ndarray:
    """Index of each face's true class, int64 (N,); -1 where FER+ has none."""
    return np.where(np.isfinite(data.votes).all(axis=1), data.votes.argmax(axis=1), -1)


if __name__ == "__main__":
    main()
