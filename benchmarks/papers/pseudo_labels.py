"""Pseudo-labels (Arsirii & Petrosiuk 2023): a part of FER+'s labels, the other training faces as an unlabelled pool.

    .venv/bin/python benchmarks/papers/pseudo_labels.py FOLDER --work DIR

FOLDER is FER+ as a dataset ('fermobile data import ferplus').  Of its train split a part keeps its labels, drawn by
class; the rest is the pool, whose labels nobody looks at but the figure that says how right the pseudo-labels are.  A
network is trained on the part alone; it labels the pool; the next one, from ImageNet's weights again, is trained on
both, and labels the pool anew.  All choices were made on validation faces; the test part (PublicTest) is judged where
--test is given.  One row per run in rows/pseudo_labels.jsonl; a row that is there is not run again.
"""

from __future__ import annotations

import argparse
import itertools
import json
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

ALONE = "labelled part alone"

#: Epochs of fine-tuning on a part of the labels alone; validation says that more do not help.
EPOCHS = {0.05: 40, 0.1: 30, 0.25: 16}
#: The same with the pool's pseudo-labels, which are many more faces.
EPOCHS_BOTH = 10

#: Lowest threshold of a class.
FLOOR = 0.8

RECIPE: dict[str, Any] = {
    "name": "pseudo_labels",
    "network": {"backbone": "mobilenet_v1", "alpha": 0.5, "size": 96, "weights": "imagenet"},
    "labels": {"balance": 0.25},
    "head": {"epochs": 10, "views": 0},
    "tune": {"learning_rate": 1e-3, "batch": 32},
    "augment": {"shift": 0.05, "zoom": 0.08, "rotate": 6.0},
    "ema": 0.99,
    "patience": 100,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where datasets and runs are kept")
    parser.add_argument("--shares", type=float, nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--test", action="store_true", help="judge the test part too: once, when all is chosen")
    parser.add_argument("--rows", type=Path, default=ROWS, help="where the rows are kept")
    options = parser.parse_args()
    record, source = Record("pseudo_labels", options.rows), Dataset(options.folder)
    for share, seed in itertools.product(options.shares, options.seeds):
        Experiment(source, options.work, record, share, seed, options.test).run(options.rounds)


class Experiment:
    """One part of the labels: its datasets, runs and rows.

    Args:
        source: FER+.
        work: where datasets and runs are kept.
        record: takes the rows.
        share: of the train split that keeps its labels.
        seed: of the draw of that part, and of the trainings.
        test: judge the test part too.
    """

    def __init__(self, source: Dataset, work: Path, record: Record, share: float, seed: int, test: bool) -> None:
        self.source, self.record, self.share, self.seed, self.test = source, record, share, seed, test
        self.folder = work / f"{share:g}-{seed}"
        train = source.indices("train")
        kept = hold_out(source.emotion[train].astype(str), np.arange(len(train)), share, seed)
        self.part, self.rest = train[kept], train[~kept]

    def run(self, rounds: int) -> None:
        labelled, pool = self.datasets()
        teacher, alone = self.trained(ALONE, labelled, EPOCHS[self.share], {})
        for number in range(1, rounds + 1):
            out = self.folder / f"labels-{number}"
            made = self.pseudo_labels(out, teacher, pool)
            teacher, found = self.trained(f"round {number}", join(labelled, [Dataset(out)]), EPOCHS_BOTH, made)
            self.compare(alone, found)

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

    def trained(self, method: str, data: Dataset, epochs: int, made: dict[str, Any]) -> tuple[Run, dict[str, Any]]:
        """The run of a method, and its row; both are made unless they are there."""
        from fermobile.training.recipe import recipe_from_dict
        from fermobile.training.transfer import train

        setting = {"labels": self.share, "seed": self.seed, "method": method}
        with self.record.run(setting, data) as figures:
            recipe = recipe_from_dict(RECIPE).override(**{"seed": self.seed, "tune.epochs": epochs})
            run = train(recipe, data, self.folder / method.replace(" ", "-"), resume=True)
            if figures is not None:
                figures.update(judged_on(run, self.source, "val"), labelled=len(self.part))
                if self.test:
                    figures["test"] = judged_on(run, self.source, "test")
                if made:
                    figures["pseudo_labels"] = made
        found = self.record.find(setting)
        assert found is not None
        return run, found

    def pseudo_labels(self, out: Path, teacher: Run, pool: Dataset) -> dict[str, Any]:
        """Label the pool, unless that is done; how many labels there are and how right they are."""
        from fermobile.training.pseudo_label import pseudo_label

        kept = out.with_suffix(".json")
        if not kept.exists():
            made = pseudo_label([teacher], pool, out, FLOOR, leave_out_overlap=True, force=True)
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

    def compare(self, alone: dict[str, Any], both: dict[str, Any]) -> None:
        """Say which classes gained and lost."""
        before, after = alone["figures"], both["figures"]
        print(f"{self.share:.0%} of the labels, seed {self.seed}, {both['setting']['method']}")
        for part in ("val", "test") if self.test else ("val",):
            old, new = (figures if part == "val" else figures["test"] for figures in (before, after))
            figures = ("accuracy", "macro_f1", "weighted_f1", "mean_recall")
            print(f"  {part}:", ", ".join(f"{name} {old[name]:.4f} -> {new[name]:.4f}" for name in figures))
            for name, f1 in new["per_class_f1"].items():
                print(f"    {name:10} {old['per_class_f1'][name]:.3f} -> {f1:.3f}")
        made = after["pseudo_labels"]
        print(f"  accepted {made['accepted']} of {made['pool']}, {made['precision']:.3f} of them right", flush=True)


if __name__ == "__main__":
    main()
