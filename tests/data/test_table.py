"""Label tables: every kind of broken text ends in one error that says the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fermobile.data.readers.table import Table
from fermobile.errors import DatasetError


def rows(path: Path, data: bytes) -> list[list[str]]:
    path.write_bytes(data)
    return list(Table(path, ("b", "a")).rows())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def test_cells_come_in_the_order_asked_for(path: Path) -> None:
    assert rows(path, b'a, b ,c\n1,2,3\n\n4,"5",6\n') == [["2", "1"], ["5", "4"]]


def test_windows_line_ends_and_no_last_one(path: Path) -> None:
    assert rows(path, b"a,b\r\n1,2\r\n3,4") == [["2", "1"], ["4", "3"]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty; it needs the columns b, a"),
        (b"a,c\n1,2\n", r"missing column\(s\) b; found: a, c"),
        (b"a,b\n1\n", r"line 2: 1 field\(s\), expected 2"),
        (b"a,b\n1,2,3\n", r"line 2: 3 field\(s\), expected 2"),
        (b"a,b\n1,\xff\n", "line 2: not UTF-8 text"),
        (b"\xff\xfea\0,\0b\0\n", "line 1: not UTF-8 text"),
        (b'a,b\n"1,2\n3,4\n', "not valid csv"),
        (b"a,b\n" + b"1" * 200_000 + b",2\n", "line 2: not valid csv"),
        (b"a,b\n" + b"1" * 2_000_000, "line 2: longer than"),
    ],
)
def test_broken_text(path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        rows(path, data)


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        Table(tmp_path, ("a",))
