"""``fermobile bench``: latency and F1 of the same file on the same machine, in one row."""

from __future__ import annotations

import click

from .lazy import LazyGroup

_VERBS = {
    "desktop": ("bench_desktop", "Measure models on this machine, on every runtime it has."),
    "adb": ("bench_adb", "Measure models on a phone or board over adb."),
    "compare": ("bench_compare", "Rows against baseline rows; exit code 3 when a leg became worse."),
}


@click.group(cls=LazyGroup, verbs=_VERBS)
def bench() -> None:
    """Measure latency and F1 together, and compare rows.

    \b
    Example:
      fermobile bench desktop fer_int8.tflite --data data/ferplus -o rows.jsonl
    """
