"""Small students of large teachers: MobileNet-v1 0.5 and 0.25 on FER+, from labels alone and from a teacher ensemble.

    fermobile train mobilenet_v1_emotions --data DATA --size 64 --epochs 6 --out RUN
    fermobile train mobilenet_v1_emotions --data DATA --size 64 --epochs 6 --weights FACE_WEIGHTS.h5 --out RUN2
    .venv/bin/python benchmarks/papers/distillation.py DATA --teachers RUN RUN2 --work DIR

DATA is the dataset folder of ``fermobile data import ferplus``; the teachers are runs on it.  Validation chooses the
epoch, the test split is measured once per run.  Rows go to rows/distillation.jsonl; a row that is there is not run
again.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

from judge import judged
from record import Record

from fermobile.data.manifest import Dataset

RECIPE: dict[str, Any] = {
    "name": "student",
    "network": {"backbone": "mobilenet_v1", "size": 64, "weights": "imagenet"},
    "labels": {"balance": 0.25},
    "head": {"epochs": 4, "views": 0},
    "tune": {"epochs": 8, "learning_rate": 1e-3, "batch": 64},
    "distill": {"temperature": 2.0, "weight": 0.7},
    "augment": {"shift": 0.05, "zoom": 0.08, "rotate": 6.0},
    "ema": 0.998,
    "patience": 100,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--teachers", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    data, record = Dataset(options.data), Record("distillation")
    for seed, alpha, taught in itertools.product(options.seeds, options.alphas, (False, True)):
        teachers = [str(path) for path in options.teachers] if taught else []
        setting = {
            "alpha": alpha, "teachers": len(teachers), "seed": seed, "size": RECIPE["network"]["size"],
            "epochs": RECIPE["tune"]["epochs"],
        }  # fmt: skip
        with record.run(setting, data) as figures:
            if figures is not None:
                name = f"student-{alpha:g}-{'taught' if taught else 'alone'}-{seed}"
                figures.update(measured(data, options.work / name, alpha, teachers, seed))
                print(setting, figures, flush=True)
    for path in options.teachers:
        with record.run({"teacher": path.name}, data) as figures:
            if figures is not None:
                figures.update(judged(data, path))


def measured(data: Dataset, folder: Path, alpha: float, teachers: list[str], seed: int) -> dict[str, Any]:
    """Train a student and judge it."""
    from fermobile.training.recipe import recipe_from_dict
    from fermobile.training.transfer import train

    changes = {"network.alpha": alpha, "distill.teachers": teachers, "seed": seed}
    train(recipe_from_dict(RECIPE).override(**changes), data, folder, resume=True)
    return judged(data, folder)


if __name__ == "__main__":
    main()
