"""Rows against baseline rows: which leg became slower, worse, or does not run any more.

A leg is known by :attr:`Row.key`, and the latest row of each counts.  Latency is judged on raw samples alone; of an
emulated device only the answers are compared, of a row that is invalid nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from .rows import INVALID, OK, SEMIVALID, Quality, Row, read_rows, read_samples, samples_folder
from .statistics import Difference, compare

#: What must not fall, and what people call it.
FIGURES = {"macro_f1": "macro-F1", "accuracy": "accuracy", "au_mean_f1": "mean AU F1"}

REGRESSION, FINE, NOT_COMPARED, NO_BASELINE = "regression", "ok", "not compared", "no baseline"


@dataclass(frozen=True)
class Measured:
    """A row and its latencies, int64 nanoseconds (n,) in the order of measuring; None where they are not kept."""

    row: Row
    samples: np.ndarray | None = None


@dataclass(frozen=True)
class Change:
    """One row against its baseline.

    Attributes:
        row, baseline: both; no baseline is None.
        latency: how the latency changed; None where it was not compared.
        quality: figure (a key of :data:`FIGURES`) -> (before, after); empty where the answers were not compared.
        regressions: what became worse.
        notes: why something was not compared, and what to bear in mind.
    """

    row: Row
    baseline: Row | None
    latency: Difference | None = None
    quality: dict[str, tuple[float, float]] = field(default_factory=dict)
    regressions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """:data:`REGRESSION`, :data:`FINE`, :data:`NOT_COMPARED` or :data:`NO_BASELINE`."""
        if self.baseline is None:
            return NO_BASELINE
        if self.regressions:
            return REGRESSION
        return FINE if self.latency or self.quality else NOT_COMPARED


def latest(paths: Sequence[Path]) -> list[Measured]:
    """The latest row of each leg in some rows files, with its samples, in the order in which legs first appear.

    Raises:
        InputError: a file cannot be read, or samples do not belong to their row.
    """
    found: dict[object, tuple[Row, Path]] = {}
    for path in paths:
        for row in read_rows(path):
            if row.key not in found or row.time >= found[row.key][0].time:
                found[row.key] = row, path
    return [Measured(row, _samples(path, row)) for row, path in found.values()]


def _samples(path: Path, row: Row) -> np.ndarray | None:
    if row.latency is None:
        return None
    file = samples_folder(path) / f"{row.id}.npy"
    try:
        samples = read_samples(path, row)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: not the samples of a row: {error}") from None
    if samples is not None and (samples.dtype != np.int64 or samples.shape != (sum(row.latency.rounds),)):
        wanted = f"int64 ({sum(row.latency.rounds)},)"
        raise InputError(f"{file}: {samples.dtype} {samples.shape}, but its row says {wanted}; it is of another row")
    return samples


def compare_rows(rows: Sequence[Measured], baseline: Sequence[Measured], max_f1_drop: float) -> list[Change]:
    """Every row against the baseline row of the same leg.

    Args:
        rows, baseline: one row per leg, as :func:`latest` gives them.
        max_f1_drop: how far F1 and accuracy may fall.
    Raises:
        MissingExtraError: scipy is not installed.
    """
    known = {m.row.key: m for m in baseline}
    return [_change(m, known.get(m.row.key), max_f1_drop) for m in rows]


def not_repeated(rows: Sequence[Measured], baseline: Sequence[Measured]) -> list[Row]:
    """Rows of the baseline whose leg was not measured again; nobody may have asked for it."""
    keys = {m.row.key for m in rows}
    return [m.row for m in baseline if m.row.key not in keys]


def _change(new: Measured, old: Measured | None, max_f1_drop: float) -> Change:
    row = new.row
    if old is None:
        return Change(row, None, notes=("the baseline holds no row of this leg",))
    before = old.row
    if row.status != OK or before.status != OK:
        return _status_change(row, before)
    emulated = row.device.emulated or before.device.emulated
    sides = (("this row", row), ("the baseline", before))
    if not emulated and INVALID in (row.validity, before.validity):
        notes = [f"{n} is invalid: {'; '.join(r.validity_reasons)}" for n, r in sides if r.validity == INVALID]
        return Change(row, before, notes=tuple(notes))
    notes, regressions = [], []
    if row.model.sha256 != before.model.sha256:
        notes.append("the file is not the baseline's: its bytes differ")
    latency = None
    if emulated:
        notes.append("emulated: only the answers are compared")
    else:
        notes += [f"{n} is semivalid: {'; '.join(r.validity_reasons)}" for n, r in sides if r.validity == SEMIVALID]
        latency = _latency(new, old)
        if latency is None:
            notes.append("latency is not compared: the raw samples of both rows are needed")
        elif latency.verdict == "slower":
            regressions.append(f"slower: median x {latency.ratio:.3f} ({latency.low:.3f} to {latency.high:.3f})")
    quality, note = _quality(row.quality, before.quality)
    notes += [note] if note else []
    for key, (was, now) in quality.items():
        if was - now > max_f1_drop + 1e-9:  # 0.70 - 0.69 is a little more than 0.01
            regressions.append(f"{FIGURES[key]} fell by {was - now:.4f}, from {was:.4f} to {now:.4f}")
    return Change(row, before, latency, quality, tuple(regressions), tuple(notes))


def _status_change(row: Row, before: Row) -> Change:
    why = f"{row.status}: {row.reason}" if row.status != OK else "ok"
    if before.status == OK:
        return Change(row, before, regressions=(f"it was ok and is {why}",))
    return Change(row, before, notes=(f"the baseline was {before.status}, this row is {why}",))


def _latency(new: Measured, old: Measured) -> Difference | None:
    if new.samples is None or old.samples is None:
        return None
    assert new.row.latency is not None and old.row.latency is not None
    return compare(old.samples, old.row.latency.rounds, new.samples, new.row.latency.rounds)


def _quality(new: Quality | None, old: Quality | None) -> tuple[dict[str, tuple[float, float]], str]:
    """The figures that both have, and what is to be said of them."""
    if new is None or old is None:
        missing = " and ".join(n for n, q in (("this row", new), ("the baseline", old)) if q is None)
        return {}, f"the answers are not compared: {missing} measured none"
    if (new.dataset_sha256, new.split, new.n) != (old.dataset_sha256, old.split, old.n):
        faces = [f"{q.n} faces of {q.dataset} {q.split}" for q in (new, old)]
        return {}, f"the answers are not compared: they are to other faces, {faces[0]} against {faces[1]}"
    pairs = {key: (getattr(old, key), getattr(new, key)) for key in FIGURES}
    same = new.predictions_sha256 == old.predictions_sha256
    return {k: v for k, v in pairs.items() if None not in v}, "every answer is the same, bit by bit" if same else ""
