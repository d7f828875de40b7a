"""A Keras model's scores and figures on rows of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from ..contract import ModelContract
from ..data.batches import batches
from ..data.manifest import Dataset
from ..evaluation.calibration import fit_temperature
from ..evaluation.metrics import au_metrics, best_thresholds, emotion_metrics
from ..models.keras import keras, tf


def predict(model: keras.Model, inputs: Iterable[tf.Tensor], contract: ModelContract) -> dict[str, np.ndarray]:
    """Probabilities of every head, float32 (N, labels), over batches of normalised inputs."""
    return _gathered((_answers(model, batch) for batch in inputs), contract)


def _answers(model: keras.Model, batch: tf.Tensor) -> list[np.ndarray]:
    # Keras keeps the graph with the model: validation after every epoch does not trace the network anew.
    outputs = model.predict_on_batch(batch)
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _gathered(answers: Iterable[list[np.ndarray]], contract: ModelContract) -> dict[str, np.ndarray]:
    return {head: np.concatenate(parts) for head, parts in zip(contract.heads, zip(*answers, strict=True), strict=True)}


def predict_rows(
    model: keras.Model, dataset: Dataset, rows: np.ndarray, contract: ModelContract, batch: int = 128
) -> dict[str, np.ndarray]:
    """Probabilities of every head for rows of a dataset, float32 (N, labels), in the order of ``rows``."""
    images = (image for _, image in batches(dataset, rows, contract.input, batch))
    return predict(model, images, contract)


def predict_two_views(
    model: keras.Model, dataset: Dataset, rows: np.ndarray, contract: ModelContract,
    advance: Callable[[int], None] = lambda n: None, batch: int = 128,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Probabilities of every head, averaged over each face and its mirror image: float32 (N, labels)."""

    def answers() -> Iterator[list[np.ndarray]]:
        for positions, faces in batches(dataset, rows, contract.input, batch):
            views = (_answers(model, view) for view in (faces, tf.reverse(faces, axis=[2])))
            yield [(own + mirrored) / 2 for own, mirrored in zip(*views, strict=True)]
            advance(len(positions))

    return _gathered(answers(), contract)


def validation_score(
    dataset: Dataset, rows: np.ndarray, contract: ModelContract, scores: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, float]:
    """The figures that training reports and selects by: "score" is the mean over heads of their macro-F1."""
    found = scores()
    row: dict[str, float] = {}
    if "emotion" in found:
        emotion = emotion_metrics(found["emotion"], dataset.hard_labels(contract.emotions)[rows], contract.emotions)
        row |= {"macro_f1": emotion.macro_f1, "accuracy": emotion.accuracy}
    if "au" in found:
        labels = dataset.au_labels(contract.action_units)[rows]
        thresholds = best_thresholds(found["au"], labels, contract.action_units)
        row["au_mean_f1"] = au_metrics(found["au"], labels, contract.action_units, thresholds).mean_f1
    return row | {"score": float(np.mean([row[k] for k in ("macro_f1", "au_mean_f1") if k in row]))}


def calibrated(
    contract: ModelContract, dataset: Dataset, rows: np.ndarray, scores: Mapping[str, np.ndarray]
) -> ModelContract:
    """The contract with temperature and AU thresholds fitted on the validation split's scores."""
    if "emotion" in scores:
        labels = dataset.hard_labels(contract.emotions)[rows]
        contract = contract.replace(temperature=round(fit_temperature(scores["emotion"], labels), 4))
    if "au" in scores:
        labels = dataset.au_labels(contract.action_units)[rows]
        # Not rounded: a unit whose scores all lie near 0 or 1 would become present or absent in every face.
        contract = contract.replace(thresholds=best_thresholds(scores["au"], labels, contract.action_units))
    return contract
