"""The page itself: sections in, one HTML file out that asks nothing of the network."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import needs_extra
from ..files import write_text
from .content import Section

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Figure:
    """A plot, the caption under it, and its text for who cannot see it (the caption when not given)."""

    svg: str
    caption: str
    description: str = ""


def build_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole HTML document; the same sections give the same text."""
    return _environment().get_template("page.html.j2").render(title=title, subtitle=subtitle, sections=sections)


def write_page(path: Path, title: str, subtitle: str, sections: Sequence[Section]) -> None:
    """Write the document, whole or not at all."""
    write_text(path, build_page(title, subtitle, sections))


def parts() -> Any:
    """The macros of ``parts.html.j2``: each gives the (safe) HTML of one kind of content."""
    return _environment().get_template("parts.html.j2").module


@functools.cache
def _environment() -> Environment:
    with needs_extra("report"):
        import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
