"""Progress with a rate and the time left, on stderr, only on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(
    label: str, total: int | None, unit: str = "items", prints: bool = False
) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(n)``.  Silent when stderr is not a terminal.

    Args:
        prints: the block prints results on stdout; silent too where that is a terminal, as the bar would be drawn
            over them.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: object) -> Text:
            speed = getattr(task, "speed", None)
            return Text(f"{speed:,.0f} {unit}/s" if speed else "")

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    shown = console.is_terminal and not (prints and sys.stdout.isatty())
    with Progress(*columns, console=console, disable=not shown) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)
