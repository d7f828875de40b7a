"""Speed and memory of fermobile, each beside a plain reference in the same run.

    .venv/bin/python benchmarks/speed.py [--only NAME …] [--model FILE] [--json]

======== ======================================================= ===================================== ========
name     ours                                                    reference                             goal
======== ======================================================= ===================================== ========
help     ``fermobile --help``                                    ``python -c pass``                    <= 4
head     an epoch of stage 1, on cached features                 a Keras epoch with the frozen         <= 1/15
                                                                 backbone in the graph
tune     an epoch of stage 2, with its augmentation              Keras's bare ``fit``, images in       <= 1/0.9
                                                                 memory
         the same with Self-Cure (SCN)                           without                               <= 1.35
         the same with attention consistency (EAC)               without                               <= 2.1
session  ``Session.run`` on one face                             the bare interpreter: set, invoke,    <= 1.05
                                                                 get
predict  ``Pipeline.run`` on a photo                             the detector and the bare model       <= 1.15
bench    the median that ``bench desktop`` reports               the bare interpreter                  <= 1.02
         its evaluation of 1,000 faces by two workers            by one                                <= 1/1.7
import   peak resident memory of importing FER2013's csv         2 GB                                  <= 1
training peak resident memory of training on 28,709 images       2 GB                                  <= 1
======== ======================================================= ===================================== ========

Measurements that are compared are interleaved and the medians are taken, so that a busy machine slows both.
The images are noise: neither time nor memory depends on what they show, and nothing has to be downloaded.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

_COMMAND = Path(sys.executable).with_name("fermobile")
_TWO_GB = 2e9


@dataclass(frozen=True)
class Row:
    """One comparison: ``ours / reference`` must not be above ``limit``."""

    name: str
    ours: float
    reference: float
    unit: str
    limit: float

    @property
    def ratio(self) -> float:
        return self.ours / self.reference

    @property
    def met(self) -> bool:
        return self.ratio <= self.limit


def _interleaved(ours: Callable[[], object], reference: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of both, taken in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, seconds in zip((ours, reference), times, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def help_time(_: argparse.Namespace) -> Iterator[Row]:
    """``--help`` imports the standard library and click, and nothing else."""

    def run(*command: object) -> Callable[[], object]:
        return lambda: subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL, check=True)

    ours, reference = _interleaved(run(_COMMAND, "--help"), run(sys.executable, "-c", "pass"), 15)
    yield Row("fermobile --help", ours * 1e3, reference * 1e3, "ms", 4)


def session_overhead(options: argparse.Namespace) -> Iterator[Row]:
    """What a crop's way into the tensor and the scores' way out of it cost beside the interpreter."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    from fermobile.inference.session import Session

    session = Session.open(options.model)
    interpreter = Interpreter(model_content=session.file.data, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    targets = [d["index"] for d in interpreter.get_output_details()]
    size = session.contract.input.size
    face = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    tensor = session.prepare(face)

    def bare() -> None:
        interpreter.set_tensor(source, tensor)
        interpreter.invoke()
        for index in targets:
            interpreter.get_tensor(index)

    for call in (bare, lambda: session.run(face)):
        for _ in range(20):
            call()
    ours, reference = _interleaved(lambda: session.run(face), bare, 400)
    yield Row("Session.run", ours * 1e3, reference * 1e3, "ms", 1.05)


def predict_overhead(options: argparse.Namespace) -> Iterator[Row]:
    """What alignment, cropping and bookkeeping cost beside finding the face and running the model."""
    import cv2

    from fermobile.face.detector import Detector
    from fermobile.inference.pipeline import Pipeline
    from fermobile.inference.session import Session

    found = importlib.util.find_spec("skimage")
    assert found is not None and found.origin is not None, "needs scikit-image, whose wheel carries a portrait"
    photo = cv2.cvtColor(cv2.imread(str(Path(found.origin).parent / "data/astronaut.png")), cv2.COLOR_BGR2RGB)
    session = Session.open(options.model)
    with Detector() as detector:
        pipeline = Pipeline(session, detector)
        size = session.contract.input.size
        tensor = session.prepare(cv2.resize(photo, (size, size)))

        def bare() -> None:
            detector.detect(photo)
            session.runtime.invoke(tensor)

        for _ in range(10):
            bare()
            pipeline.run(photo)
        ours, reference = _interleaved(lambda: pipeline.run(photo), bare, 100)
    yield Row("predict on a photo", ours * 1e3, reference * 1e3, "ms", 1.15)


def bench_overhead(options: argparse.Namespace) -> Iterator[Row]:
    """What the runner's own loop adds to the median that it reports; and what a second core gives the evaluation."""
    import numpy as np

    from fermobile.bench.runner import Runner
    from fermobile.inference.session import Session

    session = Session.open(options.model)
    spec = session.contract.input
    runner = Runner()
    runner.open(str(options.model), "ai-edge-litert", "cpu", 1, spec.mean, spec.std)
    with tempfile.TemporaryDirectory() as name:
        faces, out = Path(name) / "faces.u8", Path(name) / "out"
        noise = np.random.default_rng(0).integers(0, 256, (1000, spec.size, spec.size, 3)).astype(np.uint8)
        faces.write_bytes(noise.tobytes())
        tensors = [session.prepare(face) for face in noise[:256]]
        rounds: tuple[list[float], list[float]] = ([], [])
        for _ in range(20):
            ours = runner.measure(0.2, 100, str(faces))["ns"]
            reference = []
            for i in range(len(ours)):
                start = time.perf_counter()
                session.runtime.invoke(tensors[i % len(tensors)])
                reference.append(time.perf_counter() - start)
            rounds[0].append(statistics.median(ours) / 1e9)
            rounds[1].append(statistics.median(reference))
        ours_s, reference_s = (statistics.median(r) for r in rounds)
        yield Row("bench's median", ours_s * 1e3, reference_s * 1e3, "ms", 1.02)
        two, one = _interleaved(
            lambda: runner.predict(str(faces), str(out), 2), lambda: runner.predict(str(faces), str(out), 1), 5
        )
        yield Row("bench's evaluation", two, one, "s", 1 / 1.7)


def head_epochs(_: argparse.Namespace) -> Iterator[Row]:
    """Stage 1 of the shipped recipe on 4,096 images, against the same network trained by Keras's own ``fit``."""
    import numpy as np

    from fermobile.data.manifest import Dataset
    from fermobile.labels import EMOTIONS
    from fermobile.models.keras import keras
    from fermobile.models.network import NetworkSpec, build_network
    from fermobile.training.recipe import load_recipe
    from fermobile.training.transfer import train

    count = 4096
    recipe = load_recipe("mobilenet_v1_emotions").override(
        **{"network.weights": "none", "head.epochs": 6, "head.views": 0, "tune.epochs": 0, "patience": 100}
    )
    with tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder) / "data", train=count, val=256)
        watch = _Stopwatch()
        train(recipe, Dataset(Path(folder) / "data"), Path(folder) / "run", report=watch)
    network = recipe.network
    model = build_network(NetworkSpec(network.backbone, network.alpha, network.size, EMOTIONS, ()))
    first_of_head = [layer.name for layer in model.layers].index("head_gap")
    for layer in model.layers[:first_of_head]:
        layer.trainable = False
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).normal(size=(count, network.size, network.size, 3)).astype(np.float32)
    labels = np.arange(count) % len(EMOTIONS)
    batch = recipe.head.batch
    model.fit(images[:batch], labels[:batch], batch_size=batch, verbose=0)  # builds the graph
    start = time.perf_counter()
    model.fit(images, labels, batch_size=batch, verbose=0)
    reference = time.perf_counter() - start
    yield Row("stage-1 epoch", statistics.median(watch.epochs[1:]), reference, "s", 1 / 15)


def tune_epochs(_: argparse.Namespace) -> Iterator[Row]:
    """Stage 2 of the shipped recipe on 1,024 images: plain, with Self-Cure, with attention consistency; Keras's fit."""
    import numpy as np

    from fermobile.data.manifest import Dataset
    from fermobile.labels import EMOTIONS
    from fermobile.models.keras import keras
    from fermobile.models.network import NetworkSpec, build_network
    from fermobile.training.recipe import load_recipe
    from fermobile.training.transfer import train

    count = 1024
    recipe = load_recipe("mobilenet_v1_emotions").override(
        **{
            "network.weights": "none",
            "head.epochs": 0,
            "tune.epochs": 2,
            "patience": 100,
            "labels.soft": False,
            "labels.balance": 0.0,
        }
    )
    methods: dict[str, dict[str, Any]] = {
        "plain": {},
        "SCN": {"self_cure.enabled": True, "self_cure.relabel_from": 1},
        "EAC": {"consistency.weight": 5.0},
    }
    network, batch = recipe.network, recipe.tune.batch
    model = build_network(NetworkSpec(network.backbone, network.alpha, network.size, EMOTIONS, ()))
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).normal(size=(count, network.size, network.size, 3)).astype(np.float32)
    labels = np.arange(count) % len(EMOTIONS)
    model.fit(images[:batch], labels[:batch], batch_size=batch, verbose=0)  # builds the graph
    seconds: dict[str, list[float]] = {name: [] for name in (*methods, "fit")}
    with tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder) / "data", train=count, val=64)
        for turn in range(3):
            for name, changes in methods.items():
                run = train(recipe.override(**changes), Dataset(Path(folder) / "data"), Path(folder) / f"{name}-{turn}")
                seconds[name].append(run.metrics()[-1]["seconds"])  # of the second epoch: the first traces the graph
            start = time.perf_counter()
            model.fit(images, labels, batch_size=batch, verbose=0)
            seconds["fit"].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    yield Row("stage-2 epoch", median["plain"], median["fit"], "s", 1 / 0.9)
    yield Row("stage-2 epoch with SCN", median["SCN"], median["plain"], "s", 1.35)
    yield Row("stage-2 epoch with EAC", median["EAC"], median["plain"], "s", 2.1)


class _Stopwatch:
    """A training reporter that times whole epochs: steps, validation and checkpoint."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self._last = time.perf_counter()

    @contextlib.contextmanager
    def progress(self, label: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
        yield lambda n: None

    def epoch(self, row: dict[str, Any]) -> None:
        now = time.perf_counter()
        self.epochs.append(now - self._last)
        self._last = now


def import_memory(_: argparse.Namespace) -> Iterator[Row]:
    """The whole of FER2013's csv (noise of the same shape) imported."""
    with tempfile.TemporaryDirectory() as name:
        source, data = Path(name) / "fer2013.csv", Path(name) / "data"
        _write_csv(source)
        peak = _peak(_COMMAND, "data", "import", "fer2013", source, "--out", data)
    yield Row("import of FER2013", peak / 1e6, _TWO_GB / 1e6, "MB", 1)


def training_memory(_: argparse.Namespace) -> Iterator[Row]:
    """The shipped recipe on as many images as FER2013 has, an epoch of each stage."""
    with tempfile.TemporaryDirectory() as name:
        data, run = Path(name) / "data", Path(name) / "run"
        _write_noise(data, train=28_709, val=3_589)
        few = ("--weights", "none", "--head-epochs", 1, "--epochs", 1)
        peak = _peak(_COMMAND, "train", "mobilenet_v1_emotions", "--data", data, "--out", run, *few)
    yield Row("training on FER2013", peak / 1e6, _TWO_GB / 1e6, "MB", 1)


def _write_noise(folder: Path, **counts: int) -> None:
    """A dataset folder of 48x48 grey noise with the eight emotions in turn; ``counts`` images per split."""
    import numpy as np

    from fermobile.data.manifest import DatasetInfo, write_dataset
    from fermobile.labels import EMOTIONS

    rng = np.random.default_rng(0)
    with write_dataset(folder, DatasetInfo("noise", EMOTIONS)) as writer:
        for split, count in counts.items():
            for i in range(count):
                image = rng.integers(0, 256, (48, 48)).astype(np.uint8)
                writer.add_array(image, split=split, emotion=EMOTIONS[i % len(EMOTIONS)])


def _write_csv(path: Path) -> None:
    """A file like the official one: 35,887 rows, about 300 MB."""
    import numpy as np

    rng = np.random.default_rng(0)
    with path.open("w") as stream:
        stream.write("emotion,pixels,Usage\n")
        for usage, rows in (("Training", 28_709), ("PublicTest", 3_589), ("PrivateTest", 3_589)):
            for i in range(rows):
                pixels = " ".join(map(str, rng.integers(0, 256, 48 * 48).tolist()))
                stream.write(f"{i % 7},{pixels},{usage}\n")


def _peak(*command: object) -> float:
    """Largest resident set of a command, in bytes."""
    # Linux starts a child's ru_maxrss at what its parent held when it forked: a small interpreter stands in between.
    ran = subprocess.run(
        [sys.executable, "-c", _RUN_AND_PRINT_PEAK, *map(str, command)], stdout=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {ran.returncode}")
    return int(ran.stdout) * (1 if sys.platform == "darwin" else 1024)


_RUN_AND_PRINT_PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


BENCHMARKS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "help": help_time,
    "head": head_epochs,
    "tune": tune_epochs,
    "session": session_overhead,
    "predict": predict_overhead,
    "bench": bench_overhead,
    "import": import_memory,
    "training": training_memory,
}


def main() -> None:
    from fermobile.inference.session import DEFAULT_MODEL

    parser = argparse.ArgumentParser(description="Speed and memory beside plain references, in one run.")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="run only these")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="file for session and predict")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if not options.json:
        print("| | ours | reference | ratio | goal | |\n|---|---|---|---|---|---|", flush=True)
    rows = []
    for name in options.only:
        for row in BENCHMARKS[name](options):
            rows.append(row)
            if not options.json:
                figures = f"{row.ours:.3g} {row.unit} | {row.reference:.3g} {row.unit} | {row.ratio:.3f}"
                verdict = "met" if row.met else "MISSED"
                print(f"| {row.name} | {figures} | {row.limit:.3g} | {verdict} |", flush=True)
    if options.json:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
        print(json.dumps({**machine, "rows": [{**asdict(r), "ratio": r.ratio, "met": r.met} for r in rows]}, indent=2))
    sys.exit(0 if all(row.met for row in rows) else 3)


if __name__ == "__main__":
    main()
