"""Measuring legs beside each other: all are opened, then run in turns of random order, so that what slows the machine
slows them all; each leg ends as a row."""

from __future__ import annotations

import datetime
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import FermobileError
from . import rows
from .evaluation_set import EvaluationSet, quality_of
from .link import LegFailed, LegUnsupported, Link
from .phone import doubts
from .rows import Delegation, Device, Leg, Model, Row, SustainedPoint
from .statistics import judge, summarise

#: Processors that others may use before a latency is doubted.
_BUSY = 0.4

NNAPI_WARNING = "NNAPI is deprecated since Android 15 and absent from LiteRT in Play services"
EMULATED = "emulated processor: the answers count, the milliseconds mean nothing"


@dataclass(frozen=True)
class Plan:
    """How long and how often.

    Attributes:
        seconds: of measuring per leg, over all rounds.
        rounds: turns that a leg gets.
        count: least inferences per leg.
        warmup: seconds before the first turn of each leg, not counted.
        cooldown: seconds of rest before every turn.
        workers: interpreters that share the evaluation.
        sustained: minutes of running without rest after everything else, 0 for none.
        timeout: seconds that one answer may take.
        seed: of the order of the turns.
    """

    seconds: float = 3.0
    rounds: int = 5
    count: int = 200
    warmup: float = 0.5
    cooldown: float = 0.2
    workers: int = 1
    sustained: float = 0.0
    timeout: float = 600.0
    seed: int = 0


@dataclass
class Station:
    """One leg on its way: what is measured, how its runner is started, and where its files lie for that runner.

    Attributes:
        model: the file; ``mean`` and ``std`` normalise its input.
        start: starts the runner.
        faces, model_path, out: paths as the runner sees them.
        fetch: the bytes that the runner left under ``out``.
        evaluation: the faces and their labels; None measures latency alone.
        photo: measures a whole photo's way by stage; None leaves that out.
        warnings: what a reader of the row should know of this leg, whatever comes out.
    """

    model: Model
    leg: Leg
    start: Callable[[], Link]
    model_path: str
    faces: str
    out: str
    fetch: Callable[[str], bytes]
    mean: float
    std: float
    evaluation: EvaluationSet | None = None
    photo: Callable[[], dict[str, float]] | None = None
    warnings: tuple[str, ...] = ()
    link: Link | None = None
    opened: dict[str, Any] = field(default_factory=dict)
    warmup: list[int] = field(default_factory=list)
    turns: list[list[int]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    sustained: list[SustainedPoint] = field(default_factory=list)
    predictions: bytes = b""
    quality: rows.Quality | None = None
    stages: dict[str, float] = field(default_factory=dict)
    status: str = rows.OK
    reason: str = ""


def measure(
    stations: Sequence[Station],
    device: Device,
    plan: Plan,
    conditions: Callable[[], dict[str, Any]] = dict,
    told: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[Row, np.ndarray | None]]:
    """Run every leg and give its row and raw samples (int64 nanoseconds), in the order of ``stations``.

    A leg that cannot run or fails becomes a row that says so; the others go on.

    Args:
        conditions: reads what a row should remember of the device; called before and after.
        told: hears what is being done, for a progress line.
    """
    session, before = rows.new_id(), conditions()
    try:
        for station in stations:
            told(f"opening {station.leg}")
            _guarded(station, lambda s: _open(s, plan))
        _take_turns(stations, plan, told)
        for station in stations:
            told(f"evaluating {station.leg}")
            _guarded(station, lambda s: _evaluate(s, plan))
            if plan.sustained:
                told(f"sustained run of {station.leg}")
                _guarded(station, lambda s: _sustain(s, plan))
        for station in stations:
            _guarded(station, _end)
    finally:
        for station in stations:
            if station.link is not None:
                station.link.kill()
    after = conditions()
    for station in stations:
        yield _row(station, stations, device, session, {"before": before, "after": after})


def _guarded(station: Station, step: Callable[[Station], None]) -> None:
    """One step of one leg; what goes wrong in it is the leg's alone."""
    if station.status != rows.OK:
        return
    try:
        step(station)
    except LegUnsupported as error:
        station.status, station.reason = rows.UNSUPPORTED, str(error)
    except FermobileError as error:
        station.status, station.reason = rows.FAILED, str(error)
    if station.status != rows.OK and station.link is not None:
        station.link.kill()


def _ask(station: Station, timeout: float, do: str, **values: Any) -> dict[str, Any]:
    assert station.link is not None
    return station.link.ask({"do": do, **values}, timeout)


def _open(station: Station, plan: Plan) -> None:
    leg = station.leg
    station.link = station.start()
    station.opened = _ask(
        station, plan.timeout, "open", model=station.model_path, runtime=leg.runtime, delegate=leg.delegate,
        threads=leg.threads, mean=station.mean, std=station.std,
    )  # fmt: skip
    station.states.append(_ask(station, plan.timeout, "state"))


def _take_turns(stations: Sequence[Station], plan: Plan, told: Callable[[str], None]) -> None:
    order = random.Random(plan.seed)
    for number in range(-1, plan.rounds):  # turn -1 warms up
        turn = list(stations)
        order.shuffle(turn)
        for station in turn:
            told(f"round {number + 1} of {plan.rounds}: {station.leg}")
            _guarded(station, lambda s, n=number: _one_turn(s, plan, n))  # type: ignore[misc]


def _one_turn(station: Station, plan: Plan, number: int) -> None:
    time.sleep(plan.cooldown)
    if number < 0:
        station.warmup = _samples(
            _ask(station, plan.timeout, "measure", seconds=plan.warmup, count=3, faces=station.faces)
        )
        return
    seconds, count = plan.seconds / plan.rounds, -(-plan.count // plan.rounds)
    asked = _ask(station, plan.timeout, "measure", seconds=seconds, count=count, faces=station.faces)
    station.turns.append(_samples(asked))


def _samples(reply: dict[str, Any]) -> list[int]:
    found = reply.get("ns")
    if not isinstance(found, list) or not found or not all(isinstance(v, int) and v > 0 for v in found):
        raise LegFailed(f"the runner gave no latencies: {str(reply)[:80]}")
    return found


def _evaluate(station: Station, plan: Plan) -> None:
    if station.photo is not None:
        station.stages = station.photo()
    if station.evaluation is None:
        return
    asked = _ask(station, plan.timeout, "predict", faces=station.faces, out=station.out, workers=plan.workers)
    station.predictions = station.fetch(station.out)
    station.quality = quality_of(station.evaluation, station.predictions, station.opened["outputs"], asked["seconds"])


def _sustain(station: Station, plan: Plan) -> None:
    """Steps of ten seconds (a twelfth of the whole where that is shorter), without a rest."""
    step = min(10.0, plan.sustained * 60 / 12)
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < plan.sustained * 60:
        found = _samples(_ask(station, plan.timeout, "measure", seconds=step, count=1, faces=station.faces))
        state = _ask(station, plan.timeout, "state")
        p50, p90 = np.percentile(np.array(found) / 1e6, [50, 90])
        point = SustainedPoint(
            round(elapsed / 60, 3), round(p50, 4), round(p90, 4), len(found), state.get("temperature")
        )
        station.sustained.append(point)


def _end(station: Station) -> None:
    station.states.append(_ask(station, 60.0, "state"))
    assert station.link is not None
    station.link.close()


def _row(
    station: Station, stations: Sequence[Station], device: Device, session: str, conditions: dict[str, Any]
) -> tuple[Row, np.ndarray | None]:
    leg, opened = station.leg, station.opened
    warnings = [*station.warnings]
    warnings += [NNAPI_WARNING] if leg.delegate == "nnapi" else []
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    values: dict[str, Any] = {
        "status": station.status, "reason": station.reason, "quality": station.quality,
        "stages_ms": station.stages,
        "sustained": tuple(station.sustained),
        "versions": {"fermobile": __version__, **{k: opened[k] for k in ("version", "python") if k in opened}},
    }  # fmt: skip
    samples = None
    if station.turns:
        latency, samples = summarise(station.turns, opened["init_ms"], opened["first_ms"], station.warmup)
        faults = ["the leg did not end well"] if station.status != rows.OK else []
        faults += [EMULATED] if device.emulated else []
        validity, reasons = judge(latency, samples, _doubts(station, conditions), faults)
        values |= {"latency": latency, "validity": validity, "validity_reasons": reasons}
    if opened:
        same = _same_as_cpu(station, stations)
        if same:
            warnings.append(f"every output equals the CPU's: the {leg.delegate} delegate did not do the work")
        values["delegation"] = Delegation(
            opened["actual"], opened.get("nodes"), opened.get("nodes_delegated"), opened.get("partitions"), same
        )
    if station.states:
        values["peak_mb"] = station.states[-1].get("peak_mb")
        conditions = {**conditions, "leg": station.states}
    row = Row(
        rows.new_id(),
        session,
        now,
        station.model,
        device,
        leg,
        conditions=conditions,
        warnings=tuple(warnings),
        **values,
    )
    return row, samples


def _doubts(station: Station, conditions: dict[str, Any]) -> list[str]:
    """What the machine's conditions before and after say against a latency."""
    found = [*doubts(conditions["before"]), *doubts(conditions["after"])]
    # The first state is read while no leg works: what load there is, is not ours.
    load = station.states[0].get("load") if station.states else None
    if load is not None and load > _BUSY:
        found.append(f"other work was using {load:.2g} processors")
    return list(dict.fromkeys(found))


def _same_as_cpu(station: Station, stations: Sequence[Station]) -> bool | None:
    """Whether the leg's answers are bit by bit the CPU's of the same runtime; None for a CPU leg or without answers."""
    leg = station.leg
    if leg.delegate == "cpu" or not station.predictions:
        return None
    for other in stations:
        same_file = other.model.sha256 == station.model.sha256 and other.leg.runtime == leg.runtime
        if same_file and other.leg.delegate == "cpu" and other.predictions:
            return hashlib.sha256(other.predictions).digest() == hashlib.sha256(station.predictions).digest()
    return None


def described(path: Path, data: bytes, name: str, kind: str, input_size: int) -> Model:
    """The model part of a row."""
    return Model(path.name, hashlib.sha256(data).hexdigest(), len(data), name, kind, input_size)
