"""Quantization-aware fine-tuning of a finished run with tensorflow-model-optimization.

The head's BatchNormalization is rewritten first (see :func:`fermobile.models.network.fold_head`), so that no
float operation is left.  BatchNorm statistics stay as trained, and the input's range is fixed to what the
contract's normalisation makes of the bytes 0 to 255, so that a uint8 input takes pixels as they are.
"""

from __future__ import annotations

from pathlib import Path

from ..contract import ModelContract
from ..data.manifest import Dataset
from ..errors import RunError, needs_extra
from ..models.keras import keras
from ..models.network import fold_head
from .loop import Reporter, Schedule, Silent, Stage
from .runs import Run, finish_run, start_run
from .scoring import calibrated, predict_rows, validation_score
from .targets import make_targets
from .transfer import augmented_epochs, prepare_folder


def quantize(
    run: Run, dataset: Dataset, folder: Path, resume: bool = False, force: bool = False, report: Reporter | None = None
) -> Run:
    """Fine-tune ``run`` with simulated int8 arithmetic and write a new run.

    Raises:
        RunError: ``run`` is quantized already, or was trained on another dataset.
        OutputExistsError: the folder is taken.
    """
    report = report or Silent()
    if run.quantized:
        raise RunError(f"{run.folder} is quantized already")
    if run.info["dataset"]["sha256"] != dataset.sha256:
        raise RunError(f"{run.folder} was trained on another dataset than {dataset.folder}")
    recipe, contract = run.recipe, run.contract
    if prepare_folder(folder, resume, force, recipe, dataset):
        return Run.open(folder)
    rows, held_out = dataset.indices("train"), dataset.indices("val")
    targets = make_targets(dataset, rows, contract, recipe.labels)
    rows, targets = rows[targets.labelled], targets.take(targets.labelled)
    keras.utils.set_random_seed(recipe.seed)
    model = quantized_network(run.load_model(), contract)
    _freeze_statistics(model)
    if not (folder / "run.json").exists():
        start_run(
            folder, contract, recipe, quantized=True, dataset=run.info["dataset"], parent=run.weights_sha256
        )  # fmt: skip
    how = recipe.quantize
    batch = min(how.batch, len(rows))
    schedule = Schedule(how.epochs, len(rows) // batch, how.learning_rate, warmup=0.1)

    def score() -> dict[str, float]:
        return validation_score(dataset, held_out, contract, lambda: predict_rows(model, dataset, held_out, contract))

    # No averaged copy: the quantizers' ranges follow the weights step by step, and the cosine ends at zero.
    Stage("quantize", folder, model, schedule).fit(
        augmented_epochs(dataset, rows, targets, contract.input, batch, recipe), score, report
    )
    contract = calibrated(contract, dataset, held_out, predict_rows(model, dataset, held_out, contract))
    return finish_run(folder, contract, model)


def quantized_network(model: keras.Model, contract: ModelContract) -> keras.Model:
    """``model`` with tfmot's default 8-bit quantizers in every layer and its weights kept."""
    with needs_extra("train"):
        from tensorflow_model_optimization.python.core.quantization.keras import quantize as tfmot

    units = {head: len(contract.labels(head)) for head in contract.heads}
    quantized = tfmot.quantize_model(fold_head(model, units))
    low, high = ((v - contract.input.mean) / contract.input.std for v in (0, 255))
    for weight in quantized.weights:
        if weight.name.startswith("quantize_layer/") and weight.shape.rank == 0 and weight.dtype.is_floating:
            weight.assign(low if "min" in weight.name else high)
    return quantized


def _freeze_statistics(model: keras.Model) -> None:
    """BatchNorm layers use the statistics that the float training left; their scale and shift stay as they are."""
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, keras.layers.BatchNormalization):
            inner.trainable = False
