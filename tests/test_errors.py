"""The tree of errors, its exit codes, and what a missing extra says."""

from __future__ import annotations

import sys

import pytest

from fermobile import errors


def _classes() -> list[type[errors.FermobileError]]:
    return [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.FermobileError)]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.FermobileError, 1),
        (errors.RuntimeFailure, 1),
        (errors.InputError, 2),
        (errors.DatasetError, 2),
        (errors.OutputExistsError, 2),
        (errors.MissingExtraError, 2),
        (errors.GateError, 3),
    ],
)
def test_exit_codes(kind: type[errors.FermobileError], code: int) -> None:
    assert kind.exit_code == code


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    for kind in _classes():
        assert f"{kind.__name__} " in errors.__doc__, kind


def test_a_taken_output_says_what_to_do() -> None:
    assert "out.png exists already; choose another path or pass --force" in str(errors.OutputExistsError("out.png"))


def test_needs_extra_names_the_package_and_the_pip_line() -> None:
    with pytest.raises(errors.MissingExtraError) as caught, errors.needs_extra("face"):
        import no_such_package.inner  # noqa: F401
    assert "'no_such_package'" in str(caught.value)
    assert "pip install 'fermobile[face]'" in str(caught.value)


def test_needs_extra_does_not_hide_a_fault_of_our_own() -> None:
    with pytest.raises(ModuleNotFoundError), errors.needs_extra("face"):
        import fermobile.no_such_module  # noqa: F401


def test_require_extra_looks_without_importing() -> None:
    errors.require_extra("report", "this")
    assert "this" not in sys.modules
    with pytest.raises(errors.MissingExtraError, match=r"'no_such_package'.*pip install 'fermobile\[report\]'"):
        errors.require_extra("report", "this", "no_such_package")
