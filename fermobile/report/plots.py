"""The plots of a run's and of a benchmark's report; how they become part of the page is in :mod:`.svg`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .svg import INK, MUTED, SERIES, draw_svg, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Kind of model file -> colour, marker, whether it is filled: files of one kind look the same in every plot.
_KIND_MARKS = {
    "float": (SERIES[0], "s", True),
    "fp16": (SERIES[0], "^", False),
    "int8": (SERIES[1], "o", True),
    "dynamic-int8": (SERIES[1], "D", False),
}
_OTHER_KIND = (SERIES[2], "v", True)


@dataclass(frozen=True)
class Series:
    """Values with an interval, one per label: three float arrays of one length."""

    name: str
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Curve:
    """A precision-recall curve, its average precision, and the point at which the model decides."""

    name: str
    recall: np.ndarray
    precision: np.ndarray
    average_precision: float
    decision: tuple[float, float] | None


@dataclass(frozen=True)
class Spread:
    """A leg's latency in milliseconds; ``samples`` float (n,) where the raw ones are kept."""

    name: str
    p50: float
    p90: float
    p99: float
    samples: np.ndarray | None = None


@dataclass(frozen=True)
class Point:
    """A leg: its number in the table (shown on the front only), latency, F1, and kind of model file."""

    number: int
    latency: float
    f1: float
    kind: str
    on_front: bool


@dataclass(frozen=True)
class Track:
    """Values over time, two float arrays of one length; NaN leaves a gap."""

    name: str
    minutes: np.ndarray
    values: np.ndarray


def learning_curve(epochs: Sequence[Mapping[str, Any]], lines: Mapping[str, str], ylabel: str) -> str:
    """Metrics per epoch over all stages, a dotted line between stages.

    Args:
        epochs: one mapping per epoch, in order, with "stage" and the keys of ``lines``; None and NaN leave a gap.
        lines: key -> name shown.
        ylabel: axis label.
    """

    def draw(ax: Axes) -> None:
        x = np.arange(1, len(epochs) + 1)
        for (key, name), color, marker in zip(lines.items(), SERIES, "os^", strict=False):
            values = [e.get(key) for e in epochs]
            ax.plot(x, [np.nan if v is None else v for v in values], color=color, marker=marker, label=name)
        top = ax.get_xaxis_transform()
        for stage, members in itertools.groupby(x, key=lambda i: str(epochs[i - 1].get("stage", ""))):
            first = next(members)
            if first > 1:
                ax.axvline(first - 0.5, color=MUTED, linewidth=0.9, linestyle=":")
            ax.text(first - 0.4, 1.01, stage, transform=top, color=MUTED, fontsize=8.5, va="bottom")
        ax.set(xlabel="epoch", ylabel=ylabel, xlim=(0.5, len(epochs) + 0.5))
        ax.locator_params(axis="x", integer=True)
        if len(lines) > 1:
            ax.legend(loc="best")

    return draw_svg(draw, 2.7)


def bars(labels: Sequence[str], series: Sequence[Series]) -> str:
    """Horizontal bars of values in [0, 1], one group per label, with intervals as whiskers."""

    def draw(ax: Axes) -> None:
        thick = 0.8 / len(series)
        for i, s in enumerate(series):
            y = np.arange(len(labels)) + (i - (len(series) - 1) / 2) * thick
            ax.barh(y, s.values, height=thick * 0.9, color=SERIES[i], label=s.name)
            spread = np.stack([s.values - s.low, s.high - s.values]).clip(0)
            ax.errorbar(s.values, y, xerr=spread, fmt="none", color=INK, elinewidth=1, capsize=2)
        ax.set_yticks(range(len(labels)), labels, color=INK)
        ax.set(xlabel="F1", xlim=(0, 1.02))
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series))

    return draw_svg(draw, 1.0 + 0.19 * len(labels) * len(series))


def precision_recall(title: str, curves: Sequence[Curve]) -> str:
    """Precision over recall, with the decision points marked."""

    def draw(ax: Axes) -> None:
        for curve, color, style in zip(curves, SERIES, ("-", "--", ":"), strict=False):
            label = f"{curve.name}  AP {curve.average_precision:.3f}"
            ax.plot(*thin(curve.recall, curve.precision), color=color, linestyle=style, label=label)
            if curve.decision:
                ax.plot(*curve.decision, "o", color=color, markersize=6)
        ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.04), ylim=(0, 1.04), title=title)
        ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        ax.legend(loc="lower left", handlelength=1.2, fontsize=8)

    return draw_svg(draw, 1.9, width=2.0)  # two beside each other on a phone


def score_density(reference: np.ndarray, candidate: np.ndarray, names: tuple[str, str]) -> str:
    """Where one model's scores lie against the other's: darker is more (log counts); the diagonal is no drift."""
    cells = 64
    counts, _, _ = np.histogram2d(reference.ravel(), candidate.ravel(), cells, range=((0, 1), (0, 1)))
    shade = np.log1p(counts.T) / np.log1p(max(counts.max(), 1))
    image = np.zeros((cells, cells, 4))
    image[..., :3] = (0.2, 0.58, 0.84)  # a picture cannot follow the theme: a blue that shows on both
    image[..., 3] = np.where(shade > 0, 0.25 + 0.75 * shade, 0)

    def draw(ax: Axes) -> None:
        ax.imshow(image, origin="lower", extent=(0, 1, 0, 1), interpolation="nearest")
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=":")
        ax.set(xlabel=f"{names[0]} score", ylabel=f"{names[1]} score", xlim=(0, 1), ylim=(0, 1))

    return draw_svg(draw, 3.1)


def difference_histogram(differences: np.ndarray, names: tuple[str, str]) -> str:
    """How many scores moved how far, counts on a log axis."""

    def draw(ax: Axes) -> None:
        reach = max(float(np.abs(differences).max(initial=0)), 0.01)
        ax.hist(differences.ravel(), bins=np.linspace(-reach, reach, 42).tolist(), color=SERIES[1], log=True)
        ax.axvline(0, color=MUTED, linewidth=0.9, linestyle=":")
        ax.set(xlabel=f"{names[1]} score − {names[0]} score", ylabel="scores")

    return draw_svg(draw, 3.1)


def reliability(points: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Accuracy over confidence, per model; on the diagonal a score means what it says."""

    def draw(ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=":")
        for (name, (confidence, accuracy)), color, marker in zip(points.items(), SERIES, "os^", strict=False):
            ax.plot(confidence, accuracy, color=color, marker=marker, label=name)
        ax.set(xlabel="confidence of the best class", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
        ax.legend(loc="upper left")

    return draw_svg(draw, 3.1)


def latencies(legs: Sequence[Spread], limits: tuple[float, float]) -> str:
    """One line per leg on a log axis of ``limits`` milliseconds: the dot is the median, thick to p90, thin to p99."""

    def draw(ax: Axes) -> None:
        for y, leg in enumerate(legs):
            ax.plot([leg.p50, leg.p99], [y, y], color=SERIES[0], linewidth=1.2)
            ax.plot([leg.p50, leg.p90], [y, y], color=SERIES[0], linewidth=4)
            ax.plot(leg.p50, y, "o", color=SERIES[0], markersize=6)
            _name_row(ax, y - 0.28, leg)
        ax.set(xscale="log", xlabel="latency, ms", xlim=(limits[0] * 0.94, limits[1] * 1.03))
        _plain_log_ticks(ax)
        _rows(ax, len(legs))

    return draw_svg(draw, 0.6 + 0.42 * len(legs))


def latency_shapes(legs: Sequence[Spread], reach: float = 1.5) -> str:
    """How each leg's samples lie around their own median, as a density of its own height.

    Args:
        legs: with samples.
        reach: the axis ends here or where the slowest leg's 99th percentile lies, whichever comes first.
    """
    shapes = [leg.samples / leg.p50 for leg in legs if leg.samples is not None]
    lowest = min(float(np.quantile(s, 0.005)) for s in shapes)
    highest = min(max(float(np.quantile(s, 0.99)) for s in shapes), reach)
    edges = np.linspace(min(lowest, 0.98), max(highest, 1.02), 61)

    def draw(ax: Axes) -> None:
        for y, (leg, shape) in enumerate(zip(legs, shapes, strict=True)):
            counts, _ = np.histogram(shape, edges)
            heights = y - 0.58 * counts / max(counts.max(), 1)
            ax.stairs(heights, edges, baseline=y, fill=True, color=SERIES[0], alpha=0.75)
            _name_row(ax, y - 0.62, leg)
        ax.axvline(1, color=MUTED, linewidth=0.9, linestyle=":")
        ax.set(xlabel="latency / median of the leg", xlim=(edges[0], edges[-1]))
        _rows(ax, len(legs))

    return draw_svg(draw, 0.6 + 0.55 * len(legs))


def trade_off(points: Sequence[Point], ylabel: str) -> str:
    """F1 over latency; the points of the front are numbered and joined by a step line."""
    front = sorted((p for p in points if p.on_front), key=lambda p: p.latency)
    kinds = list(dict.fromkeys(p.kind for p in points))

    def draw(ax: Axes) -> None:
        ax.step([p.latency for p in front], [p.f1 for p in front], where="post", color=MUTED, linewidth=1.1)
        for kind in kinds:
            color, marker, filled = _KIND_MARKS.get(kind, _OTHER_KIND)
            x, y = zip(*((p.latency, p.f1) for p in points if p.kind == kind), strict=True)
            face = color if filled else "none"
            ax.plot(
                x, y, marker, color=color, markerfacecolor=face, linestyle="", label=kind,
                markersize=6.5 if filled else 8, zorder=2 if filled else 3,
            )  # fmt: skip
        for p in front:
            ax.annotate(
                str(p.number), (p.latency, p.f1), xytext=(-4, 4), textcoords="offset points", ha="right", va="bottom",
                fontsize=9, fontweight="bold",
            )  # fmt: skip
        ax.set(xscale="log", xlabel="median latency, ms", ylabel=ylabel)
        ax.margins(0.12)
        _plain_log_ticks(ax)
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=min(len(kinds), 4), columnspacing=1, handletextpad=0.2
        )

    return draw_svg(draw, 3.1)


def over_time(tracks: Sequence[Track], ylabel: str) -> str:
    """Values over the minutes of a sustained run; at most one track per colour."""

    def draw(ax: Axes) -> None:
        for track, color, marker in zip(tracks, SERIES, "os^", strict=False):
            few = max(1, len(track.minutes) // 12)
            ax.plot(track.minutes, track.values, color=color, marker=marker, markevery=few, label=track.name)
        ax.set(xlabel="minutes", ylabel=ylabel)
        ax.set_xlim(left=0)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0), handlelength=1.2, fontsize=8.5)

    return draw_svg(draw, 2.6 + 0.2 * len(tracks))


def milliseconds(value: float) -> str:
    """Three digits, of which trailing zeros are kept: numbers below each other line up."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _rows(ax: Axes, count: int) -> None:
    """A y axis whose rows are labelled inside the plot: beside it there is no room on a phone."""
    ax.set(yticks=[], ylim=(count - 0.6, -0.9))
    ax.spines["left"].set_visible(False)


def _name_row(ax: Axes, y: float, leg: Spread) -> None:
    """The leg's name and median above what is drawn for it."""
    across = ax.get_yaxis_transform()
    ax.text(0, y, leg.name, transform=across, fontsize=8.5, va="bottom")
    ax.text(1, y, f"{milliseconds(leg.p50)} ms", transform=across, fontsize=8.5, va="bottom", ha="right", color=MUTED)


def _plain_log_ticks(ax: Axes) -> None:
    """1, 2, 5, 10 … instead of powers of ten, most of which lie outside a plot of less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = ax.get_xlim()
    decades = np.log10(high / low)
    subs = (1,) if decades > 3 else (1, 2, 5) if decades > 0.7 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    ax.xaxis.set_major_locator(LogLocator(subs=subs))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
