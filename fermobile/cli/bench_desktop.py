"""``fermobile bench desktop``: every runtime of this machine, interleaved."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .bench_options import data_options, leg_options, plan_options, rows_option


@click.command("desktop")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@leg_options(
    "Of .tflite files: ai-edge-litert, litert-compiled-model, tflite-runtime, tf.lite, with commas; or all.",
    "cpu, gpu.",
)
@click.option(
    "--photo",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Also time this photo's way: decode, detect, align, infer.",
)
@data_options
@plan_options
@rows_option
def bench_desktop(
    models: tuple[Path, ...],
    runtimes: tuple[str, ...],
    delegates: tuple[str, ...],
    threads: tuple[int, ...],
    photo: Path | None,
    data: Path | None,
    split: str,
    samples: int | None,
    seconds: float,
    rounds: int,
    cooldown: float,
    sustained: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure MODELS, .tflite files or run folders (Keras), on this machine.

    Every leg, a model on a runtime with a delegate and a number of threads, has a process of its own. All are
    opened first and then take turns in random order, so that what slows the machine slows them all. With --data
    the same process also reads every face, and its F1 stands in the row. What cannot run here becomes a row that
    says why.

    \b
    Example:
      fermobile bench desktop fer_int8.tflite runs/fer --runtime all --threads 1,2 --data data/ferplus -o rows.jsonl
    """
    import tempfile

    from ..bench.desktop import RUNTIMES, check_models, conditions, desktop_stations, open_subject, this_desktop
    from ..bench.measure import Plan
    from ..data.manifest import Dataset
    from .bench_rows import run_and_print

    check_models(models)
    dataset = None if data is None else Dataset(data)
    subjects = [open_subject(path) for path in models]
    chosen = RUNTIMES if runtimes == ("all",) else runtimes
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    plan = Plan(seconds=seconds, rounds=rounds, cooldown=cooldown, workers=cores, sustained=sustained)
    with tempfile.TemporaryDirectory(prefix="fermobile-bench-") as folder:
        stations = desktop_stations(subjects, Path(folder), chosen, delegates, threads, dataset, split, samples, photo)
        run_and_print(stations, this_desktop(), plan, conditions, out, as_json)
