"""Which action units a rendered face shows: emotions by EMFACS, and free combinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...labels import EMFACS

#: The action units that can be rendered, in numerical order.
UNITS: tuple[str, ...] = (
    "AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU10", "AU12", "AU14",
    "AU15", "AU16", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU27", "AU43",
)  # fmt: skip

#: Units that part the lips.  All but AU25 itself come with AU25 here, so that its label says what is seen.
PARTING = ("AU16", "AU25", "AU26", "AU27")

#: A unit counts as present from this intensity on; weaker ones are drawn nowhere but as traces below it.
PRESENT = 0.35
#: Traces that are no expression at all stay below this.
TRACE = 0.10

#: Units that at low intensity would look like another one: drooping lids are not closed eyes, a mouth that is
#: stretched a little is a dropped jaw, lips tightened a little are lips at rest.
_LEAST: Mapping[str, float] = {"AU43": 0.95, "AU27": 0.75, "AU23": 0.55, "AU7": 0.5}

#: Units that cannot be told apart, or cannot occur, together.
_EXCLUSIVE: tuple[frozenset[str], ...] = tuple(
    frozenset(pair.split())
    for pair in (
        "AU5 AU43", "AU7 AU43", "AU26 AU27", "AU12 AU15", "AU12 AU20", "AU12 AU23", "AU12 AU24", "AU12 AU17",
        "AU15 AU20", "AU15 AU10", "AU20 AU23", "AU20 AU24", "AU20 AU17", "AU20 AU14", "AU23 AU24", "AU14 AU15",
        "AU14 AU23", "AU14 AU24", "AU9 AU10", "AU16 AU17", "AU17 AU25", "AU17 AU26", "AU17 AU27",
        "AU24 AU25", "AU24 AU26", "AU24 AU27", "AU23 AU26", "AU23 AU27", "AU15 AU26", "AU15 AU27",
        "AU16 AU23", "AU16 AU24", "AU16 AU15", "AU14 AU27", "AU20 AU27", "AU9 AU2", "AU6 AU5",
    )
)  # fmt: skip

#: What may come with an emotion without turning it into another: (unit, probability).
_COMPANIONS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "neutral": (("AU43", 0.05),),
    "happiness": (("AU25", 0.6), ("AU7", 0.2), ("AU43", 0.03)),
    "surprise": (),
    "sadness": (("AU17", 0.3), ("AU43", 0.10)),
    "anger": (("AU17", 0.3), ("AU10", 0.15)),
    "disgust": (("AU4", 0.2), ("AU7", 0.2), ("AU43", 0.03)),
    "fear": (),
    "contempt": (("AU7", 0.1),),
}


@dataclass(frozen=True)
class Expression:
    """An expression with its labels.

    Attributes:
        emotion: canonical name; "" for a free combination, whose emotion is unlabelled.
        activation: float32 (len(UNITS), 2): intensity 0..1 on the right and the left side.
    """

    emotion: str
    activation: np.ndarray

    @property
    def intensities(self) -> dict[str, float]:
        """The stronger side of every unit, 0..1."""
        return {unit: float(v) for unit, v in zip(UNITS, self.activation.max(axis=1), strict=True)}

    @property
    def present(self) -> dict[str, int]:
        """0/1 per unit."""
        return {unit: int(v >= PRESENT) for unit, v in self.intensities.items()}


def emotion_expression(emotion: str, rng: np.random.Generator) -> Expression:
    """A random instance of an emotion: its EMFACS units, sometimes with companions, at random intensity."""
    units = set(EMFACS[emotion])
    if emotion == "surprise" and rng.random() < 0.25:
        units = units - {"AU26"} | {"AU27"}
    for unit, probability in _COMPANIONS[emotion]:
        if rng.random() < probability and compatible(unit, units):
            units.add(unit)
    return _express(emotion, units, rng, one_sided=emotion == "contempt")


def free_expression(rng: np.random.Generator) -> Expression:
    """A random combination of one to five compatible units; its emotion is unlabelled."""
    units: set[str] = set()
    for unit in rng.permutation(UNITS)[: rng.integers(4, 11)]:
        if len(units) < 5 and compatible(str(unit), units):
            units.add(str(unit))
    return _express("", units, rng)


def expression(emotion: str = "", intensities: Mapping[str, float] | None = None, side: str = "both") -> Expression:
    """Exactly the given units: for pictures and tests.  ``side`` is "both", "right" or "left"."""
    activation = np.zeros((len(UNITS), 2), np.float32)
    for unit, value in (intensities or {}).items():
        activation[UNITS.index(unit)] = value
    if side != "both":
        activation[:, 1 if side == "right" else 0] = 0
    return Expression(emotion, activation)


def compatible(unit: str, units: set[str]) -> bool:
    """Whether a unit may be shown together with all of ``units``."""
    return not any(frozenset((unit, other)) in _EXCLUSIVE for other in units)


def _express(emotion: str, units: set[str], rng: np.random.Generator, one_sided: bool = False) -> Expression:
    if units & set(PARTING):
        units = units | {"AU25"}
    strength = rng.uniform(0.45, 1.0)  # one person's units grow together
    activation = rng.uniform(0, TRACE, (len(UNITS), 2)) * (rng.random((len(UNITS), 1)) < 0.2)
    for unit in sorted(units):
        value = np.clip(strength + rng.normal(0, 0.15), 0.42, 1.0)
        value = max(value, _LEAST.get(unit, 0.0), 0.6 if one_sided else 0.0)
        row = np.clip(value * rng.uniform(0.88, 1.0, 2), PRESENT, 1.0)
        activation[UNITS.index(unit)] = row
    if one_sided:
        quiet = rng.integers(2)
        for unit in EMFACS[emotion]:
            activation[UNITS.index(unit), quiet] *= 0.1
    return Expression(emotion, activation.astype(np.float32))
