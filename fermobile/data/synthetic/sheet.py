"""A contact sheet: every emotion on a few people, every action unit on one."""

from __future__ import annotations

import cv2
import numpy as np

from ...labels import EMFACS, EMOTIONS
from .expressions import PARTING, UNITS, Expression, expression
from .render import render
from .scene import PhotoFraming, plain_scene
from .subjects import make_subject

_COLUMNS = len(EMOTIONS)


def contact_sheet(seed: int = 0, people: int = 4, cell: int = 160, mesh: str | None = None) -> np.ndarray:
    """Named expressions at intensity 0.8, frontal, under soft light; uint8 RGB."""
    from .dataset import open_head

    head = open_head(mesh)
    framing = PhotoFraming(scale=0.42, centre=(0.5, 0.5))

    def picture(number: int, name: str, face: Expression) -> np.ndarray:
        subject = make_subject(seed, number, head.identities)
        image, _ = render(head, subject, face, plain_scene(), framing, cell)
        return _named(image, name)

    cells = [picture(n, emotion, _pure(emotion)) for n in range(people) for emotion in EMOTIONS]
    cells += [picture(0, unit, expression(intensities={unit: 0.9, **_needs(unit)})) for unit in UNITS]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % _COLUMNS)
    return np.vstack([np.hstack(cells[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)])


def _pure(emotion: str) -> Expression:
    units = dict.fromkeys(EMFACS[emotion], 0.8)
    for unit in EMFACS[emotion]:
        units |= _needs(unit)
    return expression(emotion, units, side="left" if emotion == "contempt" else "both")


def _needs(unit: str) -> dict[str, float]:
    """Units that always come with this one."""
    return {"AU25": 0.8} if unit in PARTING else {}


def _named(image: np.ndarray, name: str) -> np.ndarray:
    image = np.ascontiguousarray(image)
    scale = image.shape[0] / 400
    for colour, width in (((255, 255, 255), 3), ((0, 0, 0), 1)):
        cv2.putText(image, name, (5, image.shape[0] // 11), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return image
