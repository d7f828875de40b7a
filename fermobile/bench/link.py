"""The host's end of the runner protocol: a runner process, started here or through adb, asked one thing at a time."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO, Any, Protocol

from ..errors import RuntimeFailure
from .runner import MARK

#: Lines of a runner's own messages that are kept to explain a failure.
_KEPT = 200


class LegUnsupported(RuntimeFailure):
    """What the leg asks for is not to be had on that machine."""


class LegFailed(RuntimeFailure):
    """The leg could have run, and did not: an error, a timeout, or a machine that vanished."""


class Link(Protocol):
    """The host's end of a leg, whatever the commands travel by."""

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]: ...

    def close(self) -> None: ...

    def kill(self) -> None: ...


class RunnerLink:
    """A started runner.

    Args:
        argv: command whose stdin and stdout speak the protocol.
        name: what messages call it.
        env: environment of the process; None inherits.
    """

    def __init__(self, argv: Sequence[str], name: str, env: dict[str, str] | None = None) -> None:
        self.name = name
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
            start_new_session=True,  # Ctrl-C is the host's to handle
        )  # fmt: skip
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._said: deque[str] = deque(maxlen=_KEPT)  # on stderr
        self._chatter: deque[str] = deque(maxlen=_KEPT)  # on stdout, between answers
        assert self._process.stdout is not None and self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_answers, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_messages, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises:
            LegUnsupported: the runner says that it cannot be had there.
            LegFailed: the runner says so, answers nothing in ``timeout`` seconds, or has ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: the missing answer says so, and why
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        try:
            reply = self._answers.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            raise LegFailed(f"{self.name}: no answer to '{command['do']}' within {timeout:.0f} s") from None
        if reply is None:
            raise LegFailed(f"{self.name} {self._how_it_ended()}")
        if "error" in reply:
            kind = LegUnsupported if reply["error"] == "unsupported" else LegFailed
            raise kind(" ".join(f"{reply.get('reason', 'no reason given')}{self._first_error()}".split()))
        return reply

    def close(self, timeout: float = 20.0) -> None:
        """End the runner.

        Raises:
            LegFailed: it did not say ``bye``: whatever it ran on is lost.
        """
        try:
            if not self.ask({"do": "quit"}, timeout).get("bye"):
                raise LegFailed(f"{self.name} did not end as it should")
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process at once, and its pipes with it."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(timeout=2)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()

    def __enter__(self) -> RunnerLink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def _read_answers(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                text = line.decode("utf-8", "replace").strip()
                if not text.startswith(MARK):
                    self._chatter.append(text)
                    continue
                try:
                    answer = json.loads(text[len(MARK) :])
                except ValueError:
                    answer = None
                damaged = {"error": "failed", "reason": f"an answer that is no JSON object: {text[:80]!r}"}
                self._answers.put(answer if isinstance(answer, dict) else damaged)
        self._answers.put(None)

    def _read_messages(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                self._said.append(line.decode("utf-8", "replace").strip())

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        for reader in self._readers:
            reader.join(timeout=2)
        last = next((line for line in (*reversed(self._said), *reversed(self._chatter)) if line), "")
        if code == 0:  # adb's exit status when the device is gone
            return "ended without its last word: the device was lost, or its runner was" + (last and f" ({last})")
        return f"ended with status {code}" + (last and f": {last}")

    def _first_error(self) -> str:
        """What C++ code said on stderr, which exceptions do not repeat; the first complaint is nearest the cause."""
        said = list(self._said)
        return next((f" ({line.removeprefix('ERROR: ')[:200]})" for line in said if "INTERNAL:" in line), "")
