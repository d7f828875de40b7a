"""The one place where mediapipe is imported: without TensorFlow, and without its start-up chatter."""

from __future__ import annotations

import sys
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
