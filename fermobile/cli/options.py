"""Options that several verbs share."""

from __future__ import annotations

import click

from ..inference.runtimes import RUNTIMES

runtime_option = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    default=RUNTIMES[0],
    show_default=True,
    help="Interpreter that runs the file.",
)
