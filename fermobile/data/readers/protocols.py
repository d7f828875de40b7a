"""The folds by which results on a benchmark are reported, where its literature lays them down.

A figure on other folds, or on one of them, is no figure of the benchmark: nobody is tested by a model that was
trained on them, and everybody is tested once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..folds import Folds


def _people(prefix: str, numbers: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{int(number):03}" for number in numbers.split())


#: 27 subjects in thirds, as since Zhao, Chu & Zhang 2016 (DRML).
_DISFA: Folds = (
    _people("SN", "1 2 9 10 16 26 27 30 32"),
    _people("SN", "6 11 12 13 18 21 24 28 31"),
    _people("SN", "3 4 5 7 8 17 23 25 29"),
)
#: 41 subjects, as since the same paper.
_BP4D: Folds = (
    _people("F", "1 2 8 9 10 16 18 23") + _people("M", "1 4 7 8 12 14"),
    _people("F", "3 5 11 13 20 22") + _people("M", "2 5 10 11 13 16 17 18"),
    _people("F", "4 6 7 12 14 15 17 19 21") + _people("M", "3 6 9 15"),
)
_CK_PLUS_FOLDS = 10

#: The action units whose mean F1 is reported, of those that are coded.
_REPORTED = {"disfa": (1, 2, 4, 6, 9, 12, 25, 26), "bp4d": (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)}


def _ck_plus(subjects: Collection[str]) -> Folds:
    """Every tenth subject in the order of their numbers (as Jung et al. 2015, DTAGN): depends on who is in the copy."""
    ordered = sorted(subjects)
    return tuple(tuple(ordered[first::_CK_PLUS_FOLDS]) for first in range(_CK_PLUS_FOLDS))


_FOLDS: dict[str, Callable[[Collection[str]], Folds]] = {
    "disfa": lambda _: _DISFA,
    "bp4d": lambda _: _BP4D,
    "ck-plus": _ck_plus,
}


def official_folds(name: str, subjects: Collection[str]) -> Folds:
    """The folds of the set ``name``, () when none are laid down.

    Args:
        subjects: who is in the set.  Others may be named by the folds, as when a copy lacks some.
    """
    return _FOLDS[name](subjects) if name in _FOLDS else ()


def reported_units(name: str) -> tuple[str, ...]:
    """The action units over which the literature of the set ``name`` means its F1, () when none are laid down."""
    return tuple(f"AU{number}" for number in _REPORTED.get(name, ()))
