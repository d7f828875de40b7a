"""Subject-exclusive folds: which people are tested in each round of a cross-validation.

A fold is the tuple of its test subjects.  ``DatasetInfo.folds`` keeps them, from a benchmark's official protocol or
from ``fermobile data folds``; opening a dataset with one of them replaces the split column.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from ..errors import DatasetError

Folds = tuple[tuple[str, ...], ...]

#: One subject in so many of those that a fold does not test chooses the model.
_VAL_SHARE = 10


def fold_splits(subjects: np.ndarray, folds: Folds, fold: int, where: object) -> np.ndarray:
    """The splits of one round: its subjects are test, a tenth of the others val, the rest train.

    Args:
        subjects: object array of str, (N,): who each sample shows.
        folds: the test subjects of every round; nobody is in two of them.
        fold: the round, from 1.
        where: the dataset's folder, for messages.
    Returns:
        Object array of str, (N,).  The same subjects and folds give the same splits.
    Raises:
        DatasetError: there is no such fold, it names a subject that no sample shows, a sample shows nobody known,
            or fewer than two subjects are left to train and choose by.
    """
    if not folds:
        raise DatasetError(f"{where} has no folds; make some with: fermobile data folds {where} --count 5")
    if not 1 <= fold <= len(folds):
        raise DatasetError(f"{where} has {len(folds)} folds, 1 to {len(folds)}; there is no fold {fold}")
    known = known_subjects(subjects, where)
    strangers = [subject for subject in folds[fold - 1] if subject not in known]
    if strangers:
        raise DatasetError(
            f"{where}, fold {fold}: no sample shows the subject(s) {_few(strangers)}; known: {_few(known)}"
        )
    tested = set(folds[fold - 1])
    if not tested:
        raise DatasetError(f"{where}: none of the subjects that fold {fold} tests is in this copy of the set")
    others = [subject for subject in known if subject not in tested]
    if len(others) < 2:
        raise DatasetError(
            f"{where}: fold {fold} tests {len(tested)} of {len(known)} subjects, which leaves too few for train and val"
        )
    chosen = np.random.default_rng(fold).permutation(len(others))[: max(1, round(len(others) / _VAL_SHARE))]
    split_of = dict.fromkeys(others, "train") | dict.fromkeys(tested, "test")
    split_of |= {others[i]: "val" for i in chosen}
    return np.array([split_of[subject] for subject in subjects], dtype=object)


def balanced_folds(subjects: np.ndarray, count: int, seed: int, where: object) -> Folds:
    """Divide the subjects into ``count`` folds of about as many samples each; who joins whom is drawn with ``seed``.

    Raises:
        DatasetError: a sample shows nobody known, or there are fewer subjects than folds.
    """
    rows = Counter(subjects.tolist())
    known = known_subjects(subjects, where)
    if not 2 <= count <= len(known):
        raise DatasetError(f"{where} has {len(known)} subjects: choose from 2 to {len(known)} folds, not {count}")
    drawn = [known[i] for i in np.random.default_rng(seed).permutation(len(known))]
    folds: list[list[str]] = [[] for _ in range(count)]
    filled = [0] * count
    # Who has most samples first, each to the emptiest fold; of equal folds to the one with fewer people.
    for subject in sorted(drawn, key=lambda subject: -rows[subject]):
        at = min(range(count), key=lambda i: (filled[i], len(folds[i])))
        folds[at].append(subject)
        filled[at] += rows[subject]
    return tuple(tuple(sorted(fold)) for fold in folds)


def known_subjects(subjects: np.ndarray, where: object) -> list[str]:
    """Everybody whom the samples show, sorted.

    Raises:
        DatasetError: some sample shows nobody known.
    """
    unknown = int((subjects == "").sum())
    if unknown:
        raise DatasetError(
            f"{where}: {unknown} of {len(subjects)} samples name no subject; folds by image would put one person on "
            "both sides: fill the column subject, or use the set's own splits"
        )
    return sorted(set(subjects.tolist()))


def among(folds: Folds, subjects: Collection[str]) -> Folds:
    """The folds without the subjects that no sample shows, as in a copy of which a part was left out."""
    return tuple(tuple(subject for subject in fold if subject in subjects) for fold in folds)


def fold_sha256(folds: Folds, fold: int) -> str:
    """What identifies a fold: its number alone would not tell that folds were made again in between."""
    return hashlib.sha256("\n".join(sorted(folds[fold - 1])).encode()).hexdigest()


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
