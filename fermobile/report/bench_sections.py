"""The sections of a benchmark report that compare: how fast, how right, and at what price the one comes with the other.

Only legs that ran on a real device and whose latency is not invalid are ranked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..bench.comparison import FIGURES, Measured
from ..bench.rows import INVALID, OK, VALID, Latency, Quality, Row
from ..bench.statistics import compare
from . import plots
from .content import Section
from .page import Figure, parts

T = TypeVar("T")

#: Legs in one plot; more are spread over several.
_MOST = 10


@dataclass(frozen=True)
class Ranked:
    """A leg that may be ranked: its number on its device, 1 the fastest, and what the plots call it."""

    number: int
    label: str
    row: Row
    latency: Latency
    samples: np.ndarray | None


@dataclass(frozen=True)
class Bench:
    """Rows sorted for the page.

    Attributes:
        measured: all of them, one per leg.
        ranked: device name -> its ranked legs, the fastest first.
    """

    measured: Sequence[Measured]
    ranked: dict[str, list[Ranked]]

    @classmethod
    def of(cls, measured: Sequence[Measured]) -> Bench:
        found: dict[str, list[tuple[Latency, Measured]]] = {}
        for m in measured:
            if m.row.status == OK and m.row.validity != INVALID and not m.row.device.emulated and m.row.latency:
                found.setdefault(m.row.device.name, []).append((m.row.latency, m))
        return cls(measured, {name: _ranked(legs) for name, legs in found.items()})


def _ranked(legs: list[tuple[Latency, Measured]]) -> list[Ranked]:
    legs = sorted(legs, key=lambda pair: pair[0].p50_ms)
    several = len({m.row.leg.runtime for _, m in legs}) > 1
    return [
        Ranked(i, _label(i, m.row, several), m.row, latency, m.samples) for i, (latency, m) in enumerate(legs, start=1)
    ]


def _label(number: int, row: Row, with_runtime: bool, most: int = 50) -> str:
    """What fits above a line of a plot that is as wide as a phone; file names differ at their end."""
    leg = row.leg
    how = [leg.runtime] if with_runtime else []
    how += [leg.delegate, f"{leg.threads} thr."] + ([leg.runner] if leg.runner != "python" else [])
    end, stem = " · ".join(("", *how)), row.model.file.removesuffix(".tflite")
    room = max(most - len(end), 14)
    return f"{number}  {stem if len(stem) <= room else f'{stem[:3]}…{stem[4 - room :]}'}{end}"


def leg_cell(row: Row, number: int | None = None) -> str:
    """The first cell of a table: the file, and under it the leg."""
    doubt = "" if row.validity == VALID else f" ({row.validity})"
    file = row.model.file if number is None else f"{number}\u00a0\u00a0{row.model.file}"
    return f"{file}\n{row.leg}{doubt}"


def overview(bench: Bench) -> Section | None:
    """The fastest and the best, in a few figures."""
    cards = []
    for name, legs in bench.ranked.items():
        cards.append(
            (f"fastest median on {name}: {legs[0].row.model.file}", f"{plots.milliseconds(legs[0].latency.p50_ms)} ms")
        )
    known = [m.row for m in bench.measured if m.row.quality and m.row.quality.macro_f1 is not None]
    if known:
        best = max(known, key=lambda row: _f1(row, "macro_f1") or 0)
        cards.append((f"best macro-F1: {best.model.file}", f"{_f1(best, 'macro_f1'):.3f}"))
    ran = sum(m.row.status == OK for m in bench.measured)
    cards.append(("legs that ran", f"{ran} of {len(bench.measured)}"))
    return Section("Overview", parts().verdict([], cards, None))


def results(bench: Bench) -> Section | None:
    """A table per device, the fastest leg first."""
    if not bench.ranked:
        return None
    figures = [key for key in FIGURES if any(_f1(leg.row, key) is not None for leg in _all(bench))]
    columns = [
        ("leg", False), ("p50 ms", True), *((FIGURES[key], True) for key in figures),
        ("p90 ms", True), ("p99 ms", True), ("MAD ms", True), ("MB", True),
        ("peak MB", True), ("°C", True), ("init ms", True), ("first ms", True), ("n", True),
    ]  # fmt: skip
    html = parts().note(
        "Milliseconds of one inference, the input copied in and the outputs read back. Numbers are those of the plots. "
        "MB is the file, peak MB the largest resident memory of its process, °C the hottest zone before and after."
    )
    for name, legs in bench.ranked.items():
        html += parts().table(name, columns, [_result(leg, figures) for leg in legs])
    return Section("Results", html)


def _result(leg: Ranked, figures: Sequence[str]) -> list[str]:
    row, t, ms = leg.row, leg.latency, plots.milliseconds
    return [
        leg_cell(row, leg.number), ms(t.p50_ms), *(_shown(_f1(row, key), ".4f") for key in figures),
        *map(ms, (t.p90_ms, t.p99_ms, t.mad_ms)), f"{row.model.bytes / 1e6:.2f}",
        _shown(row.peak_mb, ".0f"), _temperatures(row), ms(t.init_ms), ms(t.first_ms), f"{t.n:,}",
    ]  # fmt: skip


def _temperatures(row: Row) -> str:
    states = row.conditions.get("leg") or [{}]
    known = [f"{t:.0f}" for t in (states[0].get("temperature"), states[-1].get("temperature")) if t is not None]
    return " → ".join(known)


def trade_off(bench: Bench) -> Section | None:
    """Latency against F1; on the front is what no other leg of the device beats in both."""
    figures = []
    for name, legs in bench.ranked.items():
        for key in ("macro_f1", "au_mean_f1"):
            for faces, members in _by_faces(legs, key):
                figures.append(_trade_off(f"{name}, {faces}", members, key))
    if not figures:
        return None
    note = "Up and to the left is better. The line joins the legs that no other beats in both latency and F1."
    return Section("Latency against F1", parts().figures(figures, note))


def _trade_off(where: str, legs: Sequence[Ranked], key: str) -> Figure:
    scores = [_f1(leg.row, key) or 0.0 for leg in legs]
    front = pareto_front([leg.latency.p50_ms for leg in legs], scores)
    points = [
        plots.Point(leg.number, leg.latency.p50_ms, score, leg.row.model.kind, i in front)
        for i, (leg, score) in enumerate(zip(legs, scores, strict=True))
    ]
    named = "; ".join(f"{legs[i].number} {legs[i].row.model.file}, {legs[i].row.leg}" for i in front)
    return Figure(plots.trade_off(points, FIGURES[key]), f"{where}. Front: {named}.")


def pareto_front(latencies: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Indices of the points that no other equals or beats in both and beats in one, the fastest first."""
    order = sorted(range(len(scores)), key=lambda i: (latencies[i], -scores[i]))
    front: list[int] = []
    for i in order:
        if not front or scores[i] > scores[front[-1]]:
            front.append(i)
    return front


def distributions(bench: Bench) -> Section | None:
    """Percentiles of every leg, and the shape of its samples where they are kept."""
    percentiles, shapes = [], []
    for name, legs in bench.ranked.items():
        spreads = [_spread(leg) for leg in legs]
        limits = spreads[0].p50, max(s.p99 for s in spreads)
        for chunk in _chunks(spreads):
            percentiles.append(
                Figure(plots.latencies(chunk, limits), f"{name}: median (dot), p90 (thick), p99 (thin).")
            )
        for chunk in _chunks([s for s in spreads if s.samples is not None]):
            shapes.append(Figure(plots.latency_shapes(chunk), f"{name}: samples around the median of their leg."))
    if not percentiles:
        return None
    html = parts().figures(percentiles)
    if shapes:
        note = "Where the samples lie: two humps are two states of the machine, a long tail is somebody else's work."
        html += parts().subtitle("Raw samples") + parts().figures(shapes, note)
    return Section("Latency distributions", html)


def _spread(leg: Ranked) -> plots.Spread:
    t = leg.latency
    ms = None if leg.samples is None else leg.samples / 1e6
    return plots.Spread(leg.label, t.p50_ms, t.p90_ms, t.p99_ms, ms)


def kinds(bench: Bench) -> Section | None:
    """What quantizing a model gains and costs, against its float file on the same leg of the same device."""
    columns = [
        ("leg", False), ("times faster (95 %)", True), ("ms", True), ("float ms", True), ("size", True),
        ("macro-F1", True), ("AU F1", True), ("", False),
    ]  # fmt: skip
    html = ""
    for name, legs in bench.ranked.items():
        bases: dict[object, Ranked] = {}
        for leg in legs:
            if leg.row.model.kind == "float":
                bases.setdefault(_model_on_leg(leg.row), leg)
        others = [leg for leg in legs if leg.row.model.kind != "float" and _model_on_leg(leg.row) in bases]
        if others:
            others.sort(key=lambda leg: (leg.row.model.kind, leg.row.model.file, str(leg.row.leg)))
            rows = [_against_float(leg, bases[_model_on_leg(leg.row)]) for leg in others]
            html += parts().table(name, columns, rows)
    if not html:
        return None
    note = "Each file against the float file of the same model on the same leg; changes of F1 are on the same faces."
    return Section("Float against quantized", parts().note(note) + html)


def _model_on_leg(row: Row) -> object:
    return row.model.name, row.model.input_size, row.leg


def _against_float(leg: Ranked, base: Ranked) -> list[str]:
    faster = f"{base.latency.p50_ms / leg.latency.p50_ms:.2f}"
    if leg.samples is not None and base.samples is not None:
        d = compare(base.samples, base.latency.rounds, leg.samples, leg.latency.rounds)
        faster += f" ({1 / d.high:.2f}–{1 / d.low:.2f})"
    ms, same_run = plots.milliseconds, leg.row.session == base.row.session
    return [
        leg_cell(leg.row), faster, ms(leg.latency.p50_ms), ms(base.latency.p50_ms),
        f"{leg.row.model.bytes / base.row.model.bytes:.0%}",
        *(_f1_change(base.row.quality, leg.row.quality, key) for key in ("macro_f1", "au_mean_f1")),
        "" if same_run else "measured in different runs",
    ]  # fmt: skip


def _f1_change(old: Quality | None, new: Quality | None, key: str) -> str:
    if old is None or new is None or _faces(old) != _faces(new):
        return ""
    was, now = getattr(old, key), getattr(new, key)
    return "" if was is None or now is None else f"{now - was:+.4f}"


def per_class(bench: Bench) -> Section | None:
    """F1 of every label, one line per file and device that gave different answers."""
    rows = [m.row for m in bench.measured if m.row.quality and m.row.status == OK]
    html = ""
    for field, mean in (("per_class", "macro_f1"), ("per_au", "au_mean_f1")):
        found = [row for row in rows if getattr(row.quality, field)]
        for faces, group in itertools.groupby(sorted(found, key=_faces_of), key=_faces_of):
            members = list(group)
            labels = list(dict.fromkeys(label for row in members for label in getattr(row.quality, field)))
            lines: dict[tuple[str, str], list[Row]] = {}
            for row in members:
                assert row.quality is not None
                lines.setdefault((row.model.file, row.quality.predictions_sha256), []).append(row)
            table = [
                (_answers(same), [_f1(same[0], mean), *_values(same[0], field, labels)]) for same in lines.values()
            ]
            html += parts().shares(f"{FIGURES[mean]} on {faces}", ["mean", *labels], table)
    if not html:
        return None
    note = "A line for each file and different set of answers; the devices and delegates on it agree bit by bit."
    return Section("F1 per class and device", parts().note(note) + html)


def _answers(rows: Sequence[Row]) -> str:
    """A file, and under it who gave the same answers."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        name = row.device.name + (" (emulated)" if row.device.emulated else "")
        found.setdefault(name, {})[row.leg.delegate] = None
    return f"{rows[0].model.file}\n" + "; ".join(f"{name} {', '.join(delegates)}" for name, delegates in found.items())


def _values(row: Row, field: str, labels: Sequence[str]) -> list[float | None]:
    return [getattr(row.quality, field).get(label) for label in labels]


def sustained(bench: Bench) -> Section | None:
    """Curves of the legs that ran without rest."""
    figures = []
    for name, legs in bench.ranked.items():
        for chunk in _chunks([leg for leg in legs if len(leg.row.sustained) > 1], len(plots.SERIES)):
            tracks = [_track(leg, "p50_ms") for leg in chunk]
            ends = [leg.row.sustained for leg in chunk]
            drift = "; ".join(
                f"{leg.number}: last step {points[-1].p50_ms / points[0].p50_ms:.2f} x the first"
                for leg, points in zip(chunk, ends, strict=True)
            )
            figures.append(Figure(plots.over_time(tracks, "median latency, ms"), f"{name}. {drift}."))
            warm = [leg for leg in chunk if any(p.temperature is not None for p in leg.row.sustained)]
            if warm:
                tracks = [_track(leg, "temperature") for leg in warm]
                figures.append(Figure(plots.over_time(tracks, "hottest zone, °C"), f"{name}: temperature."))
    return Section("Sustained load", parts().figures(figures)) if figures else None


def _track(leg: Ranked, key: str) -> plots.Track:
    values = [getattr(point, key) for point in leg.row.sustained]
    minutes = np.array([point.minute for point in leg.row.sustained])
    return plots.Track(leg.label, minutes, np.array([np.nan if v is None else v for v in values]))


def _chunks(items: Sequence[T], most: int = _MOST) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]


def _all(bench: Bench) -> list[Ranked]:
    return [leg for legs in bench.ranked.values() for leg in legs]


def _by_faces(legs: Sequence[Ranked], key: str) -> Iterator[tuple[str, list[Ranked]]]:
    """Legs that have a figure, grouped by the faces it was measured on."""
    known = sorted((leg for leg in legs if _f1(leg.row, key) is not None), key=lambda leg: _faces_of(leg.row))
    for faces, group in itertools.groupby(known, key=lambda leg: _faces_of(leg.row)):
        yield faces, sorted(group, key=lambda leg: leg.number)


def _faces_of(row: Row) -> str:
    assert row.quality is not None
    return _faces(row.quality)


def _faces(quality: Quality) -> str:
    return f"{quality.n:,} faces of {quality.dataset} {quality.split} ({quality.dataset_sha256[:6]})"


def _f1(row: Row, key: str) -> float | None:
    value: float | None = getattr(row.quality, key, None)
    return value


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
