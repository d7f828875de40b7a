"""The stack of Phan 2024 (a DCNN, then a Self-Cure Network) and Awei (Liu 2023), on FER2013's own seven labels.

    .venv/bin/python benchmarks/papers/dcnn_awei.py DATA --work DIR

DATA is the dataset folder of ``fermobile data import fer2013``.  Nothing is pre-trained: the networks start from random
weights, and Awei's frozen VGG is the run of VGG-16.  They learn from a random part of the training faces.  Validation
chooses the epoch, the test split is measured once per run.  Rows go to rows/dcnn.jsonl and rows/awei.jsonl; a row that
is there is not run again.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from judge import judged
from record import Record

from fermobile.data.manifest import Dataset, write_dataset
from fermobile.training.recipe import Recipe, load_recipe


@dataclass(frozen=True)
class System:
    """One row.

    Attributes:
        table: where it goes.
        recipe: of the package, with these ``changes``.
        runs: entries of the recipe that name another system's run, which comes first.
    """

    table: str
    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)


_ON_RESNET = {"network.weights": "ResNet-18"}
# VGG-16 at 64 px takes nine times as long as ResNet-18; having no normalisation, it needs many steps to begin to learn.
_VGG = {"network.size": 32, "network.weights": "none", "head.epochs": 0, "tune.epochs": 8, "tune.batch": 16}
_AWEI = {"network.size": 32, "tune.epochs": 8}  # the size that its VGG has learned at

SYSTEMS = {
    "ResNet-18": System("dcnn", "resnet18_fer2013"),
    "ResNet-18, then SCN": System("dcnn", "resnet18_self_cure", runs=_ON_RESNET),
    # What the second stage's epochs do by themselves.
    "ResNet-18, then as many epochs without SCN": System(
        "dcnn", "resnet18_self_cure", {"self_cure.enabled": False}, _ON_RESNET
    ),
    "VGG-16": System("dcnn", "vgg16_fer2013", _VGG),
    "Awei without VGG": System("awei", "awei", {**_AWEI, "network.frozen_vgg": "none"}),
    "Awei": System("awei", "awei", _AWEI, {"network.frozen_vgg": "VGG-16"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where runs and parts of the data are kept")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="and what they start from")
    parser.add_argument("--faces", type=int, default=4000, help="training faces; 0 for all, which takes hours")
    options = parser.parse_args()
    data = part(Dataset(options.data), options.faces, options.work)
    for name in options.systems:
        finish(name, data, options.work)


def finish(name: str, data: Dataset, work: Path) -> Path:
    """Train and judge a system, and those that it starts from, unless they have their rows; returns its run folder."""
    system = SYSTEMS[name]
    runs = {entry: finish(other, data, work) for entry, other in system.runs.items()}
    folder = work / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{len(data.indices('train'))}"
    recipe = recipe_of(system, runs)
    setting = {
        "system": name,
        "size": recipe.network.size,
        "faces": len(data.indices("train")),
        "epochs": recipe.tune.epochs,
        "batch": recipe.tune.batch,
        "seed": recipe.seed,
    }
    with Record(system.table).run(setting, data) as figures:
        if figures is not None:
            from fermobile.training.transfer import train

            run = train(recipe, data, folder, resume=True)
            epochs = run.metrics()
            figures["best_epoch"] = max(epochs, key=lambda row: row["score"])["epoch"]
            figures["seconds_per_epoch"] = float(np.median([row["seconds"] for row in epochs]))
            figures.update(judged(data, folder))
            print(setting, figures, flush=True)
    return folder


def recipe_of(system: System, runs: Mapping[str, Path]) -> Recipe:
    """The package's recipe, changed, starting from the runs."""
    changes = {**system.changes, **{entry: str(folder) for entry, folder in runs.items()}}
    return load_recipe(system.recipe).override(**changes)


def part(whole: Dataset, faces: int, work: Path) -> Dataset:
    """The set with a random part of its training faces and all others; itself for 0."""
    if not faces:
        return whole
    out = work / f"{whole.info.name}-{faces}"
    if not out.exists():
        train = np.random.default_rng(0).permutation(whole.indices("train"))[:faces]
        with write_dataset(out, whole.info) as writer:
            for row in (*sorted(train.tolist()), *whole.indices("val", "test").tolist()):
                writer.add_copy(whole, row, **whole.labels(row))
    return Dataset(out)


if __name__ == "__main__":
    main()
