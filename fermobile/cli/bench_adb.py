"""``fermobile bench adb``: phones and boards, over the real adb client."""

from __future__ import annotations

from pathlib import Path

import click

from .bench_options import data_options, leg_options, plan_options, rows_option


@click.command("adb")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("-s", "--serial", help="Device, of those that 'fermobile devices' lists; else ANDROID_SERIAL.")
@click.option(
    "--runner",
    type=click.Choice(["app", "native", "python"]),
    default="app",
    show_default=True,
    help="The demo app, TensorFlow Lite's benchmark_model, or Python on the device.",
)
@click.option(
    "--benchmark-model",
    "binary",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TensorFlow Lite's benchmark_model, built for the device; for --runner native.",
)
@leg_options(
    "Of --runner python: ai-edge-litert, litert-compiled-model, tflite-runtime, with commas.",
    "cpu, gpu, nnapi.",
)
@data_options
@plan_options
@rows_option
def bench_adb(
    models: tuple[Path, ...],
    serial: str | None,
    runner: str,
    binary: Path | None,
    runtimes: tuple[str, ...],
    delegates: tuple[str, ...],
    threads: tuple[int, ...],
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
    """Measure the .tflite files MODELS on a phone or board that adb sees.

    The files and the faces of --data are put on the device, and stay there under their hash for a week: a second
    run sends nothing. A hot device is waited for. What cannot run there becomes a row that says why.

    \b
    Example:
      fermobile bench adb fer_int8.tflite --delegate cpu,gpu --data data/ferplus --samples 500 -o rows.jsonl
      fermobile bench adb fer_int8.tflite -s 127.0.0.1:5555 --runner python
    """
    import functools
    import tempfile

    from ..bench import adb, phone, phone_legs
    from ..bench.desktop import check_models, open_subject
    from ..bench.measure import Plan
    from ..data.manifest import Dataset
    from .bench_rows import run_and_print

    check_models(models)
    dataset = None if data is None else Dataset(data)
    device = adb.choose(serial)
    subjects = [open_subject(path) for path in models]
    plan = Plan(
        seconds=seconds, rounds=rounds, cooldown=cooldown, workers=phone_legs.workers(device), sustained=sustained
    )
    with (
        device.alone(),
        device.folder() as folder,
        tempfile.TemporaryDirectory(prefix="fermobile-bench-") as local,
        phone.fixed_performance(device) as held,
    ):
        bench = phone_legs.Bench(device, runner, folder, Path(local), binary)
        stations = phone_legs.phone_stations(bench, subjects, runtimes, delegates, threads, dataset, split, samples)
        phone.wait_until_cool(device, 300, lambda text: click.echo(text, err=True))
        read = functools.partial(phone_legs.conditions, device, held)
        run_and_print(stations, phone.describe(device), plan, read, out, as_json)
