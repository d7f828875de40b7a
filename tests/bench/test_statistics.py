from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fermobile.bench.statistics import compare, judge, summarise


def rounds(median_ms: float, seed: int, count: int = 5, each: int = 100, drift: float = 0.0) -> list[list[int]]:
    """Latencies with a long tail, as real ones have; ``drift`` slows each round by that fraction of the first."""
    rng = np.random.default_rng(seed)
    return [
        (median_ms * 1e6 * (1 + drift * r) * rng.lognormal(0, 0.05, each)).astype(np.int64).tolist()
        for r in range(count)
    ]


def test_figures_are_those_of_numpy() -> None:
    parts = rounds(2.0, 0)
    figures, samples = summarise(parts, 12.0, 9.0, [3_000_000, 4_000_000, 5_000_000])
    ms = np.concatenate(parts) / 1e6
    assert figures.p50_ms == pytest.approx(np.median(ms), rel=1e-4)
    assert figures.p99_ms == pytest.approx(np.percentile(ms, 99), rel=1e-4)
    assert figures.mad_ms == pytest.approx(np.median(np.abs(ms - np.median(ms))), rel=1e-4)
    assert (figures.n, figures.rounds, figures.warmup_n, figures.warmup_ms) == (500, (100,) * 5, 3, 4.0)
    assert figures.seconds == pytest.approx(ms.sum() / 1e3, rel=1e-4)
    assert samples.dtype == np.int64 and len(samples) == 500


def test_enough_steady_samples_are_valid() -> None:
    figures, samples = summarise(rounds(10.0, 1), 1, 1, [])
    assert judge(figures, samples) == ("valid", ())


@pytest.mark.parametrize(
    ("parts", "validity", "reason"),
    [
        (rounds(10.0, 1, count=2, each=5), "invalid", "only 10 inferences"),
        (rounds(10.0, 1, count=5, each=20), "semivalid", "100 inferences in 1 s; 200 and 2 s are wanted"),
        (rounds(10.0, 1, drift=0.05), "semivalid", "not steady"),
    ],
)
def test_what_speaks_against_a_latency_is_said(parts: list[list[int]], validity: str, reason: str) -> None:
    figures, samples = summarise(parts, 1, 1, [])
    found, reasons = judge(figures, samples)
    assert found == validity
    assert reason in " ".join(reasons)


def test_doubts_and_faults_from_outside_count() -> None:
    figures, samples = summarise(rounds(10.0, 1), 1, 1, [])
    assert judge(figures, samples, ["the device was hot"]) == ("semivalid", ("the device was hot",))
    assert judge(figures, samples, faults=["emulated"]) == ("invalid", ("emulated",))


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "same"), (1.2, "slower"), (0.8, "faster"), (1.005, "same")])
def test_a_difference_is_told_from_noise(factor: float, verdict: str) -> None:
    pytest.importorskip("scipy")
    (a, first), (b, second) = (summarise(rounds(ms, seed), 1, 1, []) for ms, seed in ((5.0, 1), (5.0 * factor, 2)))
    found = compare(first, a.rounds, second, b.rounds)
    assert found.verdict == verdict
    assert found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx(factor, rel=0.03)


def test_rounds_that_disagree_leave_the_verdict_open() -> None:
    """A thousand samples of one bad round are one observation, not a thousand."""
    pytest.importorskip("scipy")
    calm, first = summarise(rounds(5.0, 1), 1, 1, [])
    parts = rounds(5.0, 2, count=4) + rounds(8.0, 3, count=1, each=1000)
    disturbed, second = summarise(parts, 1, 1, [])
    assert np.median(second) > 1.3 * np.median(first)
    assert compare(first, calm.rounds, second, disturbed.rounds).verdict == "unclear"


def test_the_order_of_samples_within_a_round_does_not_matter() -> None:
    figures, samples = summarise(rounds(5.0, 1), 1, 1, [])
    again, _ = summarise([sorted(part) for part in rounds(5.0, 1)], 1, 1, [])
    assert dataclasses.replace(again, seconds=figures.seconds) == figures
    assert judge(figures, samples) == judge(again, samples)
