"""The model contract: everything a caller must know to use a model right, said once.

It is written when training starts, saved with the run, put inside the ``.tflite`` and read back by whoever
runs the file (``inspect``, ``verify``, ``predict``, ``bench``, the Android app).  Standard library only.

The JSON form is described by ``contract.schema.json`` beside this module.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ContractError
from .labels import ACTION_UNITS, EMOTIONS

SCHEMA_VERSION = 1

#: The file name under which the contract travels, in a run folder and inside a .tflite.
CONTRACT_FILE = "contract.json"


@dataclass(frozen=True)
class InputSpec:
    """How pixels become the input tensor of shape (1, size, size, 3).

    The image is RGB, uint8, one face.  A float32 tensor takes ``(pixel - mean) / std``; a uint8 tensor takes
    the pixel bytes as they are and an int8 tensor takes ``pixel - 128`` (export makes sure that the file's
    own scale and zero point say the same).
    """

    size: int
    mean: float = 127.5
    std: float = 127.5
    color: str = "RGB"


@dataclass(frozen=True)
class CropSpec:
    """Where the eyes of an aligned face lie in the square crop; all numbers are fractions of its side.

    The crop is the similarity transform of the photo that levels the line between the eye centres, puts
    their midpoint at (0.5, ``eye_y``) and makes their distance ``eye_distance``.
    """

    eye_distance: float
    eye_y: float


@dataclass(frozen=True)
class ModelContract:
    """What a model means.

    Attributes:
        name: a short name for people.
        emotions: labels of the softmax output, in order; empty when the model has no such head.
        action_units: labels of the sigmoid output, in order; empty when the model has no such head.
        input: size, colour and normalisation.
        crop: the face geometry the model was trained on; None when it was not measured.
        outputs: which head each output tensor of the file is ("emotion", "au"), in tensor order.
        thresholds: decision threshold per action unit, in [0, 1]; 0.5 where absent.
        temperature: softmax temperature T: calibrated scores are ``p**(1/T)``, renormalised (Guo et al. 2017).
        provenance: where the model came from: dataset hashes and licence, recipe, seed, versions.
    """

    name: str
    emotions: tuple[str, ...]
    action_units: tuple[str, ...]
    input: InputSpec
    crop: CropSpec | None = None
    outputs: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check(self)

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads the model has: "emotion", "au" or both, in this order."""
        return tuple(h for h, labels in (("emotion", self.emotions), ("au", self.action_units)) if labels)

    def labels(self, head: str) -> tuple[str, ...]:
        """Label names of a head, in the order of its output tensor."""
        return {"emotion": self.emotions, "au": self.action_units}[head]

    def threshold(self, action_unit: str) -> float:
        """Score at or above which an action unit counts as present."""
        return self.thresholds.get(action_unit, 0.5)

    def replace(self, **changes: Any) -> ModelContract:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """Stable JSON text: the same contract gives the same bytes."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelContract:
        """Read a contract back.

        Raises:
            ContractError: the text is not a contract, or of another schema version.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ContractError(f"the contract is not valid JSON: {error}") from None
        if not isinstance(raw, dict):
            raise ContractError("the contract is not a JSON object")
        version = raw.get("schema_version")
        if type(version) is not int or version != SCHEMA_VERSION:
            raise ContractError(
                f"the contract has schema version {version!r}; this fermobile reads {SCHEMA_VERSION}: "
                "export the model again, or install the fermobile that wrote it"
            )
        try:
            crop = raw.pop("crop", None)
            return cls(
                emotions=tuple(raw.pop("emotions")),
                action_units=tuple(raw.pop("action_units")),
                input=InputSpec(**raw.pop("input")),
                crop=None if crop is None else CropSpec(**crop),
                outputs=tuple(raw.pop("outputs", ())),
                **raw,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError(f"the contract is incomplete or has unknown fields: {error}") from None


def _check(c: ModelContract) -> None:
    """Refuse a contract that nobody could run by."""

    def need(ok: bool, why: str) -> None:
        if not ok:
            raise ContractError(f"contract {c.name!r}: {why}")

    need(isinstance(c.name, str), "its name is not text")
    need(isinstance(c.thresholds, Mapping), "its thresholds are not a table of action units")
    need(isinstance(c.provenance, Mapping), "its provenance is not a table")
    need(bool(c.emotions or c.action_units), "it has neither emotions nor action units")
    for kind, labels, known in (("emotion", c.emotions, EMOTIONS), ("action unit", c.action_units, ACTION_UNITS)):
        need(len(set(labels)) == len(labels), f"an {kind} is listed twice: {', '.join(labels)}")
        for label in labels:
            need(label in known, f"unknown {kind} {label!r}; known: {', '.join(known)}")
    need(isinstance(c.input.size, int) and 16 <= c.input.size <= 1024, f"input size {c.input.size} is not in 16..1024")
    need(c.input.color == "RGB", f"input colour {c.input.color!r} is not 'RGB'")
    need(_number(c.input.mean) and _number(c.input.std) and c.input.std > 0, "mean and std must be numbers, std > 0")
    if c.crop is not None:
        need(_number(c.crop.eye_distance) and 0.05 <= c.crop.eye_distance <= 1.0, "crop.eye_distance is not in 0.05..1")
        need(_number(c.crop.eye_y) and 0.0 < c.crop.eye_y < 1.0, "crop.eye_y is not in 0..1")
    need(not c.outputs or sorted(c.outputs) == sorted(c.heads), f"outputs {c.outputs} do not match heads {c.heads}")
    need(_number(c.temperature) and c.temperature > 0, "the temperature is not a positive number")
    for unit, threshold in c.thresholds.items():
        need(unit in c.action_units, f"a threshold names {unit!r}, which the model does not have")
        need(_number(threshold) and 0 <= threshold <= 1, f"the threshold of {unit} is not in 0..1")


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # false for NaN, for infinities and for an int that no float can hold


__all__ = ["CONTRACT_FILE", "SCHEMA_VERSION", "CropSpec", "InputSpec", "ModelContract"]
