"""Reading a flatbuffer that nobody vouches for: every offset is checked before it is followed.

The generated classes of the TFLite schema (and the interpreters in C++) trust the file; a flipped bit makes them
read outside it.  This reader raises ModelFileError instead, naming the table and the byte.

The format (https://flatbuffers.dev/internals): all little-endian; a *table* starts with a signed offset back to
its *vtable*, which holds its own size, the table's size and one 16-bit offset per field, 0 for an absent one;
strings, vectors and tables are reached through unsigned 32-bit offsets relative to where they stand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ..errors import ModelFileError

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_SCALARS = {code: struct.Struct("<" + code) for code in "bBhHiIqQf?"}


def root_table(data: bytes, identifier: bytes, where: str) -> Table:
    """The table a file begins with.

    Args:
        identifier: the four bytes that name the file's schema, at offset 4.
        where: what the root is called in messages.
    Raises:
        ModelFileError: the file is too short or does not carry the identifier.
    """
    if len(data) < 8:
        raise ModelFileError(f"the file has only {len(data)} bytes")
    if data[4:8] != identifier:
        raise ModelFileError(f"bytes 4 to 7 are {data[4:8]!r} and not {identifier!r}")
    return Table(data, _U32.unpack_from(data, 0)[0], where)


class Table:
    """One table of the buffer; its vtable is checked when the object is made, each field when it is read."""

    def __init__(self, data: bytes, position: int, where: str) -> None:
        self.data, self.position, self.where = data, position, where
        self._need(position, 4, "table")
        vtable = position - _I32.unpack_from(data, position)[0]
        self._need(vtable, 4, "vtable")
        vtable_size, self.size = _U16.unpack_from(data, vtable)[0], _U16.unpack_from(data, vtable + 2)[0]
        if vtable_size < 4 or vtable_size % 2:
            raise ModelFileError(f"{where}: its vtable at byte {vtable} has the impossible size {vtable_size}")
        self._need(vtable, vtable_size, "vtable")
        self._need(position, max(self.size, 4), "table")
        self.fields = struct.unpack_from(f"<{vtable_size // 2 - 2}H", data, vtable + 4)
        if any(offset >= self.size for offset in self.fields):
            raise ModelFileError(f"{where}: a field of the table at byte {position} lies outside the table")

    def scalar(self, field: int, code: str, default: int = 0) -> int:
        """A number; ``code`` is its ``struct`` letter."""
        at = self._field(field, _SCALARS[code].size)
        return default if at is None else int(_SCALARS[code].unpack_from(self.data, at)[0])

    def table(self, field: int, where: str) -> Table | None:
        """A table that this one points to, None when the field is absent."""
        at = self._target(field)
        return None if at is None else Table(self.data, at, f"{self.where}: {where}")

    def string(self, field: int) -> str:
        """A text, "" when the field is absent; bytes that are not UTF-8 are replaced."""
        start, length = self._vector(field, 1)
        self._need(start, length + 1, "text")  # it ends with a zero byte, which C readers look for
        return self.data[start : start + length].decode("utf-8", "replace")

    def array(self, field: int, dtype: str) -> np.ndarray:
        """A vector of numbers as a read-only view of the file; empty when the field is absent."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, length = self._vector(field, kind.itemsize)
        return np.frombuffer(self.data, kind, length, start) if length else np.empty(0, kind)

    def tables(self, field: int, where: str) -> Iterator[Table]:
        """The tables of a vector of tables, in order."""
        start, length = self._vector(field, 4)
        for i in range(length):
            at = start + 4 * i
            yield Table(self.data, at + _U32.unpack_from(self.data, at)[0], f"{where} {i}")

    def _field(self, field: int, size: int) -> int | None:
        """Where a field of so many bytes stands in the buffer; None when it is absent."""
        if field >= len(self.fields) or self.fields[field] == 0:
            return None
        if self.fields[field] + size > self.size:
            raise ModelFileError(f"{self.where}: field {field} reaches out of the table at byte {self.position}")
        return self.position + self.fields[field]

    def _target(self, field: int) -> int | None:
        at = self._field(field, 4)
        return None if at is None else at + int(_U32.unpack_from(self.data, at)[0])

    def _vector(self, field: int, item_size: int) -> tuple[int, int]:
        """(first byte, number of items) of a vector; (0, 0) when the field is absent."""
        at = self._target(field)
        if at is None:
            return 0, 0
        self._need(at, 4, f"vector of field {field}")
        length = int(_U32.unpack_from(self.data, at)[0])
        self._need(at + 4, length * item_size, f"vector of field {field} ({length} items)")
        return at + 4, length

    def _need(self, start: int, size: int, what: str) -> None:
        if start < 0 or start + size > len(self.data):
            raise ModelFileError(
                f"{self.where}: its {what} takes bytes {start} to {start + size}, "
                f"but the file has {len(self.data)} (truncated or damaged)"
            )
