"""Pseudo-labels (Arsirii & Petrosiuk 2023): a part of FER+'s labels, the other training faces as an unlabelled pool.

    .venv/bin/python benchmarks/papers/pseudo_labels.py FOLDER --work DIR

FOLDER is FER+ as a dataset ('fermobile data import ferplus').  Of its train split a part keeps its labels, drawn by
class; the rest is the pool, whose labels nobody looks at but the figure that says how right the pseudo-labels are.
Three networks are trained on the part alone, which differ by their seed.  They label the pool together; the next one,
from ImageNet's weights again, is trained on both: on the sure labels alone ("pseudo-labels"), or on all faces with the
three as teachers ("pseudo-labels and teachers").  All choices were made on validation faces, with --dev; the test part
(PublicTest) is judged without.  One row per run in rows/pseudo_labels.jsonl; a row that is there is not run again.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from judge import judged_on
from record import ROWS, Record

from fermobile.data.info import DatasetInfo
from fermobile.data.joined import join
from fermobile.data.manifest import Dataset, write_dataset
from fermobile.data.splits import hold_out
from fermobile.files import write_json

if TYPE_CHECKING:
    from fermobile.training.pseudo_label import PseudoLabels
    from fermobile.training.runs import Run

ALONE, SURE, TAUGHT = "labelled part alone", "pseudo-labels", "pseudo-labels and teachers"

#: Epochs of fine-tuning on a part of the labels alone; validation says that more do not help.
EPOCHS = {0.05: 40, 0.1: 30, 0.25: 16}

#: Networks that label the pool together; their seeds are 0, 1, 2.
TEACHERS = 3

RECIPE: dict[str, Any] = {
    "name": "pseudo_labels",
    "network": {"backbone": "mobilenet_v1", "alpha": 0.5, "size": 64, "weights": "imagenet"},
    "labels": {"balance": 0.25},
    "head": {"epochs": 10, "views": 0},
    "tune": {"learning_rate": 1e-3, "batch": 32},
    "augment": {"shift": 0.05, "zoom": 0.08, "rotate": 6.0},
    "ema": 0.99,
    "patience": 100,
}

#: What training with the pool changes, which has many more faces; the rare classes, of which few are accepted, would
#: drown in it, so they weigh more.
WITH_POOL: dict[str, Any] = {"tune.epochs": 10, "tune.batch": 64, "ema": 0.998, "labels.balance": 0.75}
DISTILL: dict[str, Any] = {"distill.temperature": 1.0, "distill.weight": 0.7}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where datasets and runs are kept")
    parser.add_argument("--shares", type=float, nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--methods", nargs="+", choices=(SURE, TAUGHT), default=[SURE, TAUGHT])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the trainings with the pool")
    parser.add_argument("--dev", action="store_true", help="judge validation faces only; the rows go to --work")
    options = parser.parse_args()
    record, source = Record("pseudo_labels", options.work if options.dev else ROWS), Dataset(options.folder)
    splits = ("val",) if options.dev else ("val", "test")
    for share in options.shares:
        Experiment(source, options.work, record, share, splits).run(options.methods, options.seeds)


class Experiment:
    """One part of the labels: its datasets, runs and rows.

    Args:
        source: FER+.
        work: where datasets and runs are kept.
        record: takes the rows.
        share: of the train split that keeps its labels.
        splits: that are judged.
    """

    def __init__(self, source: Dataset, work: Path, record: Record, share: float, splits: Sequence[str]) -> None:
        self.source, self.record, self.share, self.splits = source, record, share, splits
        self.folder = work / f"{share:g}"
        train = source.indices("train")
        kept = hold_out(source.emotion[train].astype(str), np.arange(len(train)), share, 0)
        self.part, self.rest = train[kept], train[~kept]

    def run(self, methods: Sequence[str], seeds: Sequence[int]) -> None:
        labelled, pool = self.datasets()
        alone = {"tune.epochs": EPOCHS[self.share]}
        found = [self.trained(ALONE, labelled, seed, alone, {}) for seed in range(TEACHERS)]
        teachers, before = [run for run, _ in found], [row for _, row in found]
        out = self.folder / "labels"
        made = self.pseudo_labels(out, teachers, pool)
        for method in methods:
            changes = WITH_POOL
            if method == TAUGHT:
                changes = {**WITH_POOL, **DISTILL, "distill.teachers": [str(run.folder) for run in teachers]}
            both = join(labelled, [Dataset(out)])
            after = [self.trained(method, both, seed, changes, made)[1] for seed in seeds]
            for split in self.splits:
                print(f"{self.share:.0%} of the labels, {method}, {split}:")
                print("\n".join(f"  {line}" for line in compared(before, after, split)), flush=True)

    def datasets(self) -> tuple[Dataset, Dataset]:
        """The labelled part with FER+'s validation and test faces; the pool, whose labels are hidden."""
        info, copies = self.source.info, (self.folder / "labelled", self.folder / "pool")
        for out, rows, labels in (
            (copies[0], np.concatenate([self.part, self.source.indices("val", "test")]), True),
            (copies[1], self.rest, False),
        ):
            if out.exists():
                continue
            own = DatasetInfo(out.name, licence=info.licence, source=info.source, crop=info.crop)
            if labels:
                own = DatasetInfo(
                    out.name, info.emotions, (), info.vote_emotions, info.licence, info.source, info.crop
                )  # fmt: skip
            with write_dataset(out, own) as writer:
                for row in rows.tolist():
                    said = self.source.labels(row) if labels else {"split": "train"}
                    writer.add_copy(self.source, row, **said)
        return Dataset(copies[0]), Dataset(copies[1])

    def trained(
        self, method: str, data: Dataset, seed: int, changes: Mapping[str, Any], made: Mapping[str, Any]
    ) -> tuple[Run, dict[str, Any]]:
        """The run of a method, and its row; both are made unless they are there."""
        from fermobile.training.recipe import recipe_from_dict
        from fermobile.training.transfer import train

        setting = {"labels": self.share, "method": method, "seed": seed}
        with self.record.run(setting, data) as figures:
            recipe = recipe_from_dict(RECIPE).override(seed=seed, **changes)
            run = train(recipe, data, self.folder / f"{method.replace(' ', '-')}-{seed}", resume=True)
            if figures is not None:
                figures.update({split: judged_on(run, self.source, split) for split in self.splits})
                figures.update(seconds=sum(row["seconds"] for row in run.metrics()), labelled=len(self.part))
                if made:
                    figures["pseudo_labels"] = made
        found = self.record.find(setting)
        assert found is not None
        return run, found

    def pseudo_labels(self, out: Path, teachers: Sequence[Run], pool: Dataset) -> dict[str, Any]:
        """Label the pool, unless that is done; how many labels there are and how right they are."""
        from fermobile.training.pseudo_label import pseudo_label

        kept = out.with_suffix(".json")
        if not kept.exists():
            made = pseudo_label(teachers, pool, out, leave_out_overlap=True, keep_unsure=True, force=True)
            write_json(kept, self.rightness(made))
        figures: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return figures

    def rightness(self, made: PseudoLabels) -> dict[str, Any]:
        """How many pseudo-labels there are, and how many of them are the hidden majority's."""
        truth = self.source.hard_labels(made.emotions)[self.rest[made.selection.rows]]
        given = made.selection.classes
        classes = {}
        for label, (name, counts) in enumerate(made.to_dict()["classes"].items()):
            judged = (given == label) & (truth >= 0)
            right = float((truth[judged] == label).mean()) if judged.any() else None
            classes[name] = {**counts, "precision": right}
        judged = truth >= 0
        return {
            "pool": made.faces,
            "overlapping": made.overlapping,
            "accepted": len(given),
            "precision": float((truth[judged] == given[judged]).mean()),
            "accepted_without_majority": int((~judged).sum()),
            "classes": classes,
        }


def compared(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], split: str) -> Iterator[str]:
    """Lines that say what was gained, and which classes lost, as means over rows."""

    def mean(rows: Sequence[Mapping[str, Any]], *path: str) -> float:
        return float(np.mean([functools.reduce(lambda at, key: at[key], path, row["figures"][split]) for row in rows]))

    for figure in ("accuracy", "macro_f1", "weighted_f1", "mean_recall"):
        old, new = mean(before, figure), mean(after, figure)
        yield f"{figure} {old:.3f} -> {new:.3f} ({100 * (new - old):+.1f} points)"
    classes = after[0]["figures"][split]["per_class_f1"]
    gains = {name: mean(after, "per_class_f1", name) - mean(before, "per_class_f1", name) for name in classes}
    for name in classes:
        yield f"{name:10} {mean(before, 'per_class_f1', name):.3f} -> {mean(after, 'per_class_f1', name):.3f}"
    lost = [f"{name} ({100 * gain:.1f} points)" for name, gain in gains.items() if gain < 0]
    yield f"lost: {', '.join(lost) or 'none'}"


if __name__ == "__main__":
    main()
