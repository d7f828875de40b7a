"""Losses of action units on rendered faces with DISFA's base rates: does 1 - P·R beat cross-entropy?

    fermobile data synth --out FOLDER --count 21000 --seed 4 --rates disfa --mesh ict:ict_facekit_light.npz
    fermobile data folds FOLDER --count 3
    .venv/bin/python benchmarks/papers/au_losses.py FOLDER --work DIR

Three subject-exclusive folds.  A tenth of a round's training subjects chooses the epoch, by mean F1 at the best
thresholds, and those thresholds; the test subjects choose nothing.  Stage "frozen" trains the head on the features of
the frozen ImageNet backbone, stage "tuned" goes on from there with all layers (DenseNet from random weights, for none
are at hand).  One row per run in rows/au_losses.jsonl; a row that is there is not run again.  With --head-rates, the
frozen stage at several learning rates, in rows/au_loss_rates.jsonl.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from record import Record

from fermobile.data.manifest import Dataset
from fermobile.evaluation.metrics import au_metrics, best_thresholds
from fermobile.models.keras import keras, tf
from fermobile.models.network import build_head, build_network, copy_weights, feature_model
from fermobile.training.au_losses import au_loss
from fermobile.training.loop import Batch, Schedule, Silent, Stage
from fermobile.training.losses import TargetTensors
from fermobile.training.objective import Objective
from fermobile.training.recipe import Recipe, recipe_from_dict
from fermobile.training.runs import WEIGHTS_FILE, Run, finish_run, network_spec, start_run
from fermobile.training.scoring import calibrated, predict, predict_rows, validation_score
from fermobile.training.targets import make_targets
from fermobile.training.transfer import cached_features, starting_contract, train

#: Name in the table -> the recipe's [loss].
LOSSES: dict[str, dict[str, Any]] = {
    "BCE": {"loss.au": "bce"},
    "weighted BCE": {"loss.au": "weighted_bce"},
    "LSEP + BCE": {"loss.au": "lsep"},
    "L_pr per AU": {"loss.au": "precision_recall"},
    "L_pr pooled": {"loss.au": "precision_recall", "loss.pooled": True},
    "asymmetric": {"loss.au": "asymmetric"},
    "L_pr per AU after BCE": {"loss.au": "precision_recall"},
}

#: Losses whose fine-tuning starts from the head of another: L_pr does not bring back a unit that it has lost.
_HEAD_OF = {"L_pr per AU after BCE": "BCE"}

#: Width, and epochs of fine-tuning that two cores bear; where no ImageNet weights are at hand, from random ones.
BACKBONES: dict[str, dict[str, Any]] = {
    "mobilenet_v1": {"alpha": 0.5, "epochs": 3},
    "mobilenet_v2": {"alpha": 1.0, "epochs": 2},
    "densenet121": {"alpha": 1.0, "epochs": 3, "size": 64, "weights": "none"},
}

STAGES = ("frozen", "tuned")

RECIPE: dict[str, Any] = {
    "name": "au_losses",
    "tasks": ["au"],
    "network": {"size": 96, "weights": "imagenet"},
    "head": {"epochs": 20, "learning_rate": 1e-3, "batch": 64, "views": 0},
    "tune": {"epochs": 0, "learning_rate": 1e-3, "batch": 64},
    "augment": {"rotate": 5.0, "color": 0.0, "sharpness": 0.0},
    "ema": 0.99,
    "patience": 5,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the dataset, with folds")
    parser.add_argument("--work", type=Path, required=True, help="where features and runs are kept")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--head-rates", type=float, nargs="+", help="compare these learning rates of the frozen stage")
    options = parser.parse_args()
    if options.head_rates:
        compare_rates(options)
        return
    record = Record("au_losses")
    # Whole rounds first: what is finished of an experiment that was stopped can be compared.
    choices = (options.stages, options.seeds, options.backbones, options.folds, options.losses)
    for stage, seed, backbone, fold, loss in itertools.product(*choices):
        if [stage == "frozen", random_start(backbone), loss in _HEAD_OF].count(True) > 1:
            continue  # no such head: a random backbone is trained in one stage
        data = Dataset(options.folder, fold=fold)
        setting = {"stage": stage, "backbone": backbone, **BACKBONES[backbone]}
        setting |= {"loss": loss, "fold": fold, "seed": seed}
        if stage == "frozen":
            del setting["epochs"]
        with record.run(setting, data) as figures:
            if figures is not None:
                figures.update(measured(data, options.work, stage, backbone, loss, seed))
                figures.update(to_bce(figures, record.find({**setting, "loss": "BCE"})))
                print(setting, {key: value for key, value in figures.items() if isinstance(value, float)}, flush=True)


def compare_rates(options: argparse.Namespace) -> None:
    """Whether the losses' order depends on how fast the head learns: losses differ in the size of their gradients."""
    record = Record("au_loss_rates")
    heads = [loss for loss in options.losses if loss not in _HEAD_OF]
    choices = (options.seeds, options.backbones, options.folds, options.head_rates, heads)
    for seed, backbone, fold, rate, loss in itertools.product(*choices):
        data = Dataset(options.folder, fold=fold)
        setting = {"backbone": backbone, "alpha": BACKBONES[backbone]["alpha"], "learning_rate": rate}
        setting |= {"loss": loss, "fold": fold, "seed": seed}
        with record.run(setting, data) as found:
            if found is not None:
                recipe = recipe_of(backbone, loss, seed).override(**{"head.learning_rate": rate})
                _, scores = train_frozen(recipe, data, options.work, options.work / "rates")
                found.update(figures(data, scores))


def random_start(backbone: str) -> bool:
    """A random backbone has nothing to offer a head: it is trained in one stage."""
    return bool(BACKBONES[backbone].get("weights") == "none")


def recipe_of(backbone: str, loss: str, seed: int) -> Recipe:
    """The recipe of stage 1."""
    network = {f"network.{name}": BACKBONES[backbone].get(name) for name in ("alpha", "size", "weights")}
    return recipe_from_dict(RECIPE).override(**{"network.backbone": backbone, **network, "seed": seed, **LOSSES[loss]})


def measured(data: Dataset, work: Path, stage: str, backbone: str, loss: str, seed: int) -> dict[str, Any]:
    """Train and judge one setting."""
    recipe, head = recipe_of(backbone, loss, seed), _HEAD_OF.get(loss, loss)
    frozen, fine = (
        work / kind / f"{backbone}-{of}-{data.fold}-{seed}".lower().replace(" ", "_")
        for kind, of in (("runs", head), ("tuned", loss))
    )
    began = time.monotonic()
    if stage == "frozen" or not (random_start(backbone) or (frozen / WEIGHTS_FILE).exists()):
        run, scores = train_frozen(recipe_of(backbone, head, seed), data, work, frozen)
    if stage == "tuned":
        began = time.monotonic()
        start = None if random_start(backbone) else str(frozen)
        tuned = recipe.override(
            **{"network.weights": start, "head.epochs": 0, "tune.epochs": BACKBONES[backbone]["epochs"]}
        )
        run = train(tuned, data, fine, resume=True)
        model = run.load_model()
        scores = {s: predict_rows(model, data, data.indices(s), run.contract)["au"] for s in ("val", "test")}
    seconds = time.monotonic() - began
    epochs = run.metrics()
    if stage == "tuned":
        shutil.rmtree(run.folder)
    return {**figures(data, scores), "train_seconds": round(seconds, 1), "epochs": len(epochs)}


def train_frozen(recipe: Recipe, data: Dataset, work: Path, folder: Path) -> tuple[Run, dict[str, np.ndarray]]:
    """Stage 1 as in :func:`fermobile.training.transfer.train`, on features that all runs of a backbone share.

    Returns:
        The run, from which stage 2 starts, and its scores on val and test, float32 (N, A).
    """
    contract = starting_contract(recipe, data)
    spec = network_spec(recipe, contract)
    keras.utils.set_random_seed(recipe.seed)
    model = build_network(spec, recipe.network.weights)
    everybody = np.arange(len(data))
    stored = cached_features(
        feature_model(model), data, everybody, contract.input, recipe.override(seed=0), 0, work, Silent()
    )
    rows, held = data.indices("train"), data.indices("val")
    targets = make_targets(data, rows, contract, recipe.labels)
    features, held_features = np.asarray(stored[rows]), np.asarray(stored[held])
    head = build_head(features.shape[1], spec)
    copy_weights(model, head)
    steps = len(rows) // recipe.head.batch

    def epoch(number: int, step: int) -> Iterator[Batch]:
        order = np.random.default_rng([recipe.seed, 1, number]).permutation(len(rows))
        for part in order[: steps * recipe.head.batch].reshape(steps, -1)[step:]:
            of_part = targets.take(part)
            tensors = TargetTensors(*(tf.constant(getattr(of_part, name)) for name in TargetTensors._fields))
            yield Batch(tf.constant(features[part]), tensors, part)

    def score() -> dict[str, float]:
        return validation_score(data, held, contract, lambda: predict(head, [held_features], contract))

    start_run(folder, contract, recipe, force=True, dataset={**data.origin, "path": str(data.folder)})
    schedule = Schedule(recipe.head.epochs, steps, recipe.head.learning_rate)
    objective = Objective(head, au_loss(recipe.loss.au, targets.au_rates(), recipe.loss.pooled))
    Stage("head", folder, head, schedule, recipe.ema, recipe.patience, objective).fit(epoch, score, Silent())
    copy_weights(head, model)
    scores = {split: predict(head, [stored[data.indices(split)]], contract) for split in ("val", "test")}
    run = finish_run(folder, calibrated(contract, data, held, scores["val"]), model)
    return run, {split: found["au"] for split, found in scores.items()}


def to_bce(figures: dict[str, Any], bce: dict[str, Any] | None) -> dict[str, Any]:
    """How far the figures are above those of cross-entropy on the same fold with the same seed."""
    if bce is None:
        return {}
    names = ("f1", "f1_tuned", "micro_f1", "average_precision")
    return {"to_bce": {name: figures[name] - bce["figures"][name] for name in names}}


def figures(data: Dataset, scores: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the scores of the test subjects are worth: at 0.5, at thresholds from val, and without a threshold."""
    units = data.info.action_units
    labels = {split: data.au_labels(units)[data.indices(split)] for split in scores}
    thresholds = best_thresholds(scores["val"], labels["val"], units)
    half = au_metrics(scores["test"], labels["test"], units)
    best = au_metrics(scores["test"], labels["test"], units, thresholds)
    return {
        "f1": half.mean_f1,
        "f1_tuned": best.mean_f1,
        "micro_f1": half.micro_f1,
        "micro_f1_tuned": best.micro_f1,
        "average_precision": float(np.mean([row["average_precision"] for row in half.per_au.values()])),
        "all_positive_f1": half.all_positive_f1,
        "thresholds": thresholds,
        "per_au": {
            unit: {
                "f1": half.per_au[unit]["f1"],
                "f1_tuned": best.per_au[unit]["f1"],
                "average_precision": half.per_au[unit]["average_precision"],
            }
            for unit in units
        },
        "test_faces": half.n,
    }


if __name__ == "__main__":
    main()
