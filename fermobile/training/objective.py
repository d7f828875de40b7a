"""What a batch costs: the heads' losses, and what a recipe's training method adds to them.

A method may train variables of its own beside the network's; they are in the checkpoints and not in the exported
network, which stays the same whatever it was trained by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..models.keras import keras, tf
from ..models.network import heads
from .au_losses import AULoss, au_loss
from .consistency import activation_maps, consistency_loss
from .losses import TargetTensors, emotion_loss, taught_au_loss, taught_emotion_loss
from .recipe import DistillRecipe
from .self_cure import SelfCure

#: The action units' loss where nobody asks for another.
_PLAIN = au_loss("bce", np.ones(0))


class Objective:
    """Sum of named parts, each a scalar.

    Args:
        model: the network, see :func:`fermobile.models.network.build_network`.
        au: loss of the action units.
        distill: how much teachers count, where the targets hold their answers.
        self_cure: Self-Cure Network's part, which also relabels.
        consistency: weight λ of the attention consistency of a face and its mirror image; 0 for none.
    """

    def __init__(
        self,
        model: keras.Model,
        au: AULoss = _PLAIN,
        distill: DistillRecipe | None = None,
        self_cure: SelfCure | None = None,
        consistency: float = 0.0,
    ) -> None:
        self._au, self._distill, self._self_cure, self._consistency = au, distill, self_cure, consistency
        self._heads = heads(model)
        layers = {layer.name.removeprefix("quant_"): layer for layer in model.layers}
        inner = {head: layers[f"{head}_logits"].output for head in self._heads}
        self.variables: Sequence[tf.Variable] = ()
        if self_cure:
            inner["features"] = layers["emotion_logits"].input
            self.variables = self_cure.build(inner["features"].shape[-1])
        self._maps: Callable[[tf.Tensor], tf.Tensor] | None = None
        if consistency:
            inner["map"] = layers["head_gap"].input
            self._maps = activation_maps(layers["head_bn"], layers["emotion_logits"])
        self._inner = keras.Model(model.input, inner)

    def __call__(self, images: tf.Tensor, targets: TargetTensors) -> tuple[dict[str, tf.Tensor], tuple[tf.Tensor, ...]]:
        """The parts of the loss of a batch, and what :meth:`after_step` wants to see of it."""
        count = tf.shape(images)[0]
        if self._maps:
            images = tf.concat([images, tf.reverse(images, axis=[2])], axis=0)
        inner = self._inner(images, training=True)
        said = {head: inner[head][:count] for head in self._heads}
        exported = dict(said)  # teachers teach what is exported, without importance
        parts: dict[str, tf.Tensor] = {}
        signals: tuple[tf.Tensor, ...] = ()
        if self._self_cure:
            said["emotion"], parts["rank"], signals = self._self_cure(
                said["emotion"], inner["features"][:count], targets.emotion_weight
            )
        if "emotion" in said:
            parts["emotion"] = emotion_loss(said["emotion"], targets.emotion, targets.emotion_weight)
        if "au" in said:
            parts["au"] = self._au(said["au"], targets.au, targets.au_weight)
        if self._distill:
            parts = self._taught(parts, exported, targets, self._distill)
        if self._maps:
            parts["consistency"] = self._consistency * consistency_loss(self._maps(inner["map"]))
        return parts, signals

    def after_step(self, epoch: int, step: int, positions: np.ndarray, signals: Sequence[tf.Tensor]) -> None:
        """Do what a method does between batches; ``positions`` say which rows of the targets the batch held."""
        if self._self_cure:
            self._self_cure.relabel(epoch, step, positions, *(s.numpy() for s in signals))

    def resume(self, epoch: int, step: int) -> None:
        """Undo what was done from ``step`` of ``epoch`` on, where the training goes on."""
        if self._self_cure:
            self._self_cure.resume(epoch, step)

    def figures(self) -> Mapping[str, Any]:
        """What a method adds to an epoch's row in metrics.jsonl."""
        return self._self_cure.figures() if self._self_cure else {}

    @staticmethod
    def _taught(
        parts: dict[str, tf.Tensor], said: Mapping[str, tf.Tensor], targets: TargetTensors, how: DistillRecipe
    ) -> dict[str, tf.Tensor]:
        """The labels' part of every taught head weighted down, and the teachers' beside it."""
        taught = {"emotion": (taught_emotion_loss, targets.taught_emotion), "au": (taught_au_loss, targets.taught_au)}
        parts = dict(parts)
        for head, logits in said.items():
            loss, answers = taught[head]
            if answers.shape[1]:
                parts[head] = (1 - how.weight) * parts[head]
                parts[f"taught {head}"] = how.weight * loss(logits, answers, how.temperature)
        return parts
