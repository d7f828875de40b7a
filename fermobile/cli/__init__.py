"""The ``fermobile`` command: a lazy click group, one module per verb, loaded only when called."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import FermobileError
from .lazy import LazyGroup

_VERBS: dict[str, tuple[str, str]] = {
    "data": ("data", "Import, render, crop and check labelled faces."),
    "train": ("train", "Train a recipe: frozen backbone first, then fine-tuning."),
    "crossval": ("crossval", "Train a recipe once per fold of a dataset and test each on unseen people."),
    "pseudo-label": ("pseudo_label", "Label unlabelled faces by trained runs, to train on them too."),
    "ledger": ("ledger", "List the labels that a training changed, and take some back."),
    "quantize": ("quantize", "Quantization-aware fine-tuning of a run."),
    "export": ("export", "Write a run as a .tflite that carries its contract."),
    "verify": ("verify", "Prove that a .tflite is still right, or name the stage where it is not."),
    "inspect": ("inspect", "Show a file's contract, ops, quantization and delegate outlook."),
    "predict": ("predict", "Find faces in photos, folders, videos or a webcam and read them."),
    "bench": ("bench", "Measure latency and F1 together, on this machine or on a phone."),
    "report": ("report", "Benchmark rows as one HTML page."),
    "devices": ("devices", "List the phones and boards that adb sees."),
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


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: nothing is left half-written."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Entry point: run the command and turn every error into one message and an exit code.

    0 done; 1 failed; 2 bad usage or bad input; 3 a gate was not met; 130 interrupted; 143 terminated.
    """
    _open_closed_streams()
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _run(sys.argv[1:] if args is None else list(args))
    finally:
        signal.signal(signal.SIGTERM, previous)
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered can go nowhere, and the interpreter would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == 0 and error.errno != errno.EPIPE:
            click.echo(f"error: standard output: {error.strerror}", err=True)
        code = code or 1
    sys.exit(code)


def _open_closed_streams() -> None:
    """Put the null device where a standard stream is closed.

    Its number would go to the next file that is opened, and what C++ code prints would end up in there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open until the end


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _run(args: list[str]) -> int:
    debug = "--debug" in args
    try:
        result: Any = cli.main(args, prog_name="fermobile", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt) as error:
        terminated = isinstance(error.__cause__ or error, _Terminated)  # click wraps what it passes on
        click.echo("terminated" if terminated else "interrupted", err=True)
        return 143 if terminated else 130
    except Exception as error:
        if debug:
            raise
        click.echo(f"error: {_message(error)}", err=True)
        return error.exit_code if isinstance(error, FermobileError) else 1


def _message(error: Exception) -> str:
    if isinstance(error, FermobileError):
        return str(error)
    if isinstance(error, OSError):
        return _os_error(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    return (
        f"unexpected {type(error).__name__}: {error}\n"
        "this is a fault in fermobile; 'fermobile --debug ...' shows where it happened"
    )


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    if _while_printing(error):
        return f"standard output: {reason}"
    where = error.filename2 or error.filename  # of a renaming, the name that the file was to get
    hint = "; free some space, nothing half-written was left behind" if error.errno == errno.ENOSPC else ""
    return f"{f'{where}: ' if where else ''}{reason}{hint}"


def _while_printing(error: OSError) -> bool:
    """Whether an error, which does not name stdout, was raised by what prints for us."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_globals["__name__"].partition(".")[0] in ("click", "rich")
