"""Self-Cure Network (Wang et al. 2020): weigh a batch's faces by importance, rank them, relabel the doubtful ones.

A training method for any network with an emotion head.  The importance of a face is a sigmoid of its features,
learned together with the network and left out of what is exported.  Every relabel is in the run's ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.ledger import Ledger
from ..errors import DatasetError
from ..models.keras import keras, tf
from .recipe import SelfCureRecipe
from .targets import Targets


def rank_loss(importance: tf.Tensor, high_share: float, margin: float) -> tf.Tensor:
    """Rank regularisation, equation 4: max(0, δ1 − (mean of the high group − mean of the low group)).

    Args:
        importance: (B,), in 0..1.
        high_share: β, the share of the batch that is its high group.
        margin: δ1.
    Returns:
        A scalar; 0 for a batch that has only one group.
    """
    high = high_count(tf.shape(importance)[0], high_share)
    # Ordered by gathering: the gradient of sorting fails on a batch without a labelled face.
    ordered = tf.gather(importance, tf.argsort(importance, direction="DESCENDING"))
    split = ordered[:high], ordered[high:]
    top, low = (tf.math.divide_no_nan(tf.reduce_sum(part), tf.cast(tf.size(part), tf.float32)) for part in split)
    return tf.where(tf.size(split[1]) > 0, tf.nn.relu(margin - (top - low)), 0.0)


def high_count(count: Any, share: float) -> Any:
    """How many of ``count`` faces are the high group."""
    return tf.cast(tf.math.ceil(share * tf.cast(count, tf.float32)), tf.int32)


class SelfCure:
    """The method's part in a training.

    Args:
        how: its numbers.
        targets: of the training rows; their emotions are changed in place.
        samples: names of these rows, for the ledger.
        emotions: names of the classes.
        ledger: takes every relabel down.
        seed: of the importance layer's first weights.
    """

    def __init__(
        self, how: SelfCureRecipe, targets: Targets, samples: Sequence[str], emotions: Sequence[str], ledger: Ledger,
        seed: int,
    ) -> None:  # fmt: skip
        self._how, self._targets, self._samples, self._ledger = how, targets, samples, ledger
        self._emotions = list(emotions)
        self._given = targets.emotion.copy()
        self._position = {sample: i for i, sample in enumerate(samples)}
        self._importance = keras.layers.Dense(
            1, activation="sigmoid", kernel_initializer=keras.initializers.GlorotUniform(seed), name="importance"
        )

    def build(self, channels: int) -> list[tf.Variable]:
        """Make the importance layer for features (N, channels); returns its variables."""
        self._importance.build((None, channels))
        return list(self._importance.trainable_variables)

    def __call__(
        self, logits: tf.Tensor, features: tf.Tensor, weight: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Logits times importance (equation 2), the rank loss of the labelled rows, and (importance, probabilities)."""
        importance = self._importance(features)
        weighted = importance * logits
        labelled = tf.boolean_mask(importance[:, 0], weight > 0)
        rank = rank_loss(labelled, self._how.high_share, self._how.rank_margin)
        return weighted, rank, (importance[:, 0], tf.nn.softmax(weighted))

    def relabel(
        self, epoch: int, step: int, positions: np.ndarray, importance: np.ndarray, probabilities: np.ndarray
    ) -> None:
        """Give faces the class that is likelier than theirs by more than δ2 (equation 5), from the recipe's epoch on.

        Args:
            epoch, step: of the batch, from 0.
            positions: its rows, (B,).
            importance: (B,); with ``relabel_group = "low"`` the group below β can be relabelled only.
            probabilities: (B, classes).
        """
        if epoch + 1 < self._how.relabel_from:
            return
        known = self._targets.emotion_weight[positions] > 0
        given, best = self._targets.emotion[positions].argmax(axis=1), probabilities.argmax(axis=1)
        each = np.arange(len(positions))
        margin = probabilities[each, best] - probabilities[each, given]
        chosen = known & (margin > self._how.relabel_margin)
        if self._how.relabel_group == "low":
            low = np.zeros(len(positions), bool)
            ranked = np.flatnonzero(known)[np.argsort(-importance[known], kind="stable")]
            low[ranked[int(high_count(len(ranked), self._how.high_share)) :]] = True
            chosen &= low
        kept = self._ledger.undone()
        at = [i for i in np.flatnonzero(chosen) if self._samples[positions[i]] not in kept]
        if not at:
            return
        rows = positions[at]
        self._targets.emotion[rows] = np.eye(len(self._emotions), dtype=np.float32)[best[at]]
        self._ledger.record(
            epoch + 1,
            step + 1,
            [self._samples[row] for row in rows],
            [self._emotions[i] for i in given[at]],
            [self._emotions[i] for i in best[at]],
            margin[at].tolist(),
        )

    def resume(self, epoch: int, step: int) -> None:
        """Take back the relabels from ``step`` of ``epoch`` on (both from 0), and those that were undone.

        Raises:
            DatasetError: the ledger names an emotion that the model does not have.
        """
        self._ledger.rewind(epoch + 1, step + 1)
        self._targets.emotion[:] = self._given
        for sample, emotion in self._ledger.labels().items():
            if emotion not in self._emotions:
                raise DatasetError(
                    f"{self._ledger.path}: {sample} is called {emotion!r}, which is none of {', '.join(self._emotions)}"
                )
            if sample in self._position:
                row = np.zeros(len(self._emotions), np.float32)
                row[self._emotions.index(emotion)] = 1
                self._targets.emotion[self._position[sample]] = row

    def figures(self) -> Mapping[str, Any]:
        """How many faces carry another label than they came with."""
        now, given = self._targets.emotion.argmax(axis=1), self._given.argmax(axis=1)
        return {"relabelled": int((now != given).sum())}
