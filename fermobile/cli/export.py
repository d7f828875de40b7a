"""``fermobile export``: a run becomes a .tflite that carries its contract."""

from __future__ import annotations

from pathlib import Path

import click

_KINDS = {
    "int8": "Full integer: weights, activations, input and output.",
    "fp16": "Weights in 16-bit float.",
    "dynamic_int8": "Weights in int8, arithmetic in float.",
    "float": "Everything in 32-bit float.",
}


def _kind_options(command: click.decorators.FC) -> click.decorators.FC:
    for kind, text in reversed(_KINDS.items()):
        command = click.option(f"--{kind.replace('_', '-')}", kind, is_flag=True, help=text)(command)
    return command


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@_kind_options
@click.option("--io", type=click.Choice(["uint8", "int8", "float32"]), help="Input and output type of --int8 [uint8].")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .tflite to write.")
@click.option(
    "--data",
    "dataset",
    type=click.Path(path_type=Path),
    help="Dataset of the run, if it moved: when a float run becomes int8, train sets the ranges, val the thresholds.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def export(
    run: Path, io: str | None, out: Path, dataset: Path | None, force: bool, as_json: bool, **kinds: bool
) -> None:
    """Write RUN as a .tflite with its contract, labels and normalisation inside.

    The same run gives the same bytes. An int8 file in which a float operation is left is refused. The int8 export of a
    float run takes its thresholds and temperature from its own scores on the val split, as the int8 ones differ.

    \b
    Example:
      fermobile export runs/fer-qat --int8 -o fer_int8.tflite
    """
    chosen = [name.replace("_", "-") for name, on in kinds.items() if on]
    if len(chosen) != 1:
        raise click.UsageError("choose one of: " + ", ".join(f"--{k.replace('_', '-')}" for k in _KINDS))
    if io and chosen[0] != "int8":
        raise click.UsageError("--io is for --int8; every other file takes and gives float32")
    from ..export.convert import export_run
    from ..files import refuse_existing
    from ..training.runs import Run

    refuse_existing(out, force)
    calibration = None if dataset is None else Run.open(run).open_dataset(dataset)
    report = export_run(run, out, chosen[0], io or "uint8", calibration, force)
    if as_json:
        import json

        values = {
            "file": str(report.path),
            "sha256": report.sha256,
            "bytes": report.size,
            "kind": report.kind,
            "io": report.io,
            "quantized_by": report.quantized_by or None,
            "outputs": list(report.contract.outputs),
            "provenance": dict(report.contract.provenance),
        }
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    how = {"training": ", ranges from training", "calibration": ", ranges from a calibration set", "": ""}
    click.echo(
        f"{report.path}: {report.kind}{how[report.quantized_by]}, {report.io} in and out, "
        f"{report.size / 1e6:.2f} MB, outputs {' and '.join(report.contract.outputs)}\nsha256 {report.sha256}"
    )
    if refitted := report.contract.provenance.get("refitted_on"):
        click.echo(f"thresholds and temperature fitted to the file's own scores on {refitted['faces']} val faces")
