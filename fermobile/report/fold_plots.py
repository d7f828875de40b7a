"""The plots of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .svg import INK, SERIES, draw_svg, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def fold_bars(labels: Sequence[str], means: np.ndarray, folds: np.ndarray, floors: np.ndarray | None) -> str:
    """F1 per label: a bar to the mean, a dot per fold, and a mark where always saying yes would end.

    Args:
        means: float (L,); NaN where no fold has the label.
        folds: float (K, L); NaN where a fold lacks the label.
        floors: float (L,); None where there is no such floor.
    """

    def draw(ax: Axes) -> None:
        y = np.arange(len(labels))
        ax.barh(y, means, height=0.62, color=SERIES[0], alpha=0.8, label="mean")
        for i, values in enumerate(folds):
            # a little apart from each other, so that folds that agree do not hide one another
            offset = (i - (len(folds) - 1) / 2) * min(0.12, 0.5 / len(folds))
            ax.plot(
                values, y + offset, "o", color=INK, markersize=3.6, markerfacecolor="none", markeredgewidth=1,
                clip_on=False, label="" if i else "one fold",
            )  # fmt: skip
        if floors is not None:
            ax.vlines(floors, y - 0.42, y + 0.42, color=SERIES[1], linewidth=2.2, label="always yes")
        ax.set_yticks(y, labels, color=INK)
        ax.set(xlabel="F1", xlim=(0, 1.02), ylim=(len(labels) - 0.5, -0.5))
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.2, handletextpad=0.5)

    return draw_svg(draw, 1.0 + 0.27 * len(labels))


def fold_curves(title: str, curves: Sequence[tuple[np.ndarray, np.ndarray]], area: str, rate: float) -> str:
    """Precision over recall, a line per fold.

    Args:
        curves: recall and precision of each fold, two float arrays of one length.
        area: the area under them, in words.
        rate: share of positives, which is the precision of always saying yes.
    """

    def draw(ax: Axes) -> None:
        for i, (recall, precision) in enumerate(curves):
            ax.plot(*thin(recall, precision), color=SERIES[0], linewidth=1.3, alpha=0.75, label="" if i else area)
        ax.axhline(rate, color=SERIES[1], linewidth=1.1, linestyle="--")
        ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.04), ylim=(0, 1.04), title=title)
        ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.32), handlelength=1.0, handletextpad=0.5)

    return draw_svg(draw, 2.2, width=2.0)  # two beside each other on a phone
