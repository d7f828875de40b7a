"""Rows against a baseline: what counts as worse, and what is not compared."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import bench_rows
import numpy as np
import pytest

from fermobile.bench.comparison import (
    FINE,
    NO_BASELINE,
    NOT_COMPARED,
    REGRESSION,
    Change,
    Measured,
    compare_rows,
    latest,
    not_repeated,
)
from fermobile.bench.rows import append_row, samples_folder
from fermobile.errors import InputError


def made(**values: Any) -> Measured:
    return Measured(*bench_rows.row(**values))


def change(before: Measured, after: Measured, max_f1_drop: float = 0.01) -> Change:
    (found,) = compare_rows([after], [before], max_f1_drop)
    return found


def test_the_same_leg_measured_twice_is_fine() -> None:
    found = change(made(p50=5.0, seed=1), made(p50=5.0, seed=2))
    assert found.verdict == FINE
    assert found.latency is not None and found.latency.verdict == "same"
    assert found.quality["macro_f1"] == (0.7, 0.7)


def test_slower_is_a_regression_and_faster_is_not() -> None:
    slower = change(made(p50=5.0, seed=1), made(p50=6.0, seed=2))
    assert slower.verdict == REGRESSION
    assert slower.regressions[0].startswith("slower: median x 1.")
    faster = change(made(p50=6.0, seed=1), made(p50=5.0, seed=2))
    assert faster.verdict == FINE
    assert faster.latency is not None and faster.latency.verdict == "faster"


@pytest.mark.parametrize(("f1", "verdict"), [(0.69, FINE), (0.689, REGRESSION), (0.75, FINE)])
def test_f1_may_fall_as_far_as_is_allowed(f1: float, verdict: str) -> None:
    found = change(made(f1=0.7), made(f1=f1))
    assert found.verdict == verdict
    assert change(made(f1=0.7), made(f1=f1), max_f1_drop=0.02).verdict == FINE


def test_accuracy_and_action_units_count_too() -> None:
    good, bad = (
        bench_rows.quality(0.7, accuracy=a, au_mean_f1=u, per_au={"AU1": u}) for a, u in ((0.75, 0.6), (0.7, 0.5))
    )
    found = change(made(quality=good), made(quality=bad))
    assert [r.partition(" fell")[0] for r in found.regressions] == ["accuracy", "mean AU F1"]


def test_answers_to_other_faces_are_not_compared() -> None:
    found = change(made(), made(quality=bench_rows.quality(0.2, n=100)))
    assert found.verdict == FINE  # of the latency alone
    assert not found.quality
    assert "100 faces of ferplus test against 3500" in found.notes[-1]


def test_missing_answers_are_said() -> None:
    assert "this row measured none" in change(made(), made(f1=None)).notes[-1]


def test_a_leg_that_was_ok_and_is_not_any_more() -> None:
    found = change(made(), made(status="failed", reason="the device was lost", bare=True))
    assert found.verdict == REGRESSION
    assert found.regressions == ("it was ok and is failed: the device was lost",)


def test_a_leg_that_never_worked_is_no_regression() -> None:
    found = change(made(status="unsupported", reason="no GPU", bare=True), made())
    assert found.verdict == NOT_COMPARED
    assert found.notes == ("the baseline was unsupported, this row is ok",)


def test_of_an_emulated_device_only_the_answers_count() -> None:
    virtual = {"device": bench_rows.VIRTUAL, "validity": "invalid"}
    found = change(made(p50=50, **virtual), made(p50=500, **virtual))
    assert (found.verdict, found.latency) == (FINE, None)
    assert "every answer is the same, bit by bit" in found.notes
    assert change(made(**virtual), made(f1=0.5, **virtual)).verdict == REGRESSION


def test_of_an_invalid_row_nothing_counts() -> None:
    found = change(made(), made(p50=9, f1=0.1, validity="invalid", validity_reasons=("only 3 inferences",)))
    assert (found.verdict, found.latency, found.quality) == (NOT_COMPARED, None, {})
    assert found.notes == ("this row is invalid: only 3 inferences",)


def test_latency_is_not_judged_without_raw_samples() -> None:
    found = change(made(p50=5), dataclasses.replace(made(p50=50), samples=None))
    assert (found.verdict, found.latency) == (FINE, None)
    assert any("raw samples" in note for note in found.notes)


def test_another_file_of_the_same_name_is_said() -> None:
    other = made()
    model = dataclasses.replace(other.row.model, sha256="00" * 32)
    found = change(made(), Measured(dataclasses.replace(other.row, model=model), other.samples))
    assert "the file is not the baseline's: its bytes differ" in found.notes


def test_what_has_no_counterpart_is_said() -> None:
    one, two = made(), made(threads=2)
    (found,) = compare_rows([two], [one], 0.01)
    assert (found.verdict, found.notes) == (NO_BASELINE, ("the baseline holds no row of this leg",))
    assert not_repeated([two], [one]) == [one.row]


def test_the_latest_row_of_a_leg_counts_with_its_samples(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    append_row(first, *bench_rows.row(p50=5, seed=1, time="2026-03-02T00:00:00+00:00"))
    append_row(first, *bench_rows.row(p50=6, seed=2, time="2026-03-03T00:00:00+00:00"))
    append_row(second, *bench_rows.row(p50=7, seed=3, time="2026-03-01T00:00:00+00:00"))
    (found,) = latest([first, second])
    assert found.row.latency is not None and found.samples is not None
    assert round(found.row.latency.p50_ms) == 6
    assert np.median(found.samples) / 1e6 == pytest.approx(found.row.latency.p50_ms, rel=1e-4)


@pytest.mark.parametrize(
    "content", [b"", b"no array", np.lib.format.magic(1, 0)], ids=["empty", "not an array", "cut off"]
)
def test_damaged_samples_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    row, samples = bench_rows.row()
    append_row(path, row, samples)
    file = samples_folder(path) / f"{row.id}.npy"
    file.write_bytes(content)
    with pytest.raises(InputError, match="not the samples of a row"):
        latest([path])
    np.save(file, np.ones(3, np.int64))
    with pytest.raises(InputError, match=r"int64 \(3,\), but its row says int64 \(400,\)"):
        latest([path])
