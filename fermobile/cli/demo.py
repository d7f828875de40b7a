"""``fermobile demo``: the whole way on synthetic faces, with a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .training_report import TrainingReport

if TYPE_CHECKING:
    from ..report.content import Step


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder to write."
)
@click.option("--count", default=6000, show_default=True, type=click.IntRange(min=600), help="Faces to render.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the faces.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.option("--force", is_flag=True, help="Write into a folder that is there already.")
def demo(out: Path, count: int, seed: int, as_json: bool, force: bool) -> int:
    """Render faces, train in two stages, quantize, export, verify, predict, and write a report.

    Needs no network and no data; about five minutes on two cores.  Every step prints the command that repeats
    it.  Ends with exit code 3 when the model misses what the demo promises.

    \b
    Example:
      fermobile demo --out demo
    """
    import dataclasses
    import json

    from ..errors import require_extra
    from ..files import refuse_existing

    refuse_existing(out, force)  # before TensorFlow takes seconds to load
    require_extra("train", "tensorflow", "tf_keras", "tensorflow_model_optimization")
    require_extra("face", "mediapipe")
    require_extra("report", "jinja2", "matplotlib")
    from ..demo import run_demo

    result = run_demo(out, _Watcher(as_json), count, seed, force)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(result), "met": result.met}, default=str))
    else:
        click.echo(f"\n{result.seconds:.0f} s")
        for gate in result.gates:
            mark = click.style("met   ", fg="green") if gate.met else click.style("MISSED", fg="red")
            click.echo(f"  {mark}  {gate.name}: {gate.measured} ({gate.required})")
        click.echo(f"model   {result.model}\nreport  {result.report}")
    return 0 if result.met else 3


class _Watcher(TrainingReport):
    """Prints each step's command before it, its time and key figure after it; nothing when JSON is wanted."""

    def begin(self, command: str) -> None:
        if not self._json:
            click.echo(f"\n{click.style('$ ' + command, bold=True)}")

    def epoch(self, row: dict[str, Any]) -> None:
        if not self._json:
            super().epoch(row)

    def done(self, step: Step) -> None:
        if not self._json:
            click.echo(f"{step.figure}  {click.style(f'{step.seconds:.1f} s', fg='cyan')}")
