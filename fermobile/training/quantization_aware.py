"""Quantization-aware fine-tuning of a finished run with tensorflow-model-optimization.

The network is rewritten first (see :mod:`fermobile.models.rewrites`), so that no float operation is left and no
channel of a depthwise kernel is drowned by another.  BatchNorm statistics stay as trained, and the input's range is
fixed to what the contract's normalisation makes of the bytes 0 to 255, so that a uint8 input takes pixels as they are.

The quantized network learns to answer as the float one does (Mishra & Marr 2018, Apprentice, scheme C: the student
starts from the full-precision weights): the float model's probabilities are its targets, so that what the file may
lose is what is trained.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..contract import ModelContract
from ..data.manifest import Dataset
from ..errors import InputError, RunError, needs_extra
from ..models.backbones import BACKBONES
from ..models.keras import keras, tf
from ..models.network import heads
from ..models.rewrites import fold_head, level_depthwise
from .loop import Batch, Epochs, Reporter, Schedule, Silent, Stage
from .runs import Run, claim_folder, finish_run, start_run
from .scoring import calibrated, predict_rows, validation_score
from .targets import make_targets
from .transfer import augmented_epochs

#: Batches from which the activation ranges start.
_SETTLE = 50


def quantize(
    run: Run, dataset: Dataset, folder: Path, resume: bool = False, force: bool = False, report: Reporter | None = None
) -> Run:
    """Fine-tune ``run`` with simulated int8 arithmetic and write a new run.

    Raises:
        RunError: ``run`` is quantized already, or was trained on another dataset, or ``resume`` finds another run.
        OutputExistsError: the folder is taken.
        InputError: ``folder`` is that of ``run``.
    """
    report = report or Silent()
    if run.quantized:
        raise RunError(f"{run.folder} is quantized already")
    if not BACKBONES[run.recipe.network.backbone].quantizes:
        able = ", ".join(name for name, backbone in BACKBONES.items() if backbone.quantizes)
        raise InputError(
            f"{run.recipe.network.backbone} cannot be trained quantized (those that can: {able}); "
            f"'fermobile export {run.folder} --int8 -o FILE.tflite' quantizes it by calibration"
        )
    if run.info["dataset"]["sha256"] != dataset.sha256:
        raise RunError(f"{run.folder} was trained on another dataset than {dataset.folder}")
    dataset = dataset.as_trained(run.info["dataset"])
    recipe, parent = run.recipe, run.weights_sha256
    contract = _with_origin(run)
    status = claim_folder(folder, resume, force, recipe, dataset.origin, [run.folder], parent)
    if status == "finished":
        return Run.open(folder)
    rows, held_out = dataset.indices("train"), dataset.indices("val")
    targets = make_targets(dataset, rows, contract, recipe.labels)
    rows, targets = rows[targets.labelled], targets.take(targets.labelled)
    keras.utils.set_random_seed(recipe.seed)
    model = quantized_network(run.load_model(), contract)
    _freeze_statistics(model)
    teacher = run.load_model()
    if status == "new":
        origin = {"dataset": run.info["dataset"], "parent": parent, "parent_path": str(run.folder.resolve())}
        start_run(folder, contract, recipe, force, quantized=True, **origin)
    how = recipe.quantize
    batch = min(how.batch, len(rows))
    schedule = Schedule(how.epochs, len(rows) // batch, how.learning_rate, warmup=0.1)

    def score() -> dict[str, float]:
        return validation_score(dataset, held_out, contract, lambda: predict_rows(model, dataset, held_out, contract))

    epochs = augmented_epochs(dataset, rows, targets, contract.input, batch, recipe)
    settle_ranges(model, (batch.images for batch in itertools.islice(epochs(0, 0), _SETTLE)))
    # No averaged copy: the quantizers' ranges follow the weights step by step, and the cosine ends at zero.
    Stage("quantize", folder, model, schedule).fit(_taught(epochs, teacher), score, report)
    contract = calibrated(contract, dataset, held_out, predict_rows(model, dataset, held_out, contract))
    return finish_run(folder, contract, model)


def _with_origin(run: Run) -> ModelContract:
    """The run's contract; its provenance says how it is quantized, whatever options changed, and from which weights."""
    provenance = dict(run.contract.provenance)
    recipe = {**provenance.get("recipe", {}), "quantize": dataclasses.asdict(run.recipe.quantize)}
    return run.contract.replace(provenance={**provenance, "recipe": recipe, "parent_sha256": run.weights_sha256})


def quantized_network(model: keras.Model, contract: ModelContract) -> keras.Model:
    """``model``, rewritten in place, with tfmot's default 8-bit quantizers in every layer and its weights kept."""
    with needs_extra("train"):
        from tensorflow_model_optimization.python.core.quantization.keras import quantize as tfmot

    units = {head: len(contract.labels(head)) for head in contract.heads}
    level_depthwise(model)
    quantized = tfmot.quantize_model(fold_head(model, units))
    low, high = ((v - contract.input.mean) / contract.input.std for v in (0, 255))
    entry = next(layer for layer in quantized.layers if layer.name.startswith("quantize_layer"))
    for weight in entry.weights:
        if weight.name.endswith(("_min:0", "_max:0")):
            weight.assign(low if "_min" in weight.name else high)
    return quantized


def settle_ranges(model: keras.Model, batches: Iterable[tf.Tensor]) -> None:
    """Set the quantizers' activation ranges to the mean over some batches, instead of near their start of ±6.

    tfmot follows ranges by a moving average of decay 0.999 from that start: after n batches a part of 0.999**n of
    it is still there (half of it after 700), and as much of the eight bits is wasted.  That part is known, so it
    is taken out.
    """
    ranges = [w for w in model.weights if re.search(r"(pre_activation|post_activation|output)_(min|max)", w.name)]
    first = [w.numpy() for w in ranges]
    follow = tf.function(lambda images: model(images, training=True))
    count = 0
    for images in batches:
        follow(images)
        count += 1
    left = 0.999**count
    for variable, start in zip(ranges, first, strict=True):
        variable.assign((variable.numpy() - left * start) / (1 - left))


def _taught(epochs: Epochs, teacher: keras.Model) -> Epochs:
    """The same batches with the teacher's probabilities as targets; what is unlabelled stays left out."""
    answer = tf.function(lambda images: teacher(images, training=False))
    taught_heads = heads(teacher)

    def epoch(number: int, step: int) -> Iterator[Batch]:
        for batch in epochs(number, step):
            said = answer(batch.images)
            known = dict(zip(taught_heads, said if isinstance(said, list | tuple) else [said], strict=True))
            yield batch._replace(targets=batch.targets._replace(**known))

    return epoch


def _freeze_statistics(model: keras.Model) -> None:
    """BatchNorm layers use the statistics that the float training left; their scale and shift stay as they are."""
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, keras.layers.BatchNormalization):
            inner.trainable = False
