"""``fermobile devices``: the phones and boards that adb sees, and whether they are fit to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bench.adb import Listed


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def devices(as_json: bool) -> None:
    """List the devices that adb sees: what they are, and what speaks against measuring them now.

    One that is not ready is listed with what to do. ANDROID_ADB_SERVER_PORT leads to another adb server.

    \b
    Example:
      fermobile devices
      fermobile devices --json
    """
    from ..bench.adb import list_devices

    found = [_facts(listed) for listed in list_devices()]
    if as_json:
        import json

        click.echo(json.dumps({"devices": found}, indent=2, ensure_ascii=False))
    elif not found:
        click.echo("no devices: plug one in and switch USB debugging on in its developer options", err=True)
    else:
        _show(found)


def _facts(listed: Listed) -> dict[str, Any]:
    """A device as JSON tells it."""
    import dataclasses

    from ..bench import phone
    from ..bench.adb import Device, DeviceError

    facts: dict[str, Any] = {"serial": listed.serial, "state": listed.state, "model": listed.model}
    if listed.state != "device":
        return facts | {"doubts": [str(listed)]}
    device = Device(listed.serial)
    try:
        described, conditions = phone.describe(device), phone.conditions(device)
        python = phone.find_python(device)
    except DeviceError as error:
        return facts | {"doubts": [str(error)]}
    facts |= {name: value for name, value in dataclasses.asdict(described).items() if name != "id"}
    return facts | {"conditions": conditions, "python": python, "doubts": list(phone.doubts(conditions))}


def _show(found: list[dict[str, Any]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from .console import open_console

    console = open_console()
    for facts in found:
        name = facts.get("name", facts["model"])
        console.print(Text.assemble((facts["serial"], "bold"), f"  {name}"))
        if "os" in facts:
            emulated = ", emulated: its times mean nothing" if facts["emulated"] else ""
            console.print(Padding(f"{facts['soc']}, {facts['abi']}, {facts['os']}{emulated}", (0, 0, 0, 2)))
            runner = f"runs it with {facts['python']}" if facts["python"] else "no Python with numpy on it"
            console.print(Padding(f"python runner: {runner}", (0, 0, 0, 2)))
        for doubt in facts["doubts"]:
            console.print(Padding(Text(doubt, "yellow"), (0, 0, 0, 2)))
