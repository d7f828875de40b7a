"""Progress is for a person at a terminal: a rate and the time left, on stderr, and nothing anywhere else."""

from __future__ import annotations

import io
import sys

import pytest

from fermobile.cli.progress import progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


def test_silent_when_stderr_is_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", total=10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_count_and_rate_and_stdout_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("reading", total=30, unit="faces") as advance:
        for _ in range(3):
            advance(10)
    assert "reading" in terminal.getvalue()
    assert "30/30" in terminal.getvalue()
    assert "faces/s" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_the_bar_goes_away_with_an_error_that_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(ValueError, match="row 7"), progress("reading", total=None) as advance:
        advance(1)
        raise ValueError("row 7")
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is back
