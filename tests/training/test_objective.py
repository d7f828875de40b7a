from __future__ import annotations

import numpy as np
import pytest

from fermobile.errors import InputError
from fermobile.models.keras import keras, tf
from fermobile.models.network import NetworkSpec, build_network
from fermobile.training.losses import TargetTensors
from fermobile.training.objective import Objective
from fermobile.training.recipe import DistillRecipe, recipe_from_dict

SPEC = NetworkSpec("mobilenet_v1", 0.25, 32, ("neutral", "happiness"), ("AU4", "AU12"), dropout=0.0)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build_network(SPEC, "faces")
    for layer in model.layers:  # statistics as in inference, so that a batch's own do not matter
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return model


@pytest.fixture
def batch() -> tuple[tf.Tensor, TargetTensors]:
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(6, 32, 32, 3)).astype(np.float32))
    emotion = tf.one_hot([0, 1, 0, 1, 0, 1], 2)
    au = tf.constant(rng.integers(0, 2, (6, 2)).astype(np.float32))
    none = tf.zeros((6, 0))
    return images, TargetTensors(emotion, tf.ones(6), au, tf.ones((6, 2)), none, none)


def test_the_parts_are_those_of_the_heads(model: keras.Model, batch: tuple[tf.Tensor, TargetTensors]) -> None:
    images, targets = batch
    parts, signals = Objective(model)(images, targets)
    emotion, au = (scores.numpy() for scores in model(images))
    assert list(parts) == ["emotion", "au"] and signals == ()
    assert float(parts["emotion"]) == pytest.approx(
        -np.log((emotion * targets.emotion.numpy()).sum(axis=1)).mean(), rel=1e-4
    )
    likelihood = np.where(targets.au.numpy() == 1, au, 1 - au)
    assert float(parts["au"]) == pytest.approx(-np.log(likelihood).mean(), rel=1e-4)


def test_consistency_is_weighted_and_leaves_the_heads_parts_as_they_are(
    model: keras.Model, batch: tuple[tf.Tensor, TargetTensors]
) -> None:
    plain, _ = Objective(model)(*batch)
    one, five = (Objective(model, consistency=weight)(*batch)[0] for weight in (1.0, 5.0))
    for name in plain:
        assert float(one[name]) == pytest.approx(float(plain[name]), rel=1e-5)
    assert float(five["consistency"]) == pytest.approx(5 * float(one["consistency"]), rel=1e-5) != 0


def test_consistency_teaches_what_is_seen_and_not_the_head(
    model: keras.Model, batch: tuple[tf.Tensor, TargetTensors]
) -> None:
    """With a gradient to the head, its maps would agree the better, the smaller its weights."""
    objective = Objective(model, consistency=1.0)
    head = [model.get_layer("emotion_logits").kernel, model.get_layer("head_bn").gamma]
    with tf.GradientTape() as tape:
        tape.watch(head)
        loss = objective(*batch)[0]["consistency"]
    assert tape.gradient(loss, head) == [None, None]


def test_mirror_images_of_themselves_are_consistent(model: keras.Model, batch: tuple[tf.Tensor, TargetTensors]) -> None:
    """A face that is its own mirror image has maps that are not mirrored only as far as the kernels are not."""
    images, targets = batch
    symmetric = (images + tf.reverse(images, [2])) / 2
    mirrored, _ = Objective(model, consistency=1.0)(symmetric, targets)
    other, _ = Objective(model, consistency=1.0)(images, targets)
    assert 0 <= float(mirrored["consistency"]) < float(other["consistency"])


def test_teachers_take_their_weight_from_the_labels(model: keras.Model, batch: tuple[tf.Tensor, TargetTensors]) -> None:
    images, targets = batch
    taught = targets._replace(taught_emotion=targets.emotion)
    plain, _ = Objective(model)(images, targets)
    parts, _ = Objective(model, distill=DistillRecipe(("t",), 1.0, 0.25))(images, taught)
    # The teacher says what the labels say: together they cost what the labels alone cost.
    assert float(parts["emotion"]) == pytest.approx(0.75 * float(plain["emotion"]), rel=1e-5)
    assert float(parts["taught emotion"]) == pytest.approx(0.25 * float(plain["emotion"]), rel=1e-5)
    # Nobody teaches the action units, whose labels count whole.
    assert "taught au" not in parts and float(parts["au"]) == pytest.approx(float(plain["au"]), rel=1e-5)


def test_a_recipe_says_what_a_method_needs() -> None:
    for values, message in (
        ({"tasks": ["au"], "self_cure": {"enabled": True}}, "need the task 'emotion'"),
        ({"self_cure": {"relabel_group": "high"}}, "'low' or 'all'"),
        ({"self_cure": {"high_share": 1.0}}, "between 0 and 1"),
        ({"distill": {"temperature": 0.0}}, "temperature 0.0 is not in"),
        ({"self_cure": {"enabled": True}}, "labels.soft = false"),
        ({"consistency": {"weight": 5.0}, "tune": {"epochs": 0}}, "work in stage 2"),
        ({"consistency": {"weight": 5.0}, "network": {"backbone": "awei"}}, "Awei has no class activation maps"),
        ({"loss": {"au": "lsep"}}, "'au' is not among the tasks"),
        ({"tasks": ["emotion", "emotion"]}, "named twice"),
        ({"distill": {"teachers": [1]}}, r"distill.teachers\[0\] must be str"),
        ({"consistency": {"weight": -1.0}}, "cannot be negative"),
    ):
        with pytest.raises(InputError, match=message):
            recipe_from_dict({"name": "r", **values})
