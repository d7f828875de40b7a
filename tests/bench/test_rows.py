from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fermobile.bench.rows import (
    Delegation,
    Device,
    Latency,
    Leg,
    Model,
    Quality,
    Row,
    SustainedPoint,
    append_row,
    new_id,
    read_rows,
    read_samples,
    samples_folder,
)
from fermobile.errors import InputError


def row(**changes: object) -> Row:
    return dataclasses.replace(
        Row(
            id=new_id(),
            session="s",
            time="2026-01-01T00:00:00+00:00",
            model=Model("m.tflite", "ab", 10, "m", "int8", 96),
            device=Device("desk", "host", "cpu", "Linux", "x86_64"),
            leg=Leg("python", "ai-edge-litert", "cpu", 1),
            status="ok",
            latency=Latency(1.0, 2.0, 1.5, 3, 4, 0.01, 1.0, 2.0, 2.5, 3.0, 0.1, (2, 2)),
            validity="valid",
            delegation=Delegation("cpu (XNNPACK)", 33, None, 1),
            quality=Quality("d", "cd", "test", 3, "ef", accuracy=0.5, per_class={"fear": 0.25}),
            sustained=(SustainedPoint(0.0, 1.0, 2.0, 9),),
            conditions={"before": {"load": 0.1}},
            warnings=("ü",),
        ),
        **changes,  # type: ignore[arg-type]
    )


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    written = [row(), row(status="unsupported", reason="no GPU", latency=None, quality=None, validity="invalid")]
    samples = np.array([5, 3, 4], np.int64)
    append_row(path, written[0], samples)
    append_row(path, written[1])
    assert read_rows(path) == written
    np.testing.assert_array_equal(read_samples(path, written[0]), samples)
    assert read_samples(path, written[1]) is None


def test_a_line_cut_by_a_kill_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_row(path, row())
    path.write_bytes(path.read_bytes()[:-30])
    kept = row()
    append_row(path, kept)
    assert len(path.read_text().splitlines()) == 2
    with pytest.raises(InputError, match=r"rows\.jsonl, line 1: not a benchmark row"):
        read_rows(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row_version": 99}, "row version 99; this fermobile reads 1"),
        ({"status": "fine"}, "status 'fine' is none of ok, unsupported, failed"),
        ({"surprise": 1}, "unknown entry surprise"),
        ({"latency": {"n": "many"}}, "latency.n must be int, not 'many'"),
        ({"model": []}, "model must be dict"),
        ({"leg": {"threads": True}}, "leg.threads must be int, not True"),
    ],
)
def test_what_is_no_row_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "rows.jsonl"
    append_row(path, row())
    values = json.loads(path.read_text())
    for key, value in change.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(values) + "\n")
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert message in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_an_error_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"rows\.jsonl"):
        read_rows(path)


def test_an_empty_or_missing_file_says_what_writes_one(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match="fermobile bench desktop"):
        read_rows(tmp_path / "empty.jsonl")
    with pytest.raises(InputError, match=r"missing\.jsonl: No such file"):
        read_rows(tmp_path / "missing.jsonl")


def test_samples_lie_beside_the_rows() -> None:
    assert samples_folder(Path("a/rows.jsonl")) == Path("a/rows.samples")
