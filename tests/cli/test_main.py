"""How a command ends: one message on stderr, one exit code, no traceback unless it was asked for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import models_util
import pytest

from fermobile import __version__, errors
from fermobile.cli.lazy import LazyGroup

Run = Callable[..., Any]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make every verb raise the given error."""

    def install(error: BaseException) -> None:
        @click.command()
        def verb() -> None:
            raise error

        monkeypatch.setattr(LazyGroup, "get_command", lambda *_: verb)

    return install


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.RuntimeFailure("the interpreter died"), 1, "error: the interpreter died\n"),
        (errors.DatasetError("row 7: no such emotion"), 2, "error: row 7: no such emotion\n"),
        (errors.GateError("macro-F1 fell by 0.02"), 3, "error: macro-F1 fell by 0.02\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
        (PermissionError(errno.EACCES, "Permission denied", "a.png"), 1, "error: a.png: Permission denied\n"),
        (OSError(errno.EISDIR, "Is a directory", ".a.png.x7.png", None, "a.png"), 1, "error: a.png: Is a directory\n"),
        (MemoryError(), 1, "error: out of memory\n"),
    ],
)
def test_exit_codes(
    fermobile: Run, failing: Callable[[BaseException], None], error: BaseException, code: int, message: str
) -> None:
    failing(error)
    result = fermobile("train")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", message)


def test_a_full_disk_says_what_to_do(fermobile: Run, failing: Callable[[BaseException], None]) -> None:
    failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/fer"))
    result = fermobile("train")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: runs/fer: No space left on device; free some space")


def test_a_fault_of_our_own_shows_its_traceback_only_with_debug(
    fermobile: Run, failing: Callable[[BaseException], None]
) -> None:
    failing(ZeroDivisionError("by zero"))
    result = fermobile("train")
    assert result.exit_code == 1
    assert "unexpected ZeroDivisionError: by zero" in result.stderr
    assert "'fermobile --debug ...'" in result.stderr
    assert "Traceback" not in result.stderr

    from fermobile.cli import main

    with pytest.raises(ZeroDivisionError):
        main(["--debug", "train"])


def test_unknown_verb_and_unknown_option_are_bad_usage(fermobile: Run) -> None:
    result = fermobile("trian")
    assert result.exit_code == 2
    assert "'trian'; choose from: data, train, " in result.stderr
    result = fermobile("--fast")
    assert result.exit_code == 2
    assert "--fast" in result.stderr


def test_no_verb_shows_the_help_as_bad_usage(fermobile: Run) -> None:
    result = fermobile()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Commands:" in result.stderr


def test_version(fermobile: Run) -> None:
    assert fermobile("--version").stdout == f"fermobile, version {__version__}\n"


MAIN = [sys.executable, "-c", "from fermobile.cli import main; main()"]


def _process(stdout: int, *args: object) -> subprocess.CompletedProcess[str]:
    command = [*MAIN, *map(str, args)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_a_reader_that_went_away_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = _process(writer, "--help")
    os.close(writer)
    assert result.returncode == 1
    assert result.stderr == ""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(models_util.tiny_file())
    return path


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
@pytest.mark.parametrize("as_json", [True, False], ids=["by click", "by rich"])
def test_standard_output_on_a_full_disk(model: Path, as_json: bool) -> None:
    with Path("/dev/full").open("w") as full:
        result = _process(full.fileno(), "inspect", model, *(["--json"] if as_json else []))
    assert result.returncode == 1
    assert result.stderr == "error: standard output: No space left on device\n"


@pytest.mark.parametrize("closed,said", [("1>&-", True), ("1>&- 2>&-", False), ("0<&- 1>&- 2>&-", False)])
def test_closed_streams_are_no_fault(tmp_path: Path, closed: str, said: bool) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *MAIN, "inspect", str(tmp_path / "none.tflite")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == (f"error: {tmp_path}/none.tflite: No such file or directory\n" if said else "")


def test_sigterm_ends_a_command_as_ctrl_c_does(tmp_path: Path) -> None:
    out = tmp_path / "faces"
    command = [*MAIN, "data", "synth", "--out", str(out), "--count", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.iterdir()) and process.poll() is None:  # until it writes under its temporary name
        time.sleep(0.05)
    process.terminate()
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (143, "", "\nterminated\n")
    assert list(tmp_path.iterdir()) == []
