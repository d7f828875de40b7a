"""The ``fermobile`` command: a lazy click group, one module per verb, loaded only when called."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..errors import FermobileError
from .lazy import LazyGroup

_VERBS: dict[str, tuple[str, str]] = {
    "data": ("data", "Import, render, crop and check labelled faces."),
    "train": ("train", "Train a recipe: frozen backbone first, then fine-tuning."),
    "quantize": ("quantize", "Quantization-aware fine-tuning of a run."),
    "export": ("export", "Write a run as a .tflite that carries its contract."),
    "verify": ("verify", "Prove that a .tflite is still right, or name the stage where it is not."),
    "inspect": ("inspect", "Show a file's contract, ops, quantization and delegate outlook."),
    "predict": ("predict", "Find faces in photos, folders, videos or a webcam and read them."),
    "demo": ("demo", "The whole way on synthetic faces, with a report."),
}


@click.group(cls=LazyGroup, verbs=_VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="fermobile")
def cli(debug: bool) -> None:
    """From labelled faces to a verified facial-expression model on a phone.

    \b
    Example:
      fermobile predict photo.jpg --annotate out.png
    """


def main() -> None:
    """Entry point: run the command and turn deliberate errors into a message and an exit code."""
    import sys

    debug = "--debug" in sys.argv[1:]
    try:
        result: Any = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except FermobileError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)
