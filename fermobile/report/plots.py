"""Plots as inline SVG that follows the page's light or dark colours.

Each plot is one small panel, drawn at the width of a phone's screen, so that its text stays readable there;
the page puts panels beside each other where there is room.  matplotlib draws with the light theme's colours
and each of them is then replaced by the CSS variable of the same role.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import needs_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, LINE = "#1b1f24", "#5c6570", "#d9dde2"
#: Okabe & Ito (2008): told apart by people with any colour vision; the reference first, the file second.
SERIES = ("#0072b2", "#d55e00", "#009e73")
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", **{c: f"--series-{i}" for i, c in enumerate(SERIES, 1)}}

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: readable by a screen reader, set in the reader's own font
    "svg.hashsalt": "fermobile",  # the same plot gives the same bytes
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
}
_WIDTH = 3.9  # inches = 281 pt: what a phone of 360 CSS pixels leaves a figure, so that 1 pt shows as 1 pixel


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

    return _svg(draw, 2.7)


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

    return _svg(draw, 1.0 + 0.19 * len(labels) * len(series))


def precision_recall(title: str, curves: Sequence[Curve]) -> str:
    """Precision over recall, with the decision points marked."""

    def draw(ax: Axes) -> None:
        for curve, color, style in zip(curves, SERIES, ("-", "--", ":"), strict=False):
            label = f"{curve.name}  AP {curve.average_precision:.3f}"
            ax.plot(*_thin(curve.recall, curve.precision), color=color, linestyle=style, label=label)
            if curve.decision:
                ax.plot(*curve.decision, "o", color=color, markersize=6)
        ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.04), ylim=(0, 1.04), title=title)
        ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        ax.legend(loc="lower left", handlelength=1.2, fontsize=8)

    return _svg(draw, 1.9, width=2.0)  # two beside each other on a phone


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

    return _svg(draw, 3.1)


def difference_histogram(differences: np.ndarray, names: tuple[str, str]) -> str:
    """How many scores moved how far, counts on a log axis."""

    def draw(ax: Axes) -> None:
        reach = max(float(np.abs(differences).max(initial=0)), 0.01)
        ax.hist(differences.ravel(), bins=np.linspace(-reach, reach, 42).tolist(), color=SERIES[1], log=True)
        ax.axvline(0, color=MUTED, linewidth=0.9, linestyle=":")
        ax.set(xlabel=f"{names[1]} score − {names[0]} score", ylabel="scores")

    return _svg(draw, 3.1)


def reliability(points: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Accuracy over confidence, per model; on the diagonal a score means what it says."""

    def draw(ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=":")
        for (name, (confidence, accuracy)), color, marker in zip(points.items(), SERIES, "os^", strict=False):
            ax.plot(confidence, accuracy, color=color, marker=marker, label=name)
        ax.set(xlabel="confidence of the best class", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
        ax.legend(loc="upper left")

    return _svg(draw, 3.1)


def _thin(x: np.ndarray, y: np.ndarray, most: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points of a curve, its ends kept: a panel is not wider than that in pixels."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
    return x[keep], y[keep]


def _svg(draw: Callable[[Axes], None], height: float, width: float = _WIDTH) -> str:
    with needs_extra("report"):
        import matplotlib
        from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        out = io.StringIO()
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=no_metadata)
    return _inline(out.getvalue())


def _inline(svg: str) -> str:
    """matplotlib's SVG document as an element that may stand in a page among others."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.S)
    svg = re.sub(r"<defs>\s*</defs>", "", svg)
    box = re.search(r'viewBox="[^"]+"', svg)
    assert box is not None, "matplotlib always writes a viewBox"
    svg = re.sub(r"<svg\b[^>]*>", f'<svg {box.group()} aria-hidden="true">', svg, count=1)
    # Names of groups serve nobody; those of shapes that are referred to must be the plot's own within the page.
    used = set(re.findall(r"#([\w-]+)[\")]", svg))
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r' id="([\w.-]+)"', lambda m: f' id="{own}-{m.group(1)}"' if m.group(1) in used else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\g<1>#{own}-", svg)
    svg = re.sub(r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1system-ui, sans-serif", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg
