"""Thresholds and temperature of a file whose scores quantization has moved."""

from __future__ import annotations

from ..contract import ModelContract
from ..data.manifest import Dataset
from .embed import embed
from .stages import file_scores, select_faces


def refit(data: bytes, contract: ModelContract, dataset: Dataset) -> tuple[bytes, ModelContract]:
    """The file and its contract with decisions fitted to the file's own scores on the validation split, never test.

    Args:
        data: a .tflite as :func:`fermobile.export.convert.convert` gives it.
        contract: the one inside it.
        dataset: what its run was trained on.
    Raises:
        DatasetError: the validation split has no label of the model, or too many unreadable images.
    """
    from ..training.scoring import calibrated  # brings TensorFlow

    faces = select_faces(dataset, "val", contract)
    scores = file_scores(data, contract, faces, lambda count: None)
    fitted = calibrated(contract, faces.dataset, faces.rows, scores)
    fitted = fitted.replace(provenance={**contract.provenance, "refitted_on": {"split": "val", "faces": len(faces)}})
    return embed(data, fitted), fitted
