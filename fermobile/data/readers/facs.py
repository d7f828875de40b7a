"""FACS codes as the files of action-unit sets write them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...labels import ACTION_UNITS


def unit_name(number: str) -> str:
    """``"AU12"`` for "12", "12.0", "012" or "AU12"; "" when it is no number of an action unit that fermobile knows.

    Raises:
        ValueError: it is no number.
    """
    text = number.strip()
    value = float(text[2:] if text[:2].upper() == "AU" else text)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{number[:20]!r} is not the number of an action unit")
    name = f"AU{int(value)}"
    return name if name in ACTION_UNITS else ""


def in_order(units: Iterable[str]) -> tuple[str, ...]:
    """Action units in the order of their numbers, each once."""
    wanted = set(units)
    return tuple(name for name in ACTION_UNITS if name in wanted)
