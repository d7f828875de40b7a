"""What can be wrong with a dataset folder, and what is in it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import duplicates
from .fingerprints import Fingerprints, fingerprints
from .manifest import SPLITS, Dataset
from .splits import crossing_subjects, each_pair, join

ERROR, WARNING = "error", "warning"
_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """Something that is, or may be, wrong.

    Attributes:
        severity: "error" spoils figures made with the set; a "warning" is worth knowing.
        code: short name of the kind, for scripts.
        message: what was found, with numbers.
        examples: a few of the samples concerned.
    """

    severity: str
    code: str
    message: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """What :func:`check_dataset` saw.

    Attributes:
        name, sha256, samples: of the dataset.
        emotions: split -> emotion -> number of samples; "" counts those without an emotion.
        action_units: AU -> split -> {"labelled", "positive"} counts.
        subjects: split -> number of known subjects.
        equal, similar: duplicates by pixels, and by pixels or look; each {"images": with a duplicate anywhere,
            "groups": of duplicates, "across": {"test/train": images of test with a duplicate in train, …}}.
        findings: errors first.
    """

    name: str
    sha256: str
    samples: int
    emotions: dict[str, dict[str, int]]
    action_units: dict[str, dict[str, dict[str, int]]]
    subjects: dict[str, int]
    equal: dict[str, Any]
    similar: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """Number of findings that are errors."""
        return sum(finding.severity == ERROR for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return dataclasses.asdict(self)


def check_dataset(dataset: Dataset, advance: Callable[[int], None] = lambda n: None) -> CheckReport:
    """Read every image and label; ``advance`` is told the images done.

    Near duplicates are those of :mod:`fermobile.data.duplicates`.
    """
    images = fingerprints(dataset, dataset.indices(), advance)
    equal_pairs, near_pairs = duplicates.duplicate_pairs(images.digests, images.thumbnails)
    split = dataset.split[images.rows].astype(str)
    equal_groups = join(len(split), each_pair(equal_pairs))
    similar_groups = join(len(split), each_pair(equal_pairs, near_pairs))
    emotions = _emotion_counts(dataset)
    action_units = _action_unit_counts(dataset)
    findings = [
        *(_unreadable(dataset, images) or _changed(dataset)),
        *_subjects_across(dataset),
        *_duplicates_across(dataset, images.rows, equal_groups, "equal", ERROR),
        *_empty_classes(emotions, action_units, dataset),
        *_duplicates_across(dataset, images.rows, similar_groups, "similar", WARNING),
        *_conflicting_labels(dataset, images.rows, equal_groups),
        *_blank(dataset, images),
    ]
    return CheckReport(
        name=dataset.info.name,
        sha256=dataset.sha256,
        samples=len(dataset),
        emotions=emotions,
        action_units=action_units,
        subjects={s: len(set(dataset.subject[dataset.split == s]) - {""}) for s in _present(dataset)},
        equal=_duplicate_counts(equal_groups, split),
        similar=_duplicate_counts(similar_groups, split),
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != ERROR)),
    )


def _present(dataset: Dataset) -> list[str]:
    return [split for split in SPLITS if (dataset.split == split).any()]


def _emotion_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    counts = Counter(zip(dataset.split, dataset.emotion, strict=True))
    names = [*dataset.info.emotions, *([""] if (dataset.emotion == "").any() else [])]
    return {split: {name: counts[split, name] for name in names} for split in _present(dataset)}


def _action_unit_counts(dataset: Dataset) -> dict[str, dict[str, dict[str, int]]]:
    table: dict[str, dict[str, dict[str, int]]] = {}
    for column, name in enumerate(dataset.info.action_units):
        values = dataset.aus[:, column]
        table[name] = {}
        for split in _present(dataset):
            here = values[dataset.split == split]
            table[name][split] = {"labelled": int(np.isfinite(here).sum()), "positive": int((here == 1).sum())}
    return table


def _duplicate_counts(groups: np.ndarray, split: np.ndarray) -> dict[str, Any]:
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    across = {}
    for i, here in enumerate(SPLITS):
        for there in SPLITS[:i]:
            touched = np.isin(groups[split == here], groups[split == there])
            if (split == here).any() and (split == there).any():
                across[f"{here}/{there}"] = int(touched.sum())
    return {"images": int((sizes[index] > 1).sum()), "groups": int((sizes > 1).sum()), "across": across}


def _unreadable(dataset: Dataset, images: Fingerprints) -> list[Finding]:
    if not images.unreadable:
        return []
    message = f"{len(images.unreadable)} of {len(dataset)} images cannot be read"
    return [Finding(ERROR, "unreadable", message, tuple(images.unreadable.values())[:_EXAMPLES])]


def _changed(dataset: Dataset) -> list[Finding]:
    found = dataset.content_sha256()
    if found == dataset.sha256:
        return []
    message = f"labels or images were changed after the set was written: sha256 {found[:12]}, not {dataset.sha256[:12]}"
    return [Finding(ERROR, "changed", message)]


def _subjects_across(dataset: Dataset) -> list[Finding]:
    crossing = crossing_subjects(dataset.subject, dataset.split)
    if not crossing:
        return []
    examples = [f"{subject}: {', '.join(s for s in SPLITS if s in splits)}" for subject, splits in crossing.items()]
    message = f"{len(crossing)} of {len(set(dataset.subject) - {''})} subjects are in more than one split"
    return [Finding(ERROR, "subjects_across_splits", message, tuple(examples[:_EXAMPLES]))]


def _duplicates_across(
    dataset: Dataset, rows: np.ndarray, groups: np.ndarray, kind: str, severity: str
) -> list[Finding]:
    counts = _duplicate_counts(groups, dataset.split[rows].astype(str))["across"]
    crossing = {pair: count for pair, count in counts.items() if count}
    if not crossing:
        return []
    parts = []
    for pair, count in crossing.items():
        here, _, there = pair.partition("/")
        share = count / int((dataset.split == here).sum())
        parts.append(f"{count} images of {here} ({share:.1%}) have one in {there}")
    message = f"{'equal' if kind == 'equal' else 'equal or similar'} images across splits: {'; '.join(parts)}"
    return [Finding(severity, f"{kind}_across_splits", message, _crossing_examples(dataset, rows, groups))]


def _crossing_examples(dataset: Dataset, rows: np.ndarray, groups: np.ndarray) -> tuple[str, ...]:
    examples: list[str] = []
    first: dict[int, int] = {}
    for row, group in zip(rows.tolist(), groups.tolist(), strict=True):
        other = first.setdefault(group, row)
        if dataset.split[other] != dataset.split[row]:
            examples.append(
                f"{dataset.split[row]} {dataset.paths[row]} = {dataset.split[other]} {dataset.paths[other]}"
            )
            if len(examples) == _EXAMPLES:
                break
    return tuple(examples)


def _conflicting_labels(dataset: Dataset, rows: np.ndarray, groups: np.ndarray) -> list[Finding]:
    emotions: dict[int, set[str]] = {}
    for row, group in zip(rows.tolist(), groups.tolist(), strict=True):
        if dataset.emotion[row]:
            emotions.setdefault(group, set()).add(dataset.emotion[row])
    conflicts = [sorted(names) for names in emotions.values() if len(names) > 1]
    if not conflicts:
        return []
    kinds = Counter(" / ".join(names) for names in conflicts)
    examples = tuple(f"{names}: {count}" for names, count in kinds.most_common(_EXAMPLES))
    message = f"{len(conflicts)} images occur with different emotions"
    return [Finding(WARNING, "conflicting_labels", message, examples)]


def _empty_classes(
    emotions: dict[str, dict[str, int]], action_units: dict[str, dict[str, dict[str, int]]], dataset: Dataset
) -> list[Finding]:
    empty = [f"{split}: {name}" for split, counts in emotions.items() for name, n in counts.items() if name and not n]
    constant = [
        f"{split}: {name} {'never' if n['positive'] == 0 else 'always'} positive"
        for name, by_split in action_units.items()
        for split, n in by_split.items()
        if n["positive"] in (0, n["labelled"])
    ]
    missing = [split for split in SPLITS if not (dataset.split == split).any()]
    findings = []
    if missing:
        findings.append(Finding(WARNING, "empty_split", f"no samples in: {', '.join(missing)}"))
    if empty:
        message = f"{len(empty)} classes are empty in a split"
        findings.append(Finding(WARNING, "empty_class", message, tuple(empty[:_EXAMPLES])))
    if constant:
        message = f"{len(constant)} action units do not vary in a split, so cannot be learned or measured there"
        findings.append(Finding(WARNING, "constant_action_unit", message, tuple(constant[:_EXAMPLES])))
    return findings


def _blank(dataset: Dataset, images: Fingerprints) -> list[Finding]:
    blank = images.rows[duplicates.is_blank(images.thumbnails)]
    if not len(blank):
        return []
    examples = tuple(f"{dataset.split[row]} {dataset.paths[row]}" for row in blank[:_EXAMPLES])
    return [Finding(WARNING, "blank", f"{len(blank)} images are blank (one grey level)", examples)]
