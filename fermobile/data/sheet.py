"""A contact sheet: a few faces of every class and split, to be looked at."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import DatasetError, ImageError
from .images import resize_square
from .manifest import SPLITS, Dataset

_CELL = 64  # pixels
_LEFT, _TOP = 110, 22
_INK, _PAPER = (40, 40, 40), 255


def contact_sheet(dataset: Dataset, per_class: int = 8, seed: int = 0) -> np.ndarray:
    """Draw up to ``per_class`` randomly chosen faces per class (rows) and split (column blocks).

    Rows are the emotions, then the action units (faces on which one is present).  Images that cannot be read
    are left out.

    Returns:
        uint8 RGB (H, W, 3).
    """
    rng = np.random.default_rng(seed)
    splits = [split for split in SPLITS if (dataset.split == split).any()]
    classes = [(name, dataset.emotion == name) for name in dataset.info.emotions]
    classes += [(name, dataset.aus[:, column] == 1) for column, name in enumerate(dataset.info.action_units)]
    classes = classes or [("unlabelled", np.ones(len(dataset), bool))]
    block = per_class * _CELL + _CELL // 4
    shape = (_TOP + len(classes) * _CELL, _LEFT + len(splits) * block, 3)
    sheet = np.full(shape, _PAPER, np.uint8)
    for column, split in enumerate(splits):
        _write(sheet, f"{split} ({int((dataset.split == split).sum())})", _LEFT + column * block, _TOP - 7)
    for row, (name, members) in enumerate(classes):
        top = _TOP + row * _CELL
        _write(sheet, name, 6, top + _CELL // 2 + 4)
        for column, split in enumerate(splits):
            candidates = rng.permutation(np.flatnonzero(members & (dataset.split == split)))
            faces = _faces(dataset, candidates, per_class)
            for i, face in enumerate(faces):
                left = _LEFT + column * block + i * _CELL
                sheet[top : top + _CELL, left : left + _CELL] = face
    return sheet


def _faces(dataset: Dataset, candidates: np.ndarray, count: int) -> list[np.ndarray]:
    faces: list[np.ndarray] = []
    for row in candidates[: 4 * count]:
        if len(faces) == count:
            break
        try:
            faces.append(resize_square(dataset.image(int(row)), _CELL))
        except (ImageError, DatasetError):
            continue
    return faces


def _write(sheet: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
