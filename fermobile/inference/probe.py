"""Trying an unknown model in a child process first, so that a crash of the interpreter is an error message.

A file may pass every structural check and still make an interpreter read outside its memory.  The child
constructs the interpreter, allocates and runs once on zeros; about 0.3 s, once per file and process.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from ..errors import FermobileError, InputError, RuntimeFailure
from .runtimes import open_runtime

_TIMEOUT_S = 120
_STEPS = ("constructing", "running")


_passed: set[tuple[str, str]] = set()  # (sha256 of the file, runtime)


def try_in_child(data: bytes, runtime: str) -> None:
    """Run a model once in a process of its own; bytes that passed before return at once.

    Raises:
        RuntimeFailure: the process was ended by a signal, hung, or the interpreter refused the model.
        InputError: the runtime is not installed.
    """
    key = (hashlib.sha256(data).hexdigest(), runtime)
    if key in _passed:
        return
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(p for p in (package_root, os.environ.get("PYTHONPATH")) if p)
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-P", "-m", __name__, runtime]
    try:
        child = subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT_S, env=environment)
    except subprocess.TimeoutExpired:
        raise RuntimeFailure(f"{runtime} did not finish with the model within {_TIMEOUT_S} s") from None
    if child.returncode == 0:
        _passed.add(key)
        return
    message = child.stderr.decode("utf-8", "replace").strip()
    if child.returncode < 0:
        step = _STEPS[min(child.stdout.count(b"\n"), len(_STEPS) - 1)]
        name = signal.Signals(-child.returncode).name
        raise RuntimeFailure(
            f"{runtime} crashed ({name}) while {step} the model: the file is damaged, or uses something "
            f"that this runtime cannot do{_last_line(message)}"
        )
    kind = InputError if child.returncode == InputError.exit_code else RuntimeFailure
    raise kind(message.rpartition("error: ")[2] or f"{runtime} ended with status {child.returncode}")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return f" ({lines[-1].strip()})" if lines else ""


def main() -> int:
    """The child: model on stdin, runtime's name as the argument, a line on stdout after each step."""
    try:
        session = open_runtime(sys.stdin.buffer.read(), sys.argv[1])
        print(_STEPS[0], flush=True)
        spec = session.inputs[0]
        session.invoke(np.zeros(spec.shape, spec.dtype))
    except FermobileError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
