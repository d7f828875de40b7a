"""Which expressions the people of a synthetic dataset show, and which labels the set therefore carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ...errors import InputError
from ...labels import EMOTIONS
from .expressions import PRESENT, TRACE, UNITS, Expression, compatible, emotion_expression, free_expression

#: Faces per person: every emotion once, and four free combinations of action units.
SAMPLES_PER_SUBJECT = 12

#: The action units that a synthetic dataset labels.
DATASET_UNITS: tuple[str, ...] = (
    "AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU12", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26", "AU27",
    "AU43",
)  # fmt: skip


class Repertoire(Protocol):
    """What a dataset's people show.

    Attributes:
        samples: faces per person.
        emotions, units: the labels of the set.
    """

    samples: int
    emotions: tuple[str, ...]
    units: tuple[str, ...]

    def show(self, seed: int, subject: int, turn: int, rng: np.random.Generator) -> Expression:
        """The expression of a subject's face number ``turn`` (0 … samples - 1); ``rng`` is the face's own."""


class Emotions:
    """The EMFACS emotions and free combinations of action units, each as often as the others."""

    samples = SAMPLES_PER_SUBJECT
    emotions = EMOTIONS
    units = DATASET_UNITS

    def show(self, seed: int, subject: int, turn: int, rng: np.random.Generator) -> Expression:
        order = np.random.default_rng([seed, 2, subject]).permutation(self.samples)[turn]
        return emotion_expression(EMOTIONS[order], rng) if order < len(EMOTIONS) else free_expression(rng)


#: FACS intensities A to E on our scale 0..1; "slight" (B) and stronger counts as present.
_LEVELS = np.array([TRACE, PRESENT, 0.5, 0.7, 0.9, 1.0])


class Rates:
    """Action units as often and as strong as a coded video set has them; emotions are unlabelled.

    Units are drawn independently of each other, since the published table gives no more, but for two rules of
    :mod:`.expressions`: units that exclude each other never meet, and a jaw that drops visibly parts the lips.
    Shares of the rest are raised in return, so that every unit keeps its own.

    Args:
        frames: per unit, frames coded at FACS intensity A, B, C, D and E.
        total: coded frames.
    """

    samples = 100
    emotions: tuple[str, ...] = ()

    def __init__(self, frames: Mapping[str, tuple[int, int, int, int, int]], total: int) -> None:
        self.units = tuple(frames)
        self.shares = {unit: np.array(counts) / total for unit, counts in frames.items()}

    def show(self, seed: int, subject: int, turn: int, rng: np.random.Generator) -> Expression:
        levels: dict[str, int] = {}
        for unit in self.units:
            levels[unit] = self._draw(unit, levels, rng)
        activation = rng.uniform(0, TRACE, (len(UNITS), 2)) * (rng.random((len(UNITS), 1)) < 0.2)
        for unit, level in levels.items():
            if level:
                stronger = rng.uniform(*_LEVELS[level - 1 : level + 1])
                sides = rng.permutation([stronger, stronger * rng.uniform(0.88, 1.0)])
                activation[UNITS.index(unit)] = sides
        return Expression("", activation.astype(np.float32))

    def _draw(self, unit: str, levels: Mapping[str, int], rng: np.random.Generator) -> int:
        """A FACS intensity, 0 (absent) to 5 (E), given the units drawn before."""
        share = self.shares[unit]
        if unit == "AU26" and "AU25" in levels:
            if levels["AU25"] < 2:
                return 0
            share = share / self.shares["AU25"][1:].sum()
        rivals = [other for other in levels if not compatible(unit, {other})]
        if any(levels[other] for other in rivals):
            return 0
        for other in rivals:
            share = share / (1 - self.shares[other].sum())
        return int(rng.choice(len(share) + 1, p=[1 - share.sum(), *share]))


#: Frames of DISFA (130,814; 27 people) at intensity 1 to 5, Mavadati et al. 2013, "DISFA: A Spontaneous Facial
#: Action Intensity Database"; the eight units of the usual protocol, which counts 2 and more as present.
_DISFA = Rates(
    {
        "AU1": (2272, 1749, 2809, 1393, 555),
        "AU2": (1720, 934, 3505, 836, 369),
        "AU4": (4661, 7636, 6586, 4328, 1383),
        "AU6": (9157, 5986, 3599, 601, 141),
        "AU9": (1659, 2035, 3045, 316, 77),
        "AU12": (13943, 6869, 7233, 2577, 172),
        "AU25": (9805, 13935, 15693, 5580, 1039),
        "AU26": (13443, 7473, 3529, 314, 217),
    },
    total=130_814,
)

_KNOWN: Mapping[str, Rates] = {"disfa": _DISFA}


def repertoire(rates: str | None = None) -> Repertoire:
    """The emotions (None), or action units at the rates of a known set.

    Raises:
        InputError: the set is not known.
    """
    if rates is None:
        return Emotions()
    if rates not in _KNOWN:
        raise InputError(f"unknown rates {rates!r}; choose from: {', '.join(_KNOWN)}; or leave them out")
    return _KNOWN[rates]
