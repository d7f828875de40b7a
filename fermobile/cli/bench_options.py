"""Options that the ``bench`` verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def comma_separated(kind: type) -> Callable[[click.Context, click.Parameter, str], tuple[Any, ...]]:
    """A callback that turns ``1,2`` into (1, 2); numbers must be positive."""

    def callback(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[Any, ...]:
        try:
            values = tuple(kind(part.strip()) for part in text.split(",") if part.strip())
        except ValueError:
            raise click.BadParameter(f"{text!r} is not a list of whole numbers, such as 1,2") from None
        if not values or (kind is int and min(values) < 1):
            raise click.BadParameter(f"{text!r} names nothing to measure")
        return tuple(dict.fromkeys(values))

    return callback


def leg_options(runtimes: str, delegates: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--runtime, --delegate, --threads; the texts name the choices of a verb."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names = comma_separated(str)
        runtime = click.option(
            "--runtime", "runtimes", callback=names, default="ai-edge-litert", show_default=True, help=runtimes
        )
        delegate = click.option(
            "--delegate", "delegates", callback=names, default="cpu", show_default=True, help=delegates
        )
        return runtime(delegate(threads_option("1")(command)))

    return decorate


def threads_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--threads."""
    numbers = comma_separated(int)
    return click.option(
        "--threads", callback=numbers, default=default, show_default=True, help="Numbers of threads: 1,2,4."
    )


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--data, --split, --samples."""
    samples = click.option(
        "--samples", type=click.IntRange(min=1), help="At most so many faces, spread over the split."
    )
    split = click.option(
        "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True, help="Its faces."
    )
    data = click.option(
        "--data", type=click.Path(path_type=Path), help="Dataset folder, for F1; without it latency alone."
    )
    return data(split(samples(command)))


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--seconds, --rounds, --cooldown, --sustained."""
    cooldown = click.option(
        "--cooldown", type=click.FloatRange(0), default=0.2, show_default=True, help="Seconds before each turn."
    )
    options = [
        click.option("--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="Measured per leg."),
        click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns that a leg gets."),
        cooldown,
        click.option("--sustained", type=click.FloatRange(0), default=0.0, help="Minutes without rest, for a curve."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def rows_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """-o, --json."""
    out = click.option(
        "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Append the rows to this .jsonl file."
    )
    return out(click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON lines.")(command))
