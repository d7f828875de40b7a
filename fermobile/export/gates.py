"""How much a file may lose: what is a miss, and what is only a doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError
from ..evaluation.drift import F1Changes


@dataclass(frozen=True)
class Gates:
    """How much F1 a file may lose against its reference.

    Attributes:
        mean: of the macro-F1 over emotions, and of the mean F1 over action units.
        worst: of any one emotion or action unit, where the loss is more than the draw of the test images
            explains (the paired bootstrap interval of the change does not reach above zero); a greater loss that
            chance may explain is a warning.
    """

    mean: float = 0.01
    worst: float = 0.03

    def __post_init__(self) -> None:
        for gate in (self.mean, self.worst):
            if not 0 <= gate <= 1:  # also refuses NaN, which nothing would ever miss
                raise InputError(f"a gate of {gate} is not in 0..1")


def missed(changes: Mapping[str, F1Changes], gates: Gates) -> tuple[list[str], list[str]]:
    """Gates that the changes per head do not meet, and losses beyond a gate that chance may explain, as texts."""
    misses, doubtful = [], []
    for head, found in changes.items():
        mean = {"emotion": "macro-F1", "au": "mean F1 over action units"}[head]
        if found.mean.drop > gates.mean:
            misses.append(f"{mean} fell by {found.mean.drop:.4f} (gate {gates.mean:g})")
        for name, change in found.per_label.items():
            if change.drop <= gates.worst:
                continue
            text = f"F1 of {name} fell by {change.drop:.4f} (gate {gates.worst:g})"
            if change.high <= 0:
                misses.append(text)
            else:
                doubtful.append(f"{text}, which cannot be told from chance on {change.support} faces")
    return misses, doubtful
