"""The one place where mediapipe is imported: without TensorFlow, and without its start-up chatter."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import cast

from ..errors import needs_extra


def import_mediapipe() -> ModuleType:
    """Return the ``mediapipe`` package.

    mediapipe imports TensorFlow when it finds it, for a decorator of its documentation: 3 s and 700 MB for
    nothing.  TensorFlow is hidden during the import; where it was imported before, it stays as it is.

    Raises:
        MissingExtraError: mediapipe is not installed.
    """
    hide = "tensorflow" not in sys.modules
    if hide:
        cast(dict[str, ModuleType | None], sys.modules)["tensorflow"] = None
    try:
        with needs_extra("face"):
            import mediapipe
            import mediapipe.tasks.python.vision
    finally:
        if hide:
            del sys.modules["tensorflow"]
    return cast(ModuleType, mediapipe)


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send the process's file descriptor 2 to nowhere for the length of the block.

    mediapipe's C++ logs there before any log level can be set.  Errors come as Python exceptions, so nothing
    of use is lost; keep the block short, because other threads' messages vanish too.
    """
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
