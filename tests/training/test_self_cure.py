from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fermobile.data.ledger import Ledger
from fermobile.data.manifest import Dataset
from fermobile.errors import DatasetError
from fermobile.models.keras import tf
from fermobile.training.recipe import SelfCureRecipe, recipe_from_dict
from fermobile.training.runs import Run
from fermobile.training.self_cure import SelfCure, rank_loss
from fermobile.training.targets import Targets
from fermobile.training.transfer import train

from .test_transfer import DYING, TRAIN, assert_same, killed

EMOTIONS = ("neutral", "happiness", "surprise")
HOW = SelfCureRecipe(enabled=True, relabel_from=2, relabel_margin=0.2, high_share=0.5)

RECIPE = recipe_from_dict(
    {
        "name": "cured",
        "network": {"alpha": 0.25, "size": 32, "weights": "none"},
        "head": {"epochs": 0},
        "tune": {"epochs": 4, "batch": 16, "learning_rate": 0.003},
        "self_cure": {"enabled": True, "relabel_from": 2, "relabel_margin": 0.0, "relabel_group": "all"},
        "labels": {"soft": False},
        "augment": {"flip": False},
        "ema": 0.9,
    }
)


def test_the_rank_loss_is_what_is_missing_to_the_margin() -> None:
    # β = 0.7 of ten: the upper seven have mean 0.7, the lower three 0.2, so 0.5 apart.
    importance = tf.constant([0.2, 0.7, 0.7, 0.1, 0.7, 0.7, 0.3, 0.7, 0.7, 0.7])
    assert float(rank_loss(importance, 0.7, 0.6)) == pytest.approx(0.1, abs=1e-6)
    assert float(rank_loss(importance, 0.7, 0.4)) == 0


def test_the_rank_loss_pushes_the_groups_apart() -> None:
    importance = tf.Variable([0.5, 0.6, 0.4])
    with tf.GradientTape() as tape:
        loss = rank_loss(importance, 0.6, 0.9)
    gradient = tf.convert_to_tensor(tape.gradient(loss, importance)).numpy()
    assert gradient[2] > 0 and (gradient[:2] < 0).all()  # descent lowers the last and raises the others


@pytest.mark.parametrize("count", [0, 1])
def test_a_batch_of_one_group_has_no_rank(count: int) -> None:
    importance = tf.Variable(tf.fill([count], 0.5))
    with tf.GradientTape() as tape:
        loss = rank_loss(importance, 0.7, 0.15)
    assert float(loss) == 0
    assert np.isfinite(tf.convert_to_tensor(tape.gradient(loss, importance))).all()


def cure(folder: Path, how: SelfCureRecipe = HOW) -> tuple[SelfCure, Targets, Ledger]:
    """Four faces, all called neutral but the last, which nobody labelled."""
    emotion = np.zeros((4, 3), np.float32)
    emotion[:3, 0] = 1
    empty = np.zeros((4, 0), np.float32)
    targets = Targets(emotion, np.array([1, 1, 1, 0], np.float32), empty, empty, empty, empty)
    ledger = Ledger(folder / "relabels.csv")
    return SelfCure(how, targets, ["a", "b", "c", "d"], EMOTIONS, ledger, seed=0), targets, ledger


#: "a" is neutral; "b" is surely surprise, "c" a little rather happy; "d" is unlabelled
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.4, 0.5, 0.1], [0.0, 1.0, 0.0]], np.float32)
IMPORTANCE = np.array([0.9, 0.1, 0.5, 0.0], np.float32)


def test_a_face_is_relabelled_when_another_class_is_likelier_by_the_margin(tmp_path: Path) -> None:
    method, targets, ledger = cure(tmp_path)
    method.relabel(0, 0, np.arange(4), IMPORTANCE, PROBABILITIES)
    assert not ledger.changes()  # the first epoch does not relabel
    method.relabel(1, 5, np.arange(4), IMPORTANCE, PROBABILITIES)
    (change,) = ledger.changes()
    assert (change.sample, change.epoch, change.step, change.before, change.after) == ("b", 2, 6, "neutral", "surprise")
    assert change.margin == pytest.approx(0.7)
    assert targets.emotion.argmax(axis=1).tolist() == [0, 2, 0, 0]
    assert method.figures() == {"relabelled": 1}


def test_the_paper_relabels_the_unimportant_group_only(tmp_path: Path) -> None:
    # two of the three labelled faces are important: a and, now, b
    important = np.array([0.9, 0.8, 0.5, 1.0], np.float32)
    for group, expected in (("low", []), ("all", ["b"])):
        method, _, ledger = cure(tmp_path / group, SelfCureRecipe(True, 0.5, 0.07, 0.2, 1, group))
        method.relabel(0, 0, np.arange(4), important, PROBABILITIES)
        assert [change.sample for change in ledger.changes()] == expected


def test_resuming_replays_the_ledger_up_to_there_without_what_was_undone(tmp_path: Path) -> None:
    method, _, ledger = cure(tmp_path, SelfCureRecipe(True, 0.5, 0.07, 0.05, 1, "all"))
    method.relabel(0, 0, np.array([1]), IMPORTANCE[[1]], PROBABILITIES[[1]])
    method.relabel(0, 1, np.array([2]), IMPORTANCE[[2]], PROBABILITIES[[2]])
    again, targets, _ = cure(tmp_path)
    again.resume(0, 1)
    assert targets.emotion.argmax(axis=1).tolist() == [0, 2, 0, 0]  # "c" was relabelled at step 1, which comes again
    ledger = Ledger(tmp_path / "relabels.csv")
    ledger.undo(["b"])
    later, targets, ledger = cure(tmp_path)
    later.resume(3, 0)
    assert targets.emotion.argmax(axis=1).tolist() == [0, 0, 0, 0]
    later.relabel(3, 0, np.arange(4), IMPORTANCE, PROBABILITIES)
    assert "b" not in ledger.labels()


def test_it_trains_and_the_exported_network_is_that_of_any_run(patterns: Dataset, tmp_path: Path) -> None:
    run = train(RECIPE, patterns, tmp_path / "run")
    plain = train(RECIPE.override(**{"self_cure.enabled": False}), patterns, tmp_path / "plain")
    changes = Ledger(run.folder / "relabels.csv").changes()
    assert changes and {change.sample for change in changes} <= set(patterns.paths)
    assert min(change.epoch for change in changes) == 2
    first = {change.sample: change.before for change in reversed(changes)}
    now = Ledger(run.folder / "relabels.csv").labels()
    assert run.metrics()[-1]["relabelled"] == sum(now[sample] != before for sample, before in first.items())
    names = [[layer.name for layer in r.load_model().layers] for r in (run, plain)]
    assert names[0] == names[1]


def test_a_face_that_is_back_at_its_first_label_is_not_relabelled(tmp_path: Path) -> None:
    method, _, ledger = cure(tmp_path)
    method.relabel(1, 0, np.arange(4), IMPORTANCE, PROBABILITIES)
    back = PROBABILITIES.copy()
    back[1] = [0.9, 0.05, 0.05]
    method.relabel(2, 0, np.arange(4), IMPORTANCE, back)
    assert len(ledger.changes()) == 2 and method.figures() == {"relabelled": 0}


def test_a_ledger_of_another_model_is_refused(tmp_path: Path) -> None:
    method, _, ledger = cure(tmp_path)
    ledger.record(1, 1, ["b"], ["neutral"], ["contempt"], [0.5])
    with pytest.raises(DatasetError, match="b is called 'contempt', which is none of neutral, happiness, surprise"):
        method.resume(3, 0)


def test_a_killed_training_with_a_teacher_resumes_to_the_same_numbers(patterns: Dataset, tmp_path: Path) -> None:
    teacher = train(RECIPE.override(**{"self_cure.enabled": False, "tune.epochs": 1}), patterns, tmp_path / "teacher")
    recipe = RECIPE.override(**{"distill.teachers": [str(teacher.folder)], "consistency.weight": 1.0})
    whole = train(recipe, patterns, tmp_path / "whole")
    killed(DYING + TRAIN, "tune", patterns, tmp_path / "killed", json.dumps(recipe.to_dict()))
    assert_same(train(recipe, patterns, tmp_path / "killed", resume=True), whole)
    ledgers = [(tmp_path / name / "relabels.csv").read_text() for name in ("whole", "killed")]
    assert ledgers[0] == ledgers[1]


def test_the_ledger_tells_the_label_before(patterns: Dataset, tmp_path: Path) -> None:
    run: Run = train(RECIPE, patterns, tmp_path / "run")
    given = dict(zip(patterns.paths, patterns.emotion, strict=True))
    first = {change.sample: change.before for change in reversed(Ledger(run.folder / "relabels.csv").changes())}
    assert first == {sample: given[sample] for sample in first}
