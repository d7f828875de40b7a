"""What dataset.json says about a dataset folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..contract import CropSpec
from ..errors import DatasetError
from ..files import write_json
from ..labels import ACTION_UNITS, EMOTIONS
from .folds import Folds

FORMAT_VERSION = 1

#: The six points of a face that MediaPipe's detector finds, in its order; right is the subject's right.
KEYPOINTS = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")

#: The entry of ``DatasetInfo.extra`` of a set whose maker put every eye where ``crop`` says.
EXACT_FRAMING: Mapping[str, str] = {"framing": "exact"}


@dataclass(frozen=True)
class DatasetInfo:
    """What dataset.json says.

    Attributes:
        name: short name.
        emotions: emotions that occur as labels, canonical order; () when the set has none.
        action_units: AUs that have a column; () when the set has none.
        vote_emotions: emotions of the vote columns; () when there are no votes.
        licence, source: terms, and where it came from (a command or a citation).
        crop: geometry of the images when they are already cropped faces and it is known.
        keypoints: those of :data:`KEYPOINTS` that have columns; () when there are none.
        folds: the test subjects of each round of a cross-validation; () when none is laid down.
        extra: whatever the maker wants to record (seed, command, counts).
    """

    name: str
    emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    vote_emotions: tuple[str, ...] = ()
    licence: str = "unknown"
    source: str = ""
    crop: CropSpec | None = None
    keypoints: tuple[str, ...] = ()
    folds: Folds = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exactly_framed(self) -> bool:
        """Whether ``crop`` is where the eyes were put, not what was measured."""
        return all(self.extra.get(key) == value for key, value in EXACT_FRAMING.items())


def read_info(folder: Path) -> tuple[DatasetInfo, str]:
    """The folder's dataset.json and the content hash in it.

    Raises:
        DatasetError: there is none, or it is damaged or of another version.
    """
    path = folder / "dataset.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format_version"] != FORMAT_VERSION:
            raise DatasetError(f"{path}: format version {raw['format_version']}; this fermobile reads {FORMAT_VERSION}")
        info = DatasetInfo(
            name=raw["name"],
            emotions=tuple(raw["emotions"]),
            action_units=tuple(raw["action_units"]),
            vote_emotions=tuple(raw["vote_emotions"]),
            licence=raw["licence"],
            source=raw["source"],
            crop=_crop(raw.get("crop")),
            keypoints=tuple(raw.get("keypoints", ())),
            folds=_folds(path, raw.get("folds", [])),
            extra=dict(raw.get("extra", {})),
        )
        digest = str(raw["sha256"])
    except OSError:
        raise DatasetError(
            f"{folder} is not a dataset folder (no readable dataset.json); make one with 'fermobile data import' "
            "or 'fermobile data synth'"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is damaged: {error!r}") from None
    _check_names(path, "emotion", (*info.emotions, *info.vote_emotions), EMOTIONS)
    _check_names(path, "action unit", info.action_units, ACTION_UNITS)
    _check_names(path, "keypoint", info.keypoints, KEYPOINTS)
    return info, digest


def set_crop(folder: str | Path, crop: CropSpec) -> None:
    """Record how a dataset's images were measured to frame their faces.

    The content hash is over labels and images, so it stays.

    Raises:
        DatasetError: the folder is not a dataset, or its dataset.json is damaged.
    """
    info, _ = read_info(Path(folder))
    extra = {key: value for key, value in info.extra.items() if key not in EXACT_FRAMING}
    _change(folder, crop=asdict(crop), extra=extra)


def set_folds(folder: str | Path, folds: Folds) -> None:
    """Lay down the folds of a dataset; like :func:`set_crop`, it leaves the content hash as it is.

    Raises:
        DatasetError: the folder is not a dataset, or its dataset.json is damaged.
    """
    read_info(Path(folder))
    _change(folder, folds=folds)


def _change(folder: str | Path, **values: Any) -> None:
    path = Path(folder) / "dataset.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **values})


def _folds(path: Path, raw: Any) -> Folds:
    """Raises DatasetError when somebody is in two folds, TypeError when it is no list of lists of names."""
    fold_of: dict[str, int] = {}
    for number, fold in enumerate(raw, 1):
        for subject in fold:
            if not isinstance(fold, list) or not isinstance(subject, str) or not subject:
                raise TypeError(f"fold {number} is no list of subjects")
            if fold_of.setdefault(subject, number) != number:
                raise DatasetError(
                    f"{path}: the subject {subject!r} is in fold {fold_of[subject]} and in fold {number}"
                )
    return tuple(map(tuple, raw))


def _crop(raw: Any) -> CropSpec | None:
    """Raises TypeError or ValueError when it is not the geometry of a crop."""
    if raw is None:
        return None
    for name in ("eye_distance", "eye_y"):
        if type(raw[name]) not in (int, float) or not 0 < raw[name] < 1:
            raise ValueError(f"crop: {name} {raw[name]!r} is not a number between 0 and 1")
    return CropSpec(**raw)


def _check_names(path: Path, kind: str, names: tuple[str, ...], known: Mapping[str, str] | tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise DatasetError(f"{path}: unknown {kind} {name!r}; known: {', '.join(known)}")
