"""One training loop for every stage: epochs, a cosine schedule, an averaged copy, early stopping, exact resume.

Everything random is derived from the recipe's seed and the position in the run, and everything that changes
is in the checkpoint, so a run that was killed goes on to the numbers it would have reached.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..errors import RuntimeFailure
from ..files import write_text
from ..models.keras import keras, tf
from .losses import TargetTensors
from .objective import Objective

#: Seconds between checkpoints inside an epoch.
_SAVE_EVERY = 180.0


class Reporter(Protocol):
    """Whoever watches the training: the command line, the demo, or nobody."""

    def progress(
        self, label: str, total: int | None, unit: str
    ) -> contextlib.AbstractContextManager[Callable[[int], None]]:
        """A progress bar; the context gives ``advance(n)``."""

    def epoch(self, row: dict[str, Any]) -> None:
        """One line of metrics.jsonl was written."""


class Silent:
    """A reporter that says nothing."""

    @contextlib.contextmanager
    def progress(self, label: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
        yield lambda n: None

    def epoch(self, row: dict[str, Any]) -> None:
        pass


class Batch(NamedTuple):
    """Images or features, their targets, and which of the training rows they are, int64 (B,)."""

    images: tf.Tensor
    targets: TargetTensors
    positions: np.ndarray


#: ``epochs(epoch, step)`` gives an epoch's batches from ``step`` on, the same ones every time
Epochs = Callable[[int, int], Iterable[Batch]]


@dataclass(frozen=True)
class Schedule:
    """``epochs`` of ``steps`` batches: linear warm-up over ``warmup`` epochs to ``learning_rate``, a cosine to 0."""

    epochs: int
    steps: int
    learning_rate: float
    warmup: float = 0.0


class _WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.peak = schedule.learning_rate
        self.warm = max(1.0, schedule.warmup * schedule.steps)
        self.total = max(1.0, float(schedule.epochs * schedule.steps))

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        at = tf.cast(step, tf.float32)
        part = tf.clip_by_value((at - self.warm) / max(1.0, self.total - self.warm), 0.0, 1.0)
        return self.peak * tf.minimum((at + 1) / self.warm, 0.5 * (1 + tf.cos(math.pi * part)))

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warm": self.warm, "total": self.total}


class Stage:
    """One stage of a run: trains ``model`` in place and leaves it with the weights of its best epoch.

    Args:
        name: of the stage; names its checkpoints and its rows in metrics.jsonl.
        folder: the run folder.
        model: outputs probabilities of its heads, as :func:`fermobile.models.network.build_network` gives it.
        schedule: length and learning rate.
        ema: decay of the averaged copy that is validated and kept; 0 trains without one.
        patience: epochs without improvement after which the stage stops.
        objective: what a batch costs; the heads' own losses when none is given.
    """

    def __init__(
        self, name: str, folder: Path, model: keras.Model, schedule: Schedule, ema: float = 0.0, patience: int = 1000,
        objective: Objective | None = None,
    ) -> None:  # fmt: skip
        self.name, self.folder, self.model, self.schedule, self.patience = name, folder, model, schedule, patience
        self._objective = objective or Objective(model)
        self._parts: list[str] = []
        self._variables = [*model.trainable_variables, *self._objective.variables]
        self._optimizer = keras.optimizers.Adam(_WarmupCosine(schedule))
        self._optimizer.build(self._variables)
        self._averaged = [v for v in model.weights if v.dtype.is_floating] if ema else []
        self._shadow = [tf.Variable(v, trainable=False) for v in self._averaged]
        self._decay = ema
        self._state = {
            key: tf.Variable(value, dtype=tf.float64, trainable=False)
            for key, value in (("epoch", 0), ("step", 0), ("loss", 0), ("best", -1), ("waited", 0), ("seconds", 0))
        }
        # Keras keeps the generators of dropout masks out of its checkpoints, and so has no public name for them.
        masks = [m._random_generator._generator for m in model.layers if isinstance(m, keras.layers.Dropout)]
        checkpoint = tf.train.Checkpoint(
            model=model, optimizer=self._optimizer, shadow=self._shadow, state=list(self._state.values()), masks=masks,
            method=list(self._objective.variables),
        )  # fmt: skip
        self._checkpoints = tf.train.CheckpointManager(checkpoint, str(folder / "checkpoints" / name), max_to_keep=1)
        self._best = folder / "checkpoints" / f"{name}.best.weights.h5"
        self._best.parent.mkdir(parents=True, exist_ok=True)
        self._train_step = tf.function(self._step)

    def fit(
        self,
        batches: Epochs,
        score: Callable[[], dict[str, float]],
        report: Reporter,
    ) -> None:
        """Train to the end of the schedule or until validation stops improving; resumes from a checkpoint.

        Args:
            batches: of every epoch.
            score: measures ``model`` on the validation split; must have "score", higher is better.

        Raises:
            RuntimeFailure: the loss is not finite.
        """
        if self._checkpoints.latest_checkpoint:
            self._checkpoints.restore_or_initialize()
        self._objective.resume(int(self._get("epoch")), int(self._get("step")))
        _forget(self.folder / "metrics.jsonl", self.name, int(self._get("epoch")))
        writer = tf.summary.create_file_writer(str(self.folder / "logs" / self.name))
        while self._get("epoch") < self.schedule.epochs and self._get("waited") < self.patience:
            self._epoch(batches, report)
            row = self._validate(score)
            with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            self._checkpoints.save()  # after the row: killed in between, the resumed run writes the row again
            with writer.as_default(step=row["epoch"]):
                for key, value in row.items():
                    if isinstance(value, float):
                        tf.summary.scalar(key, value)
            report.epoch(row)
        writer.close()
        if self._best.exists():
            self.model.load_weights(str(self._best))

    def _epoch(self, batches: Epochs, report: Reporter) -> None:
        epoch, step = int(self._get("epoch")), int(self._get("step"))
        saved = began = time.monotonic()
        label = f"{self.name} {epoch + 1}/{self.schedule.epochs}"
        with report.progress(label, self.schedule.steps, "batches") as advance:
            advance(step)
            for batch in batches(epoch, step):
                values, signals = self._train_step(batch.images, batch.targets)
                loss = self._checked(values.numpy(), epoch, step)
                self._objective.after_step(epoch, step, batch.positions, signals)
                step += 1
                self._state["step"].assign(step)
                self._state["loss"].assign_add(loss)
                advance(1)
                now = time.monotonic()
                if now - saved > _SAVE_EVERY:
                    self._state["seconds"].assign_add(now - began)
                    self._checkpoints.save()
                    saved = began = now
        self._state["seconds"].assign_add(time.monotonic() - began)

    def _checked(self, values: np.ndarray, epoch: int, step: int) -> float:
        """The batch's loss: the sum of its parts, which the size of its gradient follows in ``values``.

        Raises:
            RuntimeFailure: one of them is not finite; what was saved before is still good.
        """
        *parts, gradient = values.tolist()
        named = {
            **{f"{name} loss": value for name, value in zip(self._parts, parts, strict=True)},
            "gradient": gradient,
        }
        broken = [f"the {name} is {value}" for name, value in named.items() if not math.isfinite(value)]
        if broken:
            raise RuntimeFailure(
                f"{self.name}: {', '.join(broken)} in epoch {epoch + 1}, batch {step + 1}; the checkpoint before it is "
                f"kept. Start again with --force and a learning rate below {self.schedule.learning_rate:g} "
                f"({self.name}.learning_rate in the recipe; --learning-rate sets that of tune and quantize)"
            )
        return float(sum(parts))

    def _step(self, images: tf.Tensor, targets: TargetTensors) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """One update; the parts of the loss with the gradient's norm behind them, and the objective's signals."""
        with tf.GradientTape() as tape:
            parts, signals = self._objective(images, targets)
            loss = tf.add_n(list(parts.values()))
        self._parts = list(parts)  # while the graph is traced
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        if self._shadow:
            count = tf.cast(self._optimizer.iterations, tf.float32)
            decay = tf.minimum(self._decay, (1 + count) / (10 + count))
            for mean, value in zip(self._shadow, self._averaged, strict=True):
                mean.assign_add((1 - decay) * (value - mean))  # exactly nothing where a weight is frozen
        return tf.stack([*parts.values(), tf.linalg.global_norm(gradients)]), signals

    def _validate(self, score: Callable[[], dict[str, float]]) -> dict[str, Any]:
        epoch, steps = int(self._get("epoch")), max(1.0, self._get("step"))
        with self._average_in_place():
            measured = score()
            better = measured["score"] > self._get("best")
            if better:
                temporary = self._best.with_name(f"{self.name}.new.weights.h5")
                self.model.save_weights(str(temporary))
                temporary.replace(self._best)
        row = {
            "stage": self.name,
            "epoch": epoch + 1,
            "loss": round(self._get("loss") / steps, 6),
            **{key if key == "score" else f"val_{key}": round(value, 6) for key, value in measured.items()},
            **self._objective.figures(),
            "seconds": round(self._get("seconds"), 1),
        }
        self._state["best"].assign(max(measured["score"], self._get("best")))
        self._state["waited"].assign(0 if better else self._get("waited") + 1)
        for key, value in (("epoch", epoch + 1), ("step", 0), ("loss", 0), ("seconds", 0)):
            self._state[key].assign(value)
        return row

    @contextlib.contextmanager
    def _average_in_place(self) -> Iterator[None]:
        """The model with its averaged weights while the block runs."""
        raw = [v.numpy() for v in self._averaged]
        for variable, mean in zip(self._averaged, self._shadow, strict=True):
            variable.assign(mean)
        yield
        for variable, value in zip(self._averaged, raw, strict=True):
            variable.assign(value)

    def _get(self, key: str) -> float:
        return float(self._state[key].numpy())


def _forget(path: Path, stage: str, epoch: int) -> None:
    """Drop metric rows after the restored epoch, and a row that was cut in the middle."""
    kept = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if row["stage"] != stage or row["epoch"] <= epoch:
                    kept.append(line)
        write_text(path, "".join(line + "\n" for line in kept))
