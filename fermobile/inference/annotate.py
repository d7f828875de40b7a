"""Drawing what the model says: boxes and names on the photo, a card of scores per face beside it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..contract import ModelContract
from ..errors import RuntimeFailure
from .pipeline import FaceResult
from .session import Scores

Color = tuple[int, int, int]

#: RGB, one per emotion; told apart also by people who see red and green alike.
COLORS: dict[str, Color] = {
    "neutral": (158, 170, 184),
    "happiness": (255, 196, 61),
    "surprise": (255, 138, 76),
    "sadness": (84, 150, 255),
    "anger": (238, 72, 84),
    "disgust": (120, 190, 80),
    "fear": (176, 124, 255),
    "contempt": (222, 132, 190),
}
_ACCENT: Color = (64, 196, 190)
_BACKGROUND: Color = (22, 25, 31)
_TRACK: Color = (48, 54, 64)
_TEXT: Color = (236, 239, 244)
_DIM: Color = (132, 141, 153)
_FONT = cv2.FONT_HERSHEY_DUPLEX

#: Smaller photos are enlarged, or nobody could read the text.
_SHORTEST_SIDE = 480

#: A label on the photo is at most this many times as wide as its face, unless it would fall below this height.
_LABEL_WIDTH = 1.2
_SMALLEST_UNIT = 11


@dataclass(frozen=True)
class _Layout:
    """Sizes in pixels that follow from the photo's: ``unit`` is the height of a line of text on the cards."""

    unit: int
    scale: float

    @property
    def margin(self) -> int:
        return self.unit

    @property
    def card_width(self) -> int:
        return 17 * self.unit

    @classmethod
    def of(cls, image: np.ndarray) -> _Layout:
        height, width = image.shape[:2]
        scale = max(1.0, _SHORTEST_SIDE / min(height, width))
        return cls(int(np.clip(height * scale / 36, 13, 48)), scale)


@dataclass(frozen=True)
class _Card:
    """A face, its number (none when it is the only one), what it expresses, and in which colour."""

    result: FaceResult
    number: str
    name: str
    color: Color

    @property
    def title(self) -> str:
        return f"{self.number}  {self.name}" if self.number else self.name


def annotate(image: np.ndarray, faces: list[FaceResult], contract: ModelContract) -> np.ndarray:
    """Draw results beside and on a copy of a photo.

    Args:
        image: uint8 RGB (H, W, 3).
        faces: what the pipeline found in it.
    Returns:
        uint8 RGB (H', W', 3), the photo (enlarged when it is small) with a strip of cards at its right; its size
        depends on the photo's size only, so frames of a video stay alike.  Faces whose cards do not fit are
        drawn on the photo and counted below the last card.
    """
    layout = _Layout.of(image)
    if layout.scale > 1:
        image = cv2.resize(image, None, fx=layout.scale, fy=layout.scale, interpolation=cv2.INTER_CUBIC)
    height, width = image.shape[:2]
    strip = layout.card_width + 2 * layout.margin
    canvas = np.full((height, width + strip, 3), _BACKGROUND, np.uint8)
    canvas[:, :width] = image
    photo = canvas[:, :width]
    cards = []
    for number, result in enumerate(faces, 1):
        name, color = _verdict(result.scores, contract)
        cards.append(_Card(result, f"{number}" if len(faces) > 1 else "", name, color))
    for card in cards:
        _draw_box(photo, card, layout)
    for card in cards:  # after all boxes, so that none lies on a label
        _draw_label(photo, card, layout)
    _draw_cards(canvas, cards, contract, width + layout.margin, layout)
    return canvas


class VideoFile:
    """An mp4 that takes RGB frames of one size; the first frame sets it."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: np.ndarray) -> None:
        """Add a uint8 RGB frame.

        Raises:
            RuntimeFailure: this OpenCV cannot write mp4.
        """
        even = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]  # the codec takes no odd sizes
        if self._writer is None:
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), codec, self._rate, (even.shape[1], even.shape[0]))
            if not self._writer.isOpened():
                raise RuntimeFailure(f"{self._path}: this OpenCV cannot write mp4 videos")
        self._writer.write(np.ascontiguousarray(even[..., ::-1]))

    def close(self) -> None:
        """Write the end of the file, without which players refuse it."""
        if self._writer is not None:
            self._writer.release()


def _verdict(scores: Scores | None, contract: ModelContract) -> tuple[str, Color]:
    """The headline of a face and its colour."""
    if scores is None:
        return "not read", _DIM
    if scores.emotion is not None:
        best = int(scores.emotion.argmax())
        name = contract.emotions[best]
        return f"{name} {100 * scores.emotion[best]:.0f}%", COLORS[name]
    present = [n for n, s in zip(contract.action_units, _au(scores), strict=True) if s >= contract.threshold(n)]
    return " ".join(present) or "no action unit", _ACCENT


def _au(scores: Scores) -> np.ndarray:
    return np.empty(0, np.float32) if scores.au is None else scores.au


def _box(card: _Card, layout: _Layout) -> tuple[int, int, int, int]:
    """Left, top, width and height of a face on the canvas."""
    assert card.result.face is not None
    x, y, w, h = (round(v * layout.scale) for v in card.result.face.box)
    return x, y, w, h


def _draw_box(photo: np.ndarray, card: _Card, layout: _Layout) -> None:
    """A box with marked corners, and the six keypoints."""
    if card.result.face is None:
        return
    x, y, w, h = _box(card, layout)
    thick = max(1, min(layout.unit // 7, min(w, h) // 30))
    cv2.rectangle(photo, (x, y), (x + w, y + h), card.color, max(1, thick // 2), cv2.LINE_AA)
    arm = max(4, min(w, h) // 5)
    for cx, dx in ((x, arm), (x + w, -arm)):
        for cy, dy in ((y, arm), (y + h, -arm)):
            cv2.line(photo, (cx, cy), (cx + dx, cy), card.color, 2 * thick, cv2.LINE_AA)
            cv2.line(photo, (cx, cy), (cx, cy + dy), card.color, 2 * thick, cv2.LINE_AA)
    for point in card.result.face.keypoints * layout.scale:
        cv2.circle(photo, (round(float(point[0])), round(float(point[1]))), thick, _TEXT, -1, cv2.LINE_AA)


def _draw_label(photo: np.ndarray, card: _Card, layout: _Layout) -> None:
    """The title on a chip above or below the box, hardly wider than it: the neighbour's label begins there."""
    if card.result.face is None:
        return
    x, y, w, h = _box(card, layout)
    text, unit = card.title, float(layout.unit)
    unit = min(unit, unit * _LABEL_WIDTH * w / _chip_width(text, layout.unit))
    smallest = max(_SMALLEST_UNIT, layout.unit / 3)
    if unit < smallest:  # nobody could read it: the card, if there is room for one, tells the number's meaning
        text, unit = card.number or text, smallest
    height, width, gap = round(1.7 * unit), _chip_width(text, unit), max(2, round(unit / 7))
    left = int(np.clip(x + (w - width) // 2, 0, max(0, photo.shape[1] - width)))
    top = y - height - gap if y - height - gap >= 0 else min(y + h + gap, photo.shape[0] - height)
    cv2.rectangle(photo, (left, top), (left + width, top + height), card.color, -1)
    _text(photo, text, (left + round(unit / 2), top + round(1.25 * unit)), _BACKGROUND, unit)


def _chip_width(text: str, unit: float) -> int:
    return _text_width(text, unit) + round(unit)


def _draw_cards(canvas: np.ndarray, cards: list[_Card], contract: ModelContract, left: int, layout: _Layout) -> None:
    """As many cards as fit, and how many there would be more."""
    top, bottom, unit = layout.margin, canvas.shape[0] - layout.margin, layout.unit
    if not cards:
        _text(canvas, "no face found", (left, top + unit), _DIM, unit)
    for i, card in enumerate(cards):
        end = top + _card_height(card, contract, layout)
        last = i == len(cards) - 1
        if end + (0 if last else 2 * unit) > bottom:
            _text(canvas, f"+{len(cards) - i} more", (left, top + unit), _DIM, unit)
            return
        _draw_card(canvas, card, contract, (left, top), layout)
        top = end


def _card_height(card: _Card, contract: ModelContract, layout: _Layout) -> int:
    if card.result.scores is None:
        rows = 1.8 + 1.3 * len(_reason_lines(card))
    else:
        rows = 1.8 + 1.5 * len(contract.emotions) + 1.7 * -(-len(contract.action_units) // 3)
    return round(layout.unit * (rows + 1.2))


def _reason_lines(card: _Card) -> list[str]:
    return textwrap.wrap(card.result.reason, 30)


def _draw_card(
    canvas: np.ndarray, card: _Card, contract: ModelContract, corner: tuple[int, int], layout: _Layout
) -> None:
    """A title, then why the face was not read, or a bar per emotion and a chip per action unit."""
    unit, left = layout.unit, corner[0]
    y = corner[1] + unit
    _text(canvas, card.title, (left, y), card.color, unit * 1.1)
    scores = card.result.scores
    if scores is None:
        for line in _reason_lines(card):
            y += round(1.3 * unit)
            _text(canvas, line, (left, y), _DIM, unit * 0.85)
        return
    y += round(0.8 * unit)
    for name, score in zip(contract.emotions, () if scores.emotion is None else scores.emotion, strict=True):
        best = scores.emotion is not None and score == scores.emotion.max()
        y += round(1.5 * unit)
        _text(canvas, name, (left, y), _TEXT if best else _DIM, unit * 0.85)
        bar = (left + 6 * unit, y - round(0.65 * unit), 7 * unit, round(0.6 * unit))
        _bar(canvas, bar, float(score), COLORS[name])
        percent = f"{100 * score:.0f}%"
        end = left + layout.card_width
        _text(canvas, percent, (end - _text_width(percent, unit * 0.85), y), _TEXT if best else _DIM, unit * 0.85)
    y += round(0.8 * unit)
    third = layout.card_width // 3
    for i, (name, score) in enumerate(zip(contract.action_units, _au(scores), strict=True)):
        chip = (left + i % 3 * third, y + round((i // 3) * 1.7 * unit), third - unit // 3, round(1.4 * unit))
        _chip(canvas, chip, name, float(score), score >= contract.threshold(name), unit)


def _bar(canvas: np.ndarray, box: tuple[int, int, int, int], score: float, color: Color) -> None:
    x, y, w, h = box
    cv2.rectangle(canvas, (x, y), (x + w, y + h), _TRACK, -1)
    if round(w * score) > 0:
        cv2.rectangle(canvas, (x, y), (x + round(w * score), y + h), color, -1)


def _chip(
    canvas: np.ndarray, box: tuple[int, int, int, int], name: str, score: float, present: bool, unit: int
) -> None:
    """An action unit: filled when present, with its score."""
    x, y, w, h = box
    cv2.rectangle(canvas, (x, y), (x + w, y + h), _ACCENT if present else _TRACK, -1 if present else 1, cv2.LINE_AA)
    color = _BACKGROUND if present else _DIM
    percent = f"{100 * score:.0f}"
    base = y + round(1.0 * unit)
    _text(canvas, name, (x + unit // 3, base), color, unit * 0.75)
    _text(canvas, percent, (x + w - unit // 3 - _text_width(percent, unit * 0.75), base), color, unit * 0.75)


def _font_scale(height: float) -> float:
    """Hershey's capitals are 21 units high at scale 1."""
    return height * 0.75 / 21


def _text(canvas: np.ndarray, text: str, base: tuple[int, int], color: Color, height: float) -> None:
    thickness = max(1, round(height / 20))
    cv2.putText(canvas, text, base, _FONT, _font_scale(height), color, thickness, cv2.LINE_AA)


def _text_width(text: str, height: float) -> int:
    return int(cv2.getTextSize(text, _FONT, _font_scale(height), max(1, round(height / 20)))[0][0])
