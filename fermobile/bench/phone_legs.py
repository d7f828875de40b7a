"""The legs on a device over adb: three runners, whose files are put on it and whose answers are fetched from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.manifest import Dataset
from ..errors import InputError
from ..files import writing
from ..inference.session import Session
from . import app, native, phone, runner
from .adb import Device, DeviceError
from .desktop import RUNTIMES, Subject, faces_for
from .evaluation_set import EvaluationSet
from .link import LegUnsupported, Link, RunnerLink
from .measure import Station
from .rows import Leg

#: The app first: what users get is measured in an app.
RUNNERS = ("app", "native", "python")
DELEGATES = ("cpu", "gpu", "nnapi")
_RUNTIME = {"app": "org.tensorflow.lite", "native": "benchmark_model"}


@dataclass(frozen=True)
class Bench:
    """A device made ready.

    Attributes:
        device: it.
        runner: one of RUNNERS.
        folder: on the device, for this run.
        local: here, for packed faces.
        binary: benchmark_model here, for the native runner.
    """

    device: Device
    runner: str
    folder: str
    local: Path
    binary: Path | None = None


def phone_stations(
    bench: Bench, subjects: Sequence[Subject], runtimes: Sequence[str], delegates: Sequence[str],
    threads: Sequence[int], dataset: Dataset | None, split: str, samples: int | None,
) -> list[Station]:  # fmt: skip
    """A station per model, runtime, delegate and number of threads; models and faces are put on the device.

    Args:
        runtimes: of the python runner; the others have one.
        samples: faces at most; None takes the whole split.
    Raises:
        InputError: an unknown choice, a run folder, or no binary for the native runner.
        DeviceError: something cannot be put on the device.
    """
    known = RUNTIMES if bench.runner == "python" else (_RUNTIME[bench.runner],)
    chosen = runtimes if bench.runner == "python" else known
    for what, given, choices in (("runtime", chosen, known), ("delegate", delegates, DELEGATES)):
        if unknown := [g for g in given if g not in choices]:
            raise InputError(f"unknown {what} {unknown[0]!r}; choose from: {', '.join(choices)}")
    for subject in subjects:
        if subject.is_run:
            raise InputError(f"{subject.path} is a run; a phone takes its .tflite: fermobile export {subject.path}")
    prepare = {"app": _on_app, "native": _on_native, "python": _on_python}[bench.runner](bench)
    stations: list[Station] = []
    for number, subject in enumerate(subjects):
        subject = replace(subject, path=subject.snapshot(bench.local / f"model{number}"))
        faces, evaluation = faces_for(subject, bench.local / f"faces{number}.u8", dataset, split, samples)
        place = prepare(subject, faces, evaluation)
        for runtime in chosen:
            for delegate in delegates:
                for count in threads:
                    leg = Leg(bench.runner, runtime, delegate, count)
                    stations.append(place(leg, f"{number}-{len(stations)}.out"))
    return stations


_Place = Callable[[Leg, str], Station]


def _station(subject: Subject, leg: Leg, evaluation: EvaluationSet | None, **places: Any) -> Station:
    spec = subject.contract.input
    return Station(subject.model, leg, mean=spec.mean, std=spec.std, evaluation=evaluation, **places)


def _on_python(bench: Bench) -> Callable[[Subject, Path, EvaluationSet | None], _Place]:
    device, python = bench.device, phone.find_python(bench.device)
    script = device.keep(Path(runner.__file__))

    def start(name: str) -> Link:
        if python is None:
            raise LegUnsupported(f"{device.serial} has no Python with numpy, which the python runner needs")
        return RunnerLink(device.argv(python, script), f"{name} on {device.serial}")

    def prepare(subject: Subject, faces: Path, evaluation: EvaluationSet | None) -> _Place:
        model, crops = device.keep(subject.path), device.keep(faces)
        return lambda leg, out: _station(
            subject, leg, evaluation, start=functools.partial(start, str(leg)), model_path=model, faces=crops,
            out=f"{bench.folder}/{out}", fetch=device.fetch,
        )  # fmt: skip

    return prepare


def _on_native(bench: Bench) -> Callable[[Subject, Path, EvaluationSet | None], _Place]:
    device = bench.device
    if bench.binary is None:
        raise InputError("the native runner needs TensorFlow Lite's tool: --benchmark-model PATH, built for the device")
    binary = device.keep(bench.binary, executable=True)

    def prepare(subject: Subject, faces: Path, evaluation: EvaluationSet | None) -> _Place:
        session = Session.open(subject.path)
        inputs = session.runtime.inputs[0]
        tensors = native.Tensors(
            inputs.name, inputs.shape, _pack_inputs(session, faces), [_described(o) for o in subject.outputs]
        )
        model, crops = device.keep(subject.path), device.keep(faces)
        warnings: tuple[str, ...] = (native.WARNING,)
        link = functools.partial(native.NativeLink, device, binary, bench.folder, tensors)
        if evaluation is not None and not link().saves_outputs():
            evaluation = None
            warnings = (*warnings, "this benchmark_model knows no --output_filepath, so there are no predictions")
        return lambda leg, out: replace(
            _station(
                subject, leg, evaluation, start=link, model_path=model, faces=crops, out=f"{bench.folder}/{out}",
                fetch=device.fetch,
            ),
            warnings=warnings,
        )  # fmt: skip

    return prepare


def _pack_inputs(session: Session, faces: Path) -> int:
    """Turn packed crops into packed input tensors, in place; bytes of one tensor."""
    import numpy as np

    size = session.contract.input.size
    crops = np.memmap(faces, np.uint8, "r").reshape(-1, size, size, 3)
    with writing(faces) as temporary, temporary.open("wb") as stream:
        for crop in crops:
            stream.write(session.prepare(crop).tobytes())
    return session.prepare(crops[0]).nbytes


def _described(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.name}


def _on_app(bench: Bench) -> Callable[[Subject, Path, EvaluationSet | None], _Place]:
    device = bench.device

    def start(*kept: str) -> Link:
        for path in kept:
            app.give(device, path)
        return app.AppLink(device)

    def prepare(subject: Subject, faces: Path, evaluation: EvaluationSet | None) -> _Place:
        model, crops = device.keep(subject.path), device.keep(faces)
        return lambda leg, out: _station(
            subject, leg, evaluation, start=functools.partial(start, model, crops), model_path=app.own_path(model),
            faces=app.own_path(crops), out=f"files/bench/{out}", fetch=functools.partial(app.fetch, device),
        )  # fmt: skip

    return prepare


def conditions(device: Device, held: bool) -> dict[str, Any]:
    """What a row remembers of the device: :func:`phone.conditions`, and whether its clock was held."""
    try:
        return {**phone.conditions(device), "fixed_performance": held}
    except DeviceError as error:  # the rows of what was measured are written all the same
        return {"lost": str(error)}


def workers(device: Device) -> int:
    """Interpreters that may share the evaluation on a device."""
    said = device.run("nproc")
    return min(4, int(said.output)) if said.status == 0 and said.output.strip().isdigit() else 1
