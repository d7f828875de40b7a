from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fermobile.errors import RuntimeFailure
from fermobile.models.keras import tf
from fermobile.models.network import NetworkSpec, build_head
from fermobile.training.loop import Batch, Schedule, Silent, Stage, _WarmupCosine
from fermobile.training.losses import TargetTensors

SPEC = NetworkSpec("mobilenet_v1", 0.25, 32, ("neutral", "happiness"), ())


def batches(epoch: int, step: int) -> Iterator[Batch]:
    rng = np.random.default_rng(epoch)
    for _ in range(step, 4):
        x = rng.normal(size=(8, 6)).astype(np.float32)
        y = np.eye(2, dtype=np.float32)[(x[:, 0] > 0).astype(int)]
        none = tf.zeros((8, 0))
        yield Batch(tf.constant(x), TargetTensors(tf.constant(y), tf.ones(8), none, none, none, none), np.arange(8))


def test_the_rate_warms_up_and_ends_at_zero() -> None:
    rate = _WarmupCosine(Schedule(epochs=10, steps=10, learning_rate=1.0, warmup=1.0))
    values = [float(rate(tf.constant(i))) for i in range(101)]
    assert values[0] == pytest.approx(0.1) and max(values) == pytest.approx(1.0, abs=1e-3)
    assert np.argmax(values) in (9, 10) and values[-1] == pytest.approx(0, abs=1e-6)


def test_the_best_epoch_is_kept_and_patience_stops(tmp_path: Path) -> None:
    model = build_head(6, SPEC)
    scores = iter([0.5, 0.9, 0.8, 0.7, 0.6])
    seen: list[list[np.ndarray]] = []

    def score() -> dict[str, float]:
        seen.append(model.get_weights())
        return {"score": next(scores)}

    Stage("s", tmp_path, model, Schedule(5, 4, 0.01), ema=0.5, patience=2).fit(batches, score, Silent())
    assert len(seen) == 4  # two epochs after the best one
    for kept, best in zip(model.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(kept, best)


@pytest.mark.parametrize("saved", [False, True])
def test_no_epoch_is_lost_or_told_twice_when_killed_around_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    save = tf.train.CheckpointManager.save

    def save_and_die(manager: tf.train.CheckpointManager) -> None:
        if saved:
            save(manager)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tf.train.CheckpointManager, "save", save_and_die)
        Stage("s", tmp_path, build_head(6, SPEC), Schedule(2, 4, 0.01)).fit(batches, lambda: {"score": 0.5}, Silent())
    Stage("s", tmp_path, build_head(6, SPEC), Schedule(2, 4, 0.01)).fit(batches, lambda: {"score": 0.5}, Silent())
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]


def test_a_loss_that_is_not_finite_stops_with_stage_epoch_and_batch(tmp_path: Path) -> None:
    def broken(epoch: int, step: int) -> Iterator[Batch]:
        for i, batch in enumerate(batches(epoch, step)):
            yield batch._replace(images=batch.images * np.nan) if i == 2 else batch

    stage = Stage("s", tmp_path, build_head(6, SPEC), Schedule(2, 4, 0.01))
    with pytest.raises(
        RuntimeFailure,
        match=r"s: the emotion loss is nan, .* in epoch 1, batch 3; .*--force and a learning rate below 0\.01",
    ):
        stage.fit(broken, lambda: {"score": 0.0}, Silent())
