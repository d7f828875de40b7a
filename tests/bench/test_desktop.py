from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models_util import contract, tiny_file

from fermobile.bench import runner
from fermobile.bench.desktop import conditions, desktop_stations, open_subject, this_desktop
from fermobile.bench.evaluation_set import pack_faces, read_scores
from fermobile.bench.link import LegFailed, RunnerLink
from fermobile.bench.measure import Plan, Station, measure
from fermobile.bench.rows import read_rows, read_samples
from fermobile.data.info import DatasetInfo
from fermobile.data.manifest import Dataset, write_dataset
from fermobile.errors import DatasetError, InputError
from fermobile.inference.session import Session

QUICK = Plan(seconds=0.05, rounds=2, count=10, warmup=0, cooldown=0)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    made_for, rng = contract(), np.random.default_rng(0)
    with write_dataset(tmp_path / "data", DatasetInfo("noise", made_for.emotions, made_for.action_units)) as writer:
        for i in range(30):
            image = rng.integers(0, 256, (40, 40)).astype(np.uint8)
            aus = {name: float(i % 2) for name in made_for.action_units}
            writer.add_array(image, split="test", emotion=made_for.emotions[i % len(made_for.emotions)], aus=aus)
    return Dataset(tmp_path / "data")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_file())
    return path


def stations(model: Path, folder: Path, dataset: Dataset | None = None, **changes: Any) -> list[Station]:
    values: dict[str, Any] = {
        "runtimes": ["ai-edge-litert"], "delegates": ["cpu"], "threads": [1], "split": "test", "samples": None,
    } | changes  # fmt: skip
    (folder / "packed").mkdir(exist_ok=True)
    return desktop_stations([open_subject(model)], folder / "packed", dataset=dataset, **values)


def test_a_row_has_the_sessions_figures(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    (found,) = measure(stations(model, tmp_path, dataset), this_desktop(), QUICK, conditions)
    row, samples = found
    assert (row.status, row.reason) == ("ok", "")
    assert row.latency is not None and samples is not None and row.quality is not None
    assert row.latency.n == len(samples) == sum(row.latency.rounds) >= 10
    assert len(row.latency.rounds) == 2
    assert row.peak_mb is not None and row.peak_mb > 10
    session = Session.open(model)
    scores = session.predict(dataset.image(i) for i in range(len(dataset)))
    right = scores["emotion"].argmax(axis=1) == dataset.hard_labels(session.contract.emotions)
    assert row.quality.accuracy == pytest.approx(right.mean(), abs=1e-6)
    assert set(row.quality.per_au) == set(session.contract.action_units)
    assert row.quality.n == 30


def test_what_cannot_run_is_a_row_and_the_rest_goes_on(model: Path, tmp_path: Path) -> None:
    legs = stations(model, tmp_path, delegates=["gpu", "cpu"])
    legs[0].warnings = ("known before",)
    rows = [row for row, _ in measure(legs, this_desktop(), QUICK)]
    assert [row.status for row in rows] == ["unsupported", "ok"]
    assert "libtensorflowlite_gpu_delegate.so" in rows[0].reason
    assert rows[0].latency is None and rows[0].validity == "invalid"
    assert rows[1].quality is None
    assert [row.warnings for row in rows] == [("known before",), ()]


def test_a_runner_that_dies_is_a_failed_row_with_what_was_measured(model: Path, tmp_path: Path) -> None:
    legs = stations(model, tmp_path, threads=[1, 2])
    asked, whole = [0], RunnerLink.ask

    class Dying(RunnerLink):
        def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
            asked[0] += command["do"] == "measure"
            if asked[0] == 3:  # in the second round
                self.kill()
                raise LegFailed("the device was lost")
            return whole(self, command, timeout)

    legs[0].start = lambda: Dying([sys.executable, runner.__file__], "dying")
    rows = [row for row, _ in measure(legs, this_desktop(), QUICK)]
    assert [row.status for row in rows] == ["failed", "ok"]
    assert rows[0].validity == "invalid" and rows[0].validity_reasons[0] == "the leg did not end well"


def test_answers_equal_to_the_cpus_are_flagged(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    legs = stations(model, tmp_path, dataset, threads=[1, 2])
    pretended = legs[1]
    pretended.leg = type(pretended.leg)("python", "ai-edge-litert", "nnapi", 1)
    start = pretended.start

    def as_cpu() -> RunnerLink:
        link = start()
        ask = link.ask
        link.ask = lambda c, t: ask({**c, "delegate": "cpu"} if c["do"] == "open" else c, t)  # type: ignore[method-assign]
        return link

    pretended.start = as_cpu
    cpu, row = (row for row, _ in measure(legs, this_desktop(), QUICK))
    assert cpu.delegation is not None and cpu.delegation.same_bits_as_cpu is None
    assert row.delegation is not None and row.delegation.same_bits_as_cpu is True
    assert any("did not do the work" in w for w in row.warnings)
    assert any("deprecated since Android 15" in w for w in row.warnings)


def test_a_sustained_run_gives_a_curve(model: Path, tmp_path: Path) -> None:
    plan = Plan(seconds=0.05, rounds=1, count=5, warmup=0, cooldown=0, sustained=0.02)
    ((row, _),) = measure(stations(model, tmp_path), this_desktop(), plan)
    assert len(row.sustained) >= 3
    assert all(a.minute < b.minute for a, b in zip(row.sustained, row.sustained[1:], strict=False))


def test_predictions_of_another_length_are_refused(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    subject = open_subject(model)
    evaluation = pack_faces(tmp_path / "f.u8", dataset, "test", 7, subject.contract, subject.outputs)
    assert evaluation.n == 7
    assert (tmp_path / "f.u8").stat().st_size == 7 * 32 * 32 * 3
    with pytest.raises(LegFailed, match="the predictions are 3 bytes; 7 faces give"):
        read_scores(evaluation, b"abc")


def test_unknown_choices_name_the_known(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown runtime 'abacus'; choose from: ai-edge-litert"):
        stations(model, tmp_path, runtimes=["abacus"])
    with pytest.raises(InputError, match=r"unknown delegate 'npu'; choose from: cpu, gpu"):
        stations(model, tmp_path, delegates=["npu"])


def test_an_empty_split_is_an_error(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        stations(model, tmp_path, dataset, split="val")


def test_the_command_appends_rows_and_samples(
    fermobile: Callable[..., Any], model: Path, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    options = ("--seconds", 0.1, "--rounds", 2, "--cooldown", 0, "--data", dataset.folder, "-o", out)
    for _ in range(2):
        result = fermobile("bench", "desktop", model, *options)
        assert result.exit_code == 0, result.stderr
    assert "macro-F1" in result.stdout and "m.tflite" in result.stdout
    rows = read_rows(out)
    assert len(rows) == 2 and rows[0].session != rows[1].session
    assert all(len(read_samples(out, row)) == row.latency.n for row in rows)  # type: ignore[arg-type, union-attr]
    told = json.loads(fermobile("bench", "desktop", model, *options[:6], "--json").stdout)
    assert told["model"]["file"] == "m.tflite" and told["quality"] is None


def test_nothing_that_runs_is_an_error(fermobile: Callable[..., Any], model: Path) -> None:
    result = fermobile("bench", "desktop", model, "--delegate", "gpu")
    assert result.exit_code == 1
    assert "no leg ran" in result.stderr


@pytest.mark.parametrize("bad", ["0", "one", ",", "1,-2"])
def test_threads_must_be_numbers(fermobile: Callable[..., Any], model: Path, bad: str) -> None:
    result = fermobile("bench", "desktop", model, "--threads", bad)
    assert result.exit_code == 2
    assert "--threads" in result.stderr
