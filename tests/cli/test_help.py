"""Every verb explains itself, by an example that would run; so do the commands in the README."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from fermobile.cli import cli
from fermobile.cli.lazy import LazyGroup

README = Path(__file__).resolve().parents[2] / "README.md"


def _verbs(group: LazyGroup = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for verb in group.verbs:
        command = group.get_command(click.Context(group), verb)
        if isinstance(command, LazyGroup):
            yield from _verbs(command, (*path, verb))
        else:
            yield (*path, verb)


VERBS = list(_verbs())


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that a line's words name, and the words that are left for it."""
    command: click.Command = cli
    while isinstance(command, LazyGroup) and words and not words[0].startswith("-"):
        assert words[0] in command.verbs, f"no verb {words[0]!r}"
        found = command.get_command(click.Context(command), words[0])
        assert found is not None
        command, words = found, words[1:]
    return command, words


def _check_line(line: str) -> None:
    """A line of shell that calls fermobile names a verb, options and choices that exist, and no argument too many."""
    words = shlex.split(line, comments=True)[1:]
    command, rest = _command(words)
    stop = next((i for i, word in enumerate(rest) if word in {"|", ">", "&&"}), len(rest))
    context = click.Context(command, resilient_parsing=True)
    _values, extra, _order = command.make_parser(context).parse_args(rest[:stop])
    assert not extra, f"{line!r} has words that {command.name!r} does not take: {extra}"


def _lines(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [m.group(1).strip() for m in re.finditer(r"^\s*\$?\s*(fermobile [^\n]*)$", joined, re.MULTILINE)]


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: " ".join(v) or "fermobile")
def test_help_has_an_example_that_would_parse(verb: tuple[str, ...], fermobile: Callable[..., Any]) -> None:
    result = fermobile(*verb, "--help")
    assert result.exit_code == 0
    assert result.stderr == ""
    _, found, example = result.stdout.partition("Example:\n")
    assert found, "no Example: block"
    lines = _lines(example.split("\n\nOptions:")[0])
    assert lines, "the Example: block has no line that starts with fermobile"
    assert any(line.startswith(" ".join(("fermobile", *verb))) for line in lines)
    for line in lines:
        _check_line(line)


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: " ".join(v) or "fermobile")
def test_every_option_is_explained(verb: tuple[str, ...]) -> None:
    command, _ = _command(list(verb))
    unexplained = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert not unexplained


def test_commands_in_the_readme_exist() -> None:
    lines = _lines(README.read_text("utf-8"))
    assert len(lines) > 5
    for line in lines:
        _check_line(line)
