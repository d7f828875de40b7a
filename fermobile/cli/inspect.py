"""``fermobile inspect``: what is inside a .tflite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ..contract import ModelContract
    from ..export.delegates import Outlook
    from ..export.inspect import FileReport, TensorSummary


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(file: Path | None, as_json: bool) -> None:
    """Show the contract, tensors, operators and delegate outlook of the .tflite FILE, without running it.

    Without FILE it is the shipped model, which `predict` uses. A file without a contract is shown too; the exit
    code is 2 then.

    \b
    Example:
      fermobile inspect fer_int8.tflite
      fermobile inspect fer_int8.tflite --json
    """
    from ..errors import ContractError
    from ..export.inspect import inspect_file
    from ..inference.session import DEFAULT_MODEL

    report = inspect_file(file or DEFAULT_MODEL)
    if as_json:
        import json

        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        _show(report)
    if report.contract is None:
        raise ContractError(report.contract_error)


def _show(report: FileReport) -> None:
    from rich.text import Text

    from .console import open_console

    console = open_console()
    console.print(str(report.path), style="bold", soft_wrap=True)
    runtime = f"TFLite {report.min_runtime} or newer" if report.min_runtime else "unknown"
    if report.stated_min_runtime:
        runtime += f" (its metadata says {report.stated_min_runtime})"
    rows = [
        ("kind", report.kind),
        ("size", f"{report.bytes:,} bytes ({report.bytes / 2**20:.2f} MiB)"),
        ("sha256", report.sha256),
        ("cost", f"{_short(report.parameters)} parameters, {_short(report.macs)} multiply-accumulates"),
        ("needs", runtime),
        *(("input", _tensor(t)) for t in report.inputs),
        *(("output", _tensor(t)) for t in report.outputs),
    ]
    console.print(_pairs(rows))
    console.print("\ncontract", style="bold")
    if report.contract is None:
        console.print("  none", style="red")
    else:
        console.print(_pairs(_contract(report.contract)))
    console.print("\noperators", style="bold")
    console.print(_operators(report))
    if report.float_islands:
        said = ("  computed in float inside an int8 file: ", "red")
        console.print(Text.assemble(said, ", ".join(report.float_islands)))
    console.print(Text.assemble(("\ndelegates", "bold"), (" (an outlook; only a run on the device tells)", "dim")))
    for outlook in report.outlooks:
        _show_outlook(console, outlook)


def _pairs(rows: list[tuple[str, str]]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(f"  {name}", value)
    return table


def _contract(contract: ModelContract) -> list[tuple[str, str]]:
    rows = [("name", contract.name)]
    if contract.emotions:
        rows.append(("emotions", ", ".join(contract.emotions)))
    if contract.action_units:
        units = (f"{n} >= {contract.threshold(n):.2f}" for n in contract.action_units)
        rows.append(("action units", ", ".join(units)))
    i = contract.input
    rows.append(("input", f"{i.size} x {i.size} {i.color}, (pixel - {i.mean:g}) / {i.std:g}"))
    crop = contract.crop
    if crop is None:
        rows.append(("crop", "not measured: faces in photos cannot be framed for it"))
    else:
        rows.append(("crop", f"eyes {crop.eye_distance:.3f} of the side apart, at {crop.eye_y:.3f} of its height"))
    rows.append(("temperature", f"{contract.temperature:.3f}"))
    rows += [(name, _brief(value)) for name, value in contract.provenance.items()]
    return rows


def _brief(value: object) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"


def _operators(report: FileReport) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "operator", "v.", "types", "weights", "since"):
        table.add_column(name, justify="right" if name in ("", "v.") else "left", no_wrap=True)
    for op in report.operators:
        weights = "per channel" if op.per_channel else ""
        table.add_row(f"  {op.count}", op.name, str(op.version), op.types, weights, op.since or "unknown")
    return table


def _show_outlook(console: Console, outlook: Outlook) -> None:
    from rich.padding import Padding
    from rich.text import Text

    whole = outlook.delegated == outlook.operators
    color = "green" if whole else "yellow" if outlook.delegated else "red"
    pieces = f" in {outlook.partitions} partition{'' if outlook.partitions == 1 else 's'}" if outlook.delegated else ""
    share = f"{outlook.delegated} of {outlook.operators} operators"
    console.print(Text.assemble(f"  {outlook.delegate:8}", (share, color), pieces))
    grouped: dict[tuple[str, str], int] = {}
    for fallback in outlook.fallbacks:
        key = (fallback.operator, fallback.reason)
        grouped[key] = grouped.get(key, 0) + 1
    for (name, reason), count in grouped.items():
        line = f"{count} {name} stay{'s' if count == 1 else ''} on the CPU: {reason}"
        console.print(Padding(line, (0, 0, 0, 10)))
    for note in outlook.notes:
        console.print(Padding(Text(note, "dim"), (0, 0, 0, 10)))


def _tensor(tensor: TensorSummary) -> str:
    shape = " x ".join(str(n) for n in tensor.shape) or "scalar"
    scale = "" if tensor.scale is None else f", real = (q - {tensor.zero_point}) * {tensor.scale:.8g}"
    return f"{tensor.name}: {shape} {tensor.dtype}{scale}"


def _short(n: int) -> str:
    """1234567 -> "1.23 M"."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= limit:
            return f"{n / limit:.2f} {unit}"
    return str(n)
