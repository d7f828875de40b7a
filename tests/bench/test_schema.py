"""``row.schema.json`` and :class:`fermobile.bench.rows.Row` say the same."""

from __future__ import annotations

import copy
import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench_rows
import jsonschema
import pytest

from fermobile.bench import rows
from fermobile.bench.rows import ROW_VERSION, STATUSES, VALIDITIES, Row, append_row, read_rows
from fermobile.errors import InputError

SCHEMA = json.loads((Path(rows.__file__).parent / "row.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object"}


def shape(kind: Any) -> dict[str, Any]:
    """What JSON a value of ``kind`` is written as, as far as a type says it."""
    if isinstance(kind, types.UnionType):
        inner = shape(typing.get_args(kind)[0])
        return {"anyOf": [inner, {"type": "null"}]} if "$ref" in inner else {**inner, "type": [inner["type"], "null"]}
    if dataclasses.is_dataclass(kind):
        return {"$ref": f"#/$defs/{getattr(kind, '__name__')}"}  # noqa: B009
    if typing.get_origin(kind) is tuple:
        return {"type": "array", "items": shape(typing.get_args(kind)[0])}
    if typing.get_origin(kind) is dict:
        value = typing.get_args(kind)[1]
        return {"type": "object"} if value is Any else {"type": "object", "additionalProperties": shape(value)}
    return {"type": JSON_TYPES[kind]}


def object_shape(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    nothing = dataclasses.MISSING
    needed = [f.name for f in dataclasses.fields(cls) if f.default is nothing and f.default_factory is nothing]
    properties = {name: shape(hint) for name, hint in hints.items()}
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def without_words(node: Any) -> Any:
    """A schema without what only people read, and without the lists of values, which are tested by themselves."""
    if isinstance(node, list):
        return [without_words(n) for n in node]
    if not isinstance(node, dict):
        return node
    words = ("description", "enum", "examples")
    return {k: without_words(v) for k, v in node.items() if k not in words or isinstance(v, dict)}


def test_every_field_stands_in_the_schema_with_its_type() -> None:
    expected = object_shape(Row)
    expected["properties"] = {"row_version": {"const": ROW_VERSION}, **expected["properties"]}
    expected["required"] = ["row_version", *expected["required"]]
    found = without_words(SCHEMA)
    assert {k: found[k] for k in expected} == expected
    parts = (rows.Model, rows.Device, rows.Leg, rows.Latency, rows.Delegation, rows.Quality, rows.SustainedPoint)
    assert found["$defs"] == {part.__name__: object_shape(part) for part in parts}


def test_the_lists_of_values_are_those_of_the_reader() -> None:
    assert SCHEMA["properties"]["status"]["enum"] == list(STATUSES)
    assert SCHEMA["properties"]["validity"]["enum"] == list(VALIDITIES)


def test_every_field_is_described() -> None:
    for where, properties in [("", SCHEMA["properties"]), *((k, d["properties"]) for k, d in SCHEMA["$defs"].items())]:
        bare = [f"{where}.{name}" for name, value in properties.items() if not value.get("description")]
        assert not bare


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def written(path: Path) -> dict[str, Any]:
    """A row with every field filled, as it stands in a file."""
    append_row(path, *bench_rows.row(full=True))
    line: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return line


@pytest.mark.parametrize("full", [True, False])
def test_what_is_written_is_valid(tmp_path: Path, full: bool) -> None:
    path = tmp_path / "rows.jsonl"
    append_row(path, *bench_rows.row(full=full, bare=not full))
    VALIDATOR.validate(json.loads(path.read_text("utf-8")))


def spoiled(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The row with one field missing, of another type, or one too many, for every field."""
    for where in [(), *((k,) for k, v in row.items() if isinstance(v, dict) and k not in ("conditions", "versions"))]:
        part: dict[str, Any] = row
        for key in where:
            part = part[key]
        for name in part:
            for value in (..., None, "text", True, 1.5, [7], [{"x": 1}], {"x": [1]}):
                if name == "row_version" and value is True:
                    continue  # Python's True is 1
                new = copy.deepcopy(row)
                inner = new
                for key in where:
                    inner = inner[key]
                if value is ...:
                    del inner[name]
                else:
                    inner[name] = value
                yield f"{'.'.join((*where, name))} = {value!r}", new
        new = copy.deepcopy(row)
        (new[where[0]] if where else new)["surplus"] = 1
        yield f"{'.'.join(where)} has a surplus entry", new


def test_the_reader_and_the_schema_refuse_the_same(tmp_path: Path) -> None:
    path, differ = tmp_path / "rows.jsonl", []
    for what, row in spoiled(written(tmp_path / "good.jsonl")):
        path.write_text(json.dumps(row) + "\n", "utf-8")
        try:
            read_rows(path)
            read = True
        except InputError:
            read = False
        if read != VALIDATOR.is_valid(row):
            differ.append(f"{what}: {'read' if read else 'refused'}")
    assert not differ
