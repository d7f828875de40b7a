"""Latencies: how they are summarised, how far they are to be trusted, and whether two of them differ.

A mean from a cold start says nothing: warm-up is kept apart, percentiles and the median absolute deviation are told,
and two rows are compared by a rank test and an interval of the ratio of their medians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import needs_extra
from ..evaluation.bootstrap import RESAMPLES, interval
from .rows import INVALID, SEMIVALID, VALID, Latency

#: What a latency needs before it is valid; below the second pair it is invalid.
ENOUGH_SAMPLES, ENOUGH_SECONDS = 200, 2.0
TOO_FEW_SAMPLES, TOO_FEW_SECONDS = 20, 0.2

#: Rounds of one leg may differ this much in their medians before the machine was not quiet.
STEADY = 1.10

#: A ratio of medians within this of 1 is no difference worth telling.
NEGLIGIBLE = 0.03

#: The rank test's level.
ALPHA = 0.01


def summarise(
    rounds: Sequence[Sequence[int]], init_ms: float, first_ms: float, warmup: Sequence[int]
) -> tuple[Latency, np.ndarray]:
    """The figures of a leg and its samples in order.

    Args:
        rounds: measured latencies of each round, nanoseconds.
        init_ms, first_ms: as the runner told them.
        warmup: latencies of the warm-up, nanoseconds.
    Returns:
        (figures, samples int64 nanoseconds (n,)).
    """
    samples = np.concatenate([np.asarray(r, np.int64) for r in rounds])
    ms = samples / 1e6
    p50, p90, p95, p99 = np.percentile(ms, [50, 90, 95, 99])
    figures = Latency(
        init_ms=_rounded(init_ms),
        first_ms=_rounded(first_ms),
        warmup_ms=_rounded(float(np.median(warmup)) / 1e6) if len(warmup) else _rounded(first_ms),
        warmup_n=len(warmup),
        n=len(samples),
        seconds=_rounded(ms.sum() / 1e3),
        p50_ms=_rounded(p50),
        p90_ms=_rounded(p90),
        p95_ms=_rounded(p95),
        p99_ms=_rounded(p99),
        mad_ms=_rounded(float(np.median(np.abs(ms - p50)))),
        rounds=tuple(len(r) for r in rounds),
    )
    return figures, samples


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def judge(
    latency: Latency, samples: np.ndarray, doubts: Sequence[str] = (), faults: Sequence[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """Validity of a latency and the reasons against it.

    Args:
        samples: int64 nanoseconds (n,), in order.
        doubts: what else speaks against it: a busy or hot machine.
        faults: what makes it worthless.
    """
    invalid, doubts = [*faults], [*doubts]
    if latency.n < TOO_FEW_SAMPLES or latency.seconds < TOO_FEW_SECONDS:
        invalid.append(f"only {latency.n} inferences in {latency.seconds:.2g} s")
    elif latency.n < ENOUGH_SAMPLES or latency.seconds < ENOUGH_SECONDS:
        doubts.append(
            f"{latency.n} inferences in {latency.seconds:.2g} s; {ENOUGH_SAMPLES} and {ENOUGH_SECONDS:g} s are wanted"
        )
    medians = round_medians(samples, latency.rounds)
    if medians.max() > STEADY * medians.min():
        doubts.append(f"not steady: the rounds' medians go from {medians.min():.3g} to {medians.max():.3g} ms")
    return (INVALID if invalid else SEMIVALID if doubts else VALID), (*invalid, *doubts)


def round_medians(samples: np.ndarray, rounds: Sequence[int]) -> np.ndarray:
    """Median of each round, milliseconds."""
    return np.array([np.median(part) for part in split_rounds(samples, rounds)]) / 1e6


def split_rounds(samples: np.ndarray, rounds: Sequence[int]) -> list[np.ndarray]:
    """The samples of each round."""
    return np.split(samples, np.cumsum(rounds)[:-1])


@dataclass(frozen=True)
class Difference:
    """How a latency changed.

    Attributes:
        ratio: of the medians, after / before.
        low, high: its 95 % bootstrap interval.
        p: two-sided p of the rank test (Mann & Whitney 1947).
        verdict: "slower", "faster", "same" or "unclear".
    """

    ratio: float
    low: float
    high: float
    p: float
    verdict: str


def compare(
    before: np.ndarray, before_rounds: Sequence[int], after: np.ndarray, after_rounds: Sequence[int], seed: int = 0
) -> Difference:
    """Whether ``after`` is slower than ``before``, both int64 nanoseconds in the order of their rounds.

    Neighbouring samples resemble each other, so the bootstrap draws whole rounds first and then samples in them.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    with needs_extra("report"):
        from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(seed)
    parts = [split_rounds(a, rounds) for a, rounds in ((before, before_rounds), (after, after_rounds))]
    draws = [np.array([_resampled_median(part, rng) for _ in range(RESAMPLES)]) for part in parts]
    low, high = (float(v) for v in interval(draws[1] / draws[0]))
    ratio = float(np.median(after) / np.median(before))
    p = float(mannwhitneyu(before, after).pvalue)
    return Difference(ratio, low, high, p, _verdict(low, high, p))


def _resampled_median(rounds: list[np.ndarray], rng: np.random.Generator) -> float:
    drawn = [rounds[i] for i in rng.integers(0, len(rounds), len(rounds))]
    return float(np.median(np.concatenate([part[rng.integers(0, len(part), len(part))] for part in drawn])))


def _verdict(low: float, high: float, p: float) -> str:
    if p < ALPHA and low > 1 + NEGLIGIBLE:
        return "slower"
    if p < ALPHA and high < 1 - NEGLIGIBLE:
        return "faster"
    if low > 1 - NEGLIGIBLE and high < 1 + NEGLIGIBLE:
        return "same"
    return "unclear"
