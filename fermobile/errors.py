"""Every error that fermobile raises on purpose, and the exit code each one ends a command with.

::

    FermobileError                 1  the work failed
    ├── InputError                 2  bad usage or bad input: the user can mend it
    │   ├── ContractError             a model's contract is missing, unreadable or does not fit
    │   ├── DatasetError              a dataset folder, a label file or a split is wrong
    │   ├── ImageError                one image cannot be used (callers usually skip and list it)
    │   ├── FaceGeometryError         one face cannot be aligned
    │   ├── ModelFileError            a .tflite or a weights file is broken or not ours
    │   ├── RunError                  a run folder is missing, of another version, or of another recipe
    │   ├── OutputExistsError         an output path is taken and --force was not given
    │   └── MissingExtraError         an optional package is not installed; says the pip line
    ├── GateError                  3  a quality gate was not met
    └── RuntimeFailure             1  an interpreter, a device or a training step failed
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator


class FermobileError(Exception):
    """Base of all deliberate errors; its message is shown to the user without a traceback."""

    exit_code = 1


class InputError(FermobileError):
    """Bad usage or bad input; the message says what, where and what to do."""

    exit_code = 2


class ContractError(InputError):
    """A model's contract is missing, unreadable, of another schema version, or does not fit."""


class DatasetError(InputError):
    """A dataset folder, a label file or a split is wrong."""


class ImageError(InputError):
    """One image cannot be decoded or used."""


class FaceGeometryError(InputError):
    """One face cannot be aligned, for example because its eyes are too close together."""


class ModelFileError(InputError):
    """A model file is truncated, unreadable, or not one of ours."""


class RunError(InputError):
    """A run folder is missing, incomplete, or was written by another version or recipe."""


class OutputExistsError(InputError):
    """An output path exists already."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} exists already; choose another path or pass --force to replace it")


class MissingExtraError(InputError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'fermobile[{extra}]'"
        )


class GateError(FermobileError):
    """A quality gate was not met; the report says by how much."""

    exit_code = 3


class RuntimeFailure(FermobileError):
    """An interpreter, a device or a training step failed while running."""


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a missing optional package into the pip line that mends it.

    Use it around the import inside the function that needs the package::

        with needs_extra("train"):
            import tensorflow as tf
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "?").partition(".")[0]
        if package == "fermobile":
            raise
        raise MissingExtraError(package, extra) from error


def require_extra(extra: str, *packages: str) -> None:
    """Raise MissingExtraError when one of an extra's packages is not installed; imports none of them.

    For work that takes minutes before it comes to the import that :func:`needs_extra` guards.
    """
    with needs_extra(extra):
        for package in packages:
            if importlib.util.find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
