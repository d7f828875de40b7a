"""Two-stage transfer learning (Arsirii & Petrosiuk 2021): the head on a frozen backbone, then fine-tuning.

Stage 1 runs on cached features: the backbone sees each image once per stored view.  Stage 2 trains the whole
network, or everything from a named layer on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..contract import InputSpec, ModelContract
from ..data.augment import NONE, Augment
from ..data.batches import batches
from ..data.joined import where
from ..data.ledger import LEDGER_FILE, Ledger
from ..data.manifest import Dataset
from ..data.splits import refuse_crossing_subjects
from ..errors import DatasetError, InputError
from ..files import writing
from ..labels import EMOTIONS
from ..models.keras import keras, tf
from ..models.network import build_head, copy_weights, feature_model
from .au_losses import AULoss, au_loss
from .distillation import same_meaning, teacher_answers
from .loop import Batch, Epochs, Reporter, Schedule, Silent, Stage
from .losses import TargetTensors
from .objective import Objective
from .recipe import DistillRecipe, Recipe
from .runs import Run, claim_folder, finish_run, network_spec, start_run, versions
from .scoring import calibrated, predict, predict_rows, validation_score
from .self_cure import SelfCure
from .start import initial_network, refuse_other_splits, refuse_other_start, starting_points, weights_name
from .targets import Targets, absent_labels, make_targets, refuse_unlabelled


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    resume: bool = False,
    force: bool = False,
    report: Reporter | None = None,
) -> Run:
    """Train a recipe on a dataset's train split; its val split stops and selects; test is not touched.

    Raises:
        OutputExistsError: the folder is taken and neither ``resume`` nor ``force`` is given.
        RunError: ``resume`` finds a run of another recipe or dataset, or a quantized one.
        DatasetError: a split or a class is empty, a subject is in two splits, or the set lacks the recipe's labels.
        InputError: the network cannot be built as the recipe says, or ``folder`` holds the weights it starts from.
    """
    report = report or Silent()
    refuse_crossing_subjects(dataset.subject, dataset.split, dataset.folder)
    rows, held_out = dataset.indices("train"), dataset.indices("val")
    contract = starting_contract(recipe, dataset)
    targets = make_targets(dataset, rows, contract, recipe.labels)
    refuse_unlabelled(dataset, held_out, contract)
    au = au_loss(recipe.loss.au, targets.au_rates(), recipe.loss.pooled)
    refuse_other_splits(recipe, dataset)
    teachers = [Run.open(path) for path in recipe.distill.teachers]
    for teacher in teachers:
        same_meaning(teacher, contract)
    if not teachers:  # who answer for rows that nobody labelled, too
        rows, targets = rows[targets.labelled], targets.take(targets.labelled)
    status = claim_folder(folder, resume, force, recipe, dataset.origin, starting_points(recipe))
    if status == "finished":
        return Run.open(folder)
    if status == "training":
        refuse_other_start(folder, contract)
    keras.utils.set_random_seed(recipe.seed)
    model = initial_network(recipe, contract)
    unfreeze(model, recipe.tune.unfreeze)  # stage 1 trains a head of its own, so this may come first
    if status == "new":
        absent = absent_labels(dataset, held_out, contract)
        start_run(folder, contract, recipe, force, dataset=where(dataset), absent_in_val=absent)
    if teachers:
        temperature = recipe.distill.temperature
        targets = targets.taught_by(teacher_answers(teachers, dataset, rows, contract, temperature, folder, report))
    if recipe.head.epochs:
        _train_head(model, recipe, contract, dataset, rows, held_out, targets, au, folder, report)
    if recipe.tune.epochs:
        _fine_tune(model, recipe, contract, dataset, rows, held_out, targets, au, folder, report)
    contract = calibrated(contract, dataset, held_out, predict_rows(model, dataset, held_out, contract))
    return finish_run(folder, contract, model)


def starting_contract(recipe: Recipe, dataset: Dataset) -> ModelContract:
    """The contract as it stands before training: labels and crop from the dataset, input from the recipe."""
    info, made = dataset.info, recipe.to_dict()
    for key in ("weights", "frozen_vgg"):
        made["network"][key] = weights_name(made["network"][key])
    made["distill"]["teachers"] = [weights_name(path) for path in recipe.distill.teachers]
    emotions = (
        tuple(e for e in EMOTIONS if e in {*info.emotions, *info.vote_emotions}) if "emotion" in recipe.tasks else ()
    )
    action_units = (recipe.action_units or info.action_units) if "au" in recipe.tasks else ()
    unknown = [unit for unit in action_units if unit not in info.action_units]
    if unknown:
        raise DatasetError(
            f"{dataset.folder} has no labels of {', '.join(unknown)}, which the recipe {recipe.name!r} trains; it has "
            f"{', '.join(info.action_units) or 'no action units'}"
        )
    for task, labels in (("emotion", emotions), ("au", action_units)):
        if task in recipe.tasks and not labels:
            raise DatasetError(f"{dataset.folder} has no {task} labels, which the recipe {recipe.name!r} trains")
    return ModelContract(
        name=recipe.name,
        emotions=emotions,
        action_units=action_units,
        input=InputSpec(size=recipe.network.size),
        crop=info.crop,
        provenance={
            "dataset": {**dataset.origin, "licence": info.licence, "source": info.source},
            "recipe": made,
            "versions": versions(),
        },
    )


def _train_head(
    model: keras.Model, recipe: Recipe, contract: ModelContract, dataset: Dataset, rows: np.ndarray,
    held_out: np.ndarray, targets: Targets, au: AULoss, folder: Path, report: Reporter,
) -> None:  # fmt: skip
    """Stage 1: the head alone, on features that the frozen backbone computes once per stored view."""
    spec = network_spec(recipe, contract)
    backbone = feature_model(model)
    views = [
        cached_features(backbone, dataset, rows, contract.input, recipe, view, folder, report)
        for view in range(1 + recipe.head.views)
    ]
    held = cached_features(backbone, dataset, held_out, contract.input, recipe, 0, folder, report)
    head = build_head(views[0].shape[1], spec)
    copy_weights(model, head)
    batch = min(recipe.head.batch, len(rows))
    steps = len(rows) // batch

    def epoch(number: int, step: int) -> Iterator[Batch]:
        rng = np.random.default_rng([recipe.seed, 1, number])
        order = rng.permutation(len(rows))
        chosen = rng.integers(len(views), size=len(rows))
        for at in range(step, steps):
            part = order[at * batch : (at + 1) * batch]
            yield Batch(tf.constant(np.stack([views[chosen[i]][i] for i in part])), _tensors(targets.take(part)), part)

    def score() -> dict[str, float]:
        return validation_score(dataset, held_out, contract, lambda: predict(head, [held], contract))

    schedule = Schedule(recipe.head.epochs, steps, recipe.head.learning_rate)
    objective = Objective(head, au, _distill(recipe))
    Stage("head", folder, head, schedule, recipe.ema, recipe.patience, objective).fit(epoch, score, report)
    copy_weights(head, model)


def cached_features(
    backbone: keras.Model, dataset: Dataset, rows: np.ndarray, spec: InputSpec, recipe: Recipe, view: int,
    folder: Path, report: Reporter,
) -> np.ndarray:  # fmt: skip
    """Pooled features of one stored view of ``rows``, float32 (N, channels), computed once and kept in the run.

    View 0 is the image itself; view k is augmented with a seed of its own.
    """
    how: Augment = NONE if view == 0 else recipe.augment
    weights = hashlib.sha256(b"".join(w.tobytes() for w in backbone.get_weights())).hexdigest()
    key = [dataset.sha256, rows.tolist(), spec.size, view, recipe.seed, weights, repr(how)]
    path = folder / "features" / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        call = tf.function(lambda x: backbone(x, training=False), reduce_retracing=True)
        parts = []
        with report.progress(f"features, view {view}", len(rows), "images") as advance:
            for positions, images in batches(dataset, rows, spec, 128, how, (recipe.seed, view)):
                parts.append(call(images).numpy())
                advance(len(positions))
        with writing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.concatenate(parts))
    features: np.ndarray = np.load(path, mmap_mode="r")
    return features


def _fine_tune(
    model: keras.Model, recipe: Recipe, contract: ModelContract, dataset: Dataset, rows: np.ndarray,
    held_out: np.ndarray, targets: Targets, au: AULoss, folder: Path, report: Reporter,
) -> None:  # fmt: skip
    """Stage 2: what is trainable of the network, at a low learning rate."""
    batch = min(recipe.tune.batch, len(rows))
    schedule = Schedule(recipe.tune.epochs, len(rows) // batch, recipe.tune.learning_rate, recipe.tune.warmup_epochs)

    def score() -> dict[str, float]:
        return validation_score(dataset, held_out, contract, lambda: predict_rows(model, dataset, held_out, contract))

    cure = None
    if recipe.self_cure.enabled:
        samples = [dataset.paths[row] for row in rows]
        cure = SelfCure(
            recipe.self_cure, targets, samples, contract.emotions, Ledger(folder / LEDGER_FILE), recipe.seed
        )
    objective = Objective(model, au, _distill(recipe), cure, recipe.consistency.weight)
    Stage("tune", folder, model, schedule, recipe.ema, recipe.patience, objective).fit(
        augmented_epochs(dataset, rows, targets, contract.input, batch, recipe), score, report
    )


def _distill(recipe: Recipe) -> DistillRecipe | None:
    return recipe.distill if recipe.distill.teachers else None


def augmented_epochs(
    dataset: Dataset, rows: np.ndarray, targets: Targets, spec: InputSpec, batch: int, recipe: Recipe
) -> Epochs:
    """Every epoch's batches of freshly augmented images, in an order of its own."""

    def epoch(number: int, step: int) -> Iterable[Batch]:
        order = np.random.default_rng([recipe.seed, 2, number]).permutation(len(rows))
        order = order[step * batch : len(rows) // batch * batch]
        source = batches(dataset, rows[order], spec, batch, recipe.augment, (recipe.seed, 2, number))
        for positions, images in source:
            at = order[positions.numpy()]
            yield Batch(images, _tensors(targets.take(at)), at)

    return epoch


def unfreeze(model: keras.Model, first: str) -> None:
    """Freeze what comes before ``first`` in a new network ("all" freezes nothing more); frozen BatchNorms keep their
    statistics.

    Raises:
        InputError: there is no such layer.
    """
    names = [layer.name for layer in model.layers]
    if first != "all" and first not in names:
        convolutions = [layer.name for layer in model.layers if type(layer) is keras.layers.Conv2D and layer.trainable]
        some = ", ".join(convolutions[:: len(convolutions) // 16 + 1])
        raise InputError(f"tune.unfreeze {first!r} is no layer of the network; for example: all, {some}")
    start = 0 if first == "all" else names.index(first)
    for i, layer in enumerate(model.layers):
        layer.trainable = layer.trainable and i >= start


def _tensors(targets: Targets) -> TargetTensors:
    return TargetTensors(*(tf.constant(getattr(targets, name)) for name in TargetTensors._fields))
