"""matplotlib's plots as inline SVG that follows the page's light or dark colours.

Each plot is one small panel, drawn at the width of a phone's screen, so that its text stays readable there;
the page puts panels beside each other where there is room.  matplotlib draws with the light theme's colours
and each of them is then replaced by the CSS variable of the same role.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
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
WIDTH = 3.9  # inches = 281 pt: what a phone of 360 CSS pixels leaves a figure, so that 1 pt shows as 1 pixel


def thin(x: np.ndarray, y: np.ndarray, most: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points of a curve, its ends kept: a panel is not wider than that in pixels."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
    return x[keep], y[keep]


def draw_svg(draw: Callable[[Axes], None], height: float, width: float = WIDTH) -> str:
    """One panel of ``width`` times ``height`` inches, as an element for the page."""
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
