"""Where tables and styled lines are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def open_console(width: int | None = None) -> Console:
    """A console on stdout that prints strings as they stand; style is given as ``rich.text.Text`` or ``style=``.

    Paths, labels and operators come from outside: one named ``[red]`` or ``:smile:`` is not to be taken for markup,
    nor a stray ``[/]`` to end the command.
    """
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=width)
