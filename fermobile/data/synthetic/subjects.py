"""The people: a subject's face shape, skin, hair and eyes, all from (seed, subject number)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Skin tones, light to dark, RGB (sampled from portraits under neutral light).
_SKINS = np.array(
    [[244, 208, 185], [232, 188, 160], [216, 168, 134], [196, 144, 108], [160, 112, 82], [124, 82, 58], [90, 58, 42]],
    np.float32,
)
_HAIRS = np.array(
    [[22, 18, 17], [46, 32, 25], [78, 52, 34], [112, 76, 46], [168, 128, 78], [206, 176, 124], [136, 66, 36],
     [150, 146, 142]],
    np.float32,
)  # fmt: skip
_IRISES = np.array(
    [[58, 38, 24], [92, 64, 36], [104, 98, 56], [78, 106, 84], [88, 118, 148], [112, 120, 126]], np.float32
)

HAIR_STYLES = ("short", "fringe", "long", "receding", "bald")


@dataclass(frozen=True)
class Subject:
    """One person.

    Attributes:
        name: identifier, unique within a seed.
        number: subject number.
        shape: float32 (identities,) coefficients in standard deviations.
        skin, hair, iris, lips: RGB float32 (3,), 0..255.
        hair_style: one of HAIR_STYLES.
        hair_volume: how far the hair stands off the skull, in eye-corner distances.
        hairline: offset of the hairline, in eye-corner distances, positive is lower.
        brow_weight: thickness and darkness of the brows, about 1.
        stubble: 0..1.
        freckles: 0..1.
        age: 0..1, how deep resting folds are.
        texture_seed: seed of the skin's fine structure.
    """

    name: str
    number: int
    shape: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    hair_style: str
    hair_volume: float
    hairline: float
    brow_weight: float
    stubble: float
    freckles: float
    age: float
    texture_seed: int


def make_subject(seed: int, number: int, identities: int) -> Subject:
    """The subject with this number; the same arguments give the same person."""
    rng = np.random.default_rng([seed, 1, number])
    tone = rng.uniform(0, len(_SKINS) - 1)
    low = int(tone)
    skin = _SKINS[low] + (_SKINS[min(low + 1, len(_SKINS) - 1)] - _SKINS[low]) * np.float32(tone - low)
    skin = skin * rng.uniform(0.94, 1.04) + rng.normal(0, 3, 3)
    hair_choices = len(_HAIRS) if tone < 2.5 else 3
    hair = _HAIRS[rng.integers(hair_choices)] * rng.uniform(0.8, 1.15)
    redness = rng.uniform(0.0, 1.0)
    lips = skin * np.array([0.92 - 0.04 * redness, 0.72 - 0.14 * redness, 0.74 - 0.12 * redness])
    style = str(rng.choice(HAIR_STYLES, p=[0.36, 0.2, 0.26, 0.12, 0.06]))
    bearded = style != "long" and rng.random() < 0.3
    return Subject(
        name=f"synthetic-{seed}-{number:05d}",
        number=number,
        shape=np.clip(rng.normal(0, 0.9, identities), -2.2, 2.2).astype(np.float32),
        skin=skin.astype(np.float32),
        hair=hair.astype(np.float32),
        iris=(_IRISES[rng.integers(len(_IRISES) if tone < 2.5 else 2)] * rng.uniform(0.8, 1.2)).astype(np.float32),
        lips=lips.astype(np.float32),
        hair_style=style,
        hair_volume=float(rng.uniform(0.02, 0.12) + (0.05 if style in ("long", "fringe") else 0.0)),
        hairline=float(rng.normal(0, 0.05)),
        brow_weight=float(rng.uniform(0.75, 1.3)),
        stubble=float(rng.uniform(0.2, 0.9)) if bearded else 0.0,
        freckles=float(rng.uniform(0.3, 1.0)) if tone < 2 and rng.random() < 0.25 else 0.0,
        age=float(rng.uniform(0, 1) ** 1.5),
        texture_seed=int(rng.integers(2**31)),
    )
