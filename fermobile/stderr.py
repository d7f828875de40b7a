"""Keeping C++ libraries that talk on stderr quiet."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

# Two threads that turn the descriptor aside in turns would put back each other's nowhere.
_lock = threading.RLock()


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send the process's file descriptor 2 to nowhere for the length of the block.

    TensorFlow, mediapipe and the interpreters log there from C++ before any log level can be set.  Errors come as
    Python exceptions, so nothing of use is lost; keep the block short, because other threads' messages vanish too.
    """
    # For what they log after the block: errors of a GPU that is not there, for one.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _lock:
        sys.stderr.flush()
        saved = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)
