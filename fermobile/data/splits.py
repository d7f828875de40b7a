"""Dividing samples into train, val and test: official splits first, hold-outs where they lack one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..errors import DatasetError

_CHUNK = 1 << 15


def hold_out(strata: Sequence[str], groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose about ``fraction`` of the samples, in the same proportion from every stratum, and no group in part.

    Args:
        strata: N labels whose proportions are kept.
        groups: int64 (N,); samples of one group (subject, duplicates) stay together.
        fraction: between 0 and 1.
        seed: the same seed gives the same choice.
    Returns:
        bool (N,), True for the held-out samples.  At least one group, and never all of them.
    Raises:
        DatasetError: there are fewer than two groups, or the fraction is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise DatasetError(f"the held-out fraction must be between 0 and 1, not {fraction:g}")
    names, stratum = np.unique(np.asarray(strata, dtype=str), return_inverse=True)
    _, group = np.unique(groups, return_inverse=True)
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < 2:
        raise DatasetError(
            f"nothing can be held out of {len(groups)} sample(s) in {n_groups} group(s) (duplicates and a subject's "
            "images stay together); add samples, or give the split that is missing"
        )
    counts = np.zeros((n_groups, len(names)), np.float64)
    np.add.at(counts, (group, stratum), 1)
    missing = counts.sum(0) * fraction
    held = np.zeros(n_groups, bool)
    order = np.random.default_rng(seed).permutation(n_groups)
    # A group is taken when that brings the held-out counts nearer to their targets.
    for i in order:
        if np.abs(missing - counts[i]).sum() < np.abs(missing).sum():
            held[i] = True
            missing -= counts[i]
    if not held.any():
        held[order[0]] = True
    if held.all():
        held[order[0]] = False
    return held[group]


def each_pair(*arrays: np.ndarray) -> Iterator[list[int]]:
    """The rows of int64 (M, 2) arrays, one by one: a video has millions of similar frames, too many for one list."""
    for array in arrays:
        for start in range(0, len(array), _CHUNK):
            yield from array[start : start + _CHUNK].tolist()


def join(count: int, pairs: Iterable[Sequence[int]]) -> np.ndarray:
    """Group numbers, int64 (count,): samples that pairs connect, directly or through others, share one."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        parent[root(b)] = root(a)
    return np.array([root(i) for i in range(count)], np.int64)


def subject_pairs(subjects: Sequence[str]) -> list[tuple[int, int]]:
    """Each sample with the first one of its subject; samples of nobody known ("") with none."""
    first: dict[str, int] = {}
    return [(first.setdefault(subject, i), i) for i, subject in enumerate(subjects) if subject]


def crossing_subjects(subjects: Iterable[str], splits: Iterable[str]) -> dict[str, set[str]]:
    """The subjects with samples in more than one split, and those splits."""
    where: dict[str, set[str]] = {}
    for subject, split in set(zip(subjects, splits, strict=True)):
        if subject:
            where.setdefault(subject, set()).add(split)
    return {subject: where[subject] for subject in sorted(where) if len(where[subject]) > 1}


def refuse_crossing_subjects(subjects: Iterable[str], splits: Iterable[str], where: object) -> None:
    """Raise DatasetError when a person is on both sides of a split: a figure of such a set flatters the model."""
    crossing = crossing_subjects(subjects, splits)
    if crossing:
        subject = next(iter(crossing))
        raise DatasetError(
            f"{where}: {len(crossing)} subject(s) are in more than one split ({subject}: "
            f"{', '.join(sorted(crossing[subject]))}), which flatters the model; divide the set by subject with: "
            f"fermobile data folds {where} --count 5, then train with --fold"
        )


def complete_splits(
    official: Sequence[str], strata: Sequence[str], groups: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, str]:
    """Fill in the splits that a dataset lacks.

    - train, val and test, or no train at all, stay as they are (a lone val becomes test);
    - val without test becomes test: what reports are made on may not choose a model;
    - without val, a fraction of train is held out; samples without any split first lose a test fraction.

    Args:
        official: N of "train", "val", "test" or "" (none given).
        strata, groups, fraction, seed: as in :func:`hold_out`.
    Returns:
        The splits, object array of str (N,), and a sentence for people that says which rule was used.
    """
    split = np.array(official, dtype=object)
    rules = []
    if (split == "").any():
        _hold_from(split, "", "test", strata, groups, fraction, seed)
        split[split == ""] = "train"
        rules.append(f"the source has no splits: {fraction:.0%} held out as test")
    if (split == "val").any() and not (split == "test").any():
        split[split == "val"] = "test"
        rules.append("the source's validation part, its only held-out one, is test")
    if (split == "train").any() and not (split == "val").any():
        _hold_from(split, "train", "val", strata, groups, fraction, seed)
        rules.append(f"{fraction:.0%} of train held out as val (stratified by emotion, duplicates kept together)")
    return split, "; ".join(rules) or "the source's own splits"


def _hold_from(
    split: np.ndarray, source: str, target: str, strata: Sequence[str], groups: np.ndarray, fraction: float, seed: int
) -> None:
    rows = np.flatnonzero(split == source)
    held = hold_out([strata[i] for i in rows], groups[rows], fraction, seed)
    split[rows[held]] = target
