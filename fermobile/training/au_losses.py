"""Losses of action units: many labels per face, most of them absent, some of them unknown.

Each takes the raw scores f, logits (B, A); the labels y, 0 or 1 (B, A); and the weight of each cell (B, A), 0 where
it is unlabelled, and gives a scalar.  p is sigmoid(f).  They compute in float32 whatever precision they are given,
and a batch that holds nothing to learn from costs 0 and has no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import InputError
from ..models.keras import tf

#: (logits, target, weight), all (B, A) -> a scalar
AULoss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]

#: Added to soft counts that divide: where all p are nearly 0, a gradient would overflow.
_TINY = 1e-7

#: A score that is never the largest.
_NEVER = -1e9


def bce(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy ``-y log p - (1 - y) log(1 - p)``, the mean over the labelled cells."""
    f, y, w = _floats(logits, target, weight)
    return _mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=f) * w, w)


def weighted_bce(rates: np.ndarray) -> AULoss:
    """Binary cross-entropy times ``w_i = (1/r_i) / Σ_j (1/r_j) · A`` (Shao et al. 2018, JAA-Net, eq. 9 and 10).

    It evens out the action units, not the present against the absent: a rare unit counts as much as a frequent one,
    and scores remain probabilities.

    Args:
        rates: r, float (A,), share of positives among the labelled training cells of each unit.
    Raises:
        InputError: a unit has no positive.
    """
    rates = np.asarray(rates, np.float64)
    if not (rates > 0).all():
        empty = ", ".join(str(i + 1) for i in np.flatnonzero(~(rates > 0)))
        raise InputError(
            f"weighted_bce weighs every action unit by how rare it is, and number {empty} of {len(rates)} never "
            "occurs in the training split; leave such units out, or choose another loss"
        )
    share = 1 / rates
    of_unit = (share / share.sum() * len(rates)).astype(np.float32)

    def loss(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        f, y, w = _floats(logits, target, weight)
        return _mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=f) * w * of_unit, w)

    return loss


def lsep(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Log-sum-exp pairwise ``log(1 + Σ_{v∉Y} Σ_{u∈Y} exp(f_v - f_u))`` (Li et al. 2017, eq. 4), plus :func:`bce`.

    The ranking alone knows differences of scores only: it says nothing about a face without any unit and fixes no
    score at which a unit is present.  Cross-entropy, added with weight 1, gives both.  The double sum is a product
    of two, so it is a softplus of two logsumexps.  The mean is over the rows with a label; weights beyond
    labelled or not count for the cross-entropy only.
    """
    f, y, w = _floats(logits, target, weight)
    known = w > 0
    absent = tf.reduce_logsumexp(tf.where(known & (y < 0.5), f, _NEVER), axis=1)
    present = tf.reduce_logsumexp(tf.where(known & (y >= 0.5), -f, _NEVER), axis=1)
    ranking = tf.nn.softplus(absent + present)
    return _mean(ranking, tf.cast(tf.reduce_any(known, axis=1), tf.float32)) + bce(f, y, w)


def precision_recall(pooled: bool = False) -> AULoss:
    """``L_pr = 1 - P·R`` on soft counts (Arsirii & Petrosiuk 2023): TP = Σ y p, FP = Σ (1 - y) p, FN = Σ y (1 - p).

    P = TP / (TP + FP) and R = TP / (TP + FN), over a batch.  The paper does not say over what they are counted:

    Args:
        pooled: False takes P·R of each action unit and the mean over the units; True of all cells together.

    Where p is near 1 in every row, P·R is the base rate and the gradient, which holds p (1 - p), vanishes: such a unit
    stays present in every face.  It happens (benchmarks/papers); :func:`bce` has no such place.

    A unit without a labelled positive in the batch has no recall: it is left out of the mean.  Pooled, its cells
    count as false positives, since P·R is defined by the others.
    """
    over = None if pooled else 0

    def loss(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        f, y, w = _floats(logits, target, weight)
        p = tf.sigmoid(f)
        hits = tf.reduce_sum(w * y * p, axis=over)
        said = tf.reduce_sum(w * p, axis=over)  # TP + FP
        true = tf.reduce_sum(w * y, axis=over)  # TP + FN
        product = hits / (said + _TINY) * tf.math.divide_no_nan(hits, true)
        defined = tf.cast(true > 0, tf.float32)
        return _mean((1 - product) * defined, defined)

    return loss


def asymmetric(logits: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Asymmetric loss (Ridnik et al. 2021, eq. 4 to 7; γ₊ = 1, γ₋ = 4, m = 0.05), the mean over the labelled cells.

    ``-y (1 - p)^γ₊ log p - (1 - y) q^γ₋ log(1 - q)`` with ``q = max(p - m, 0)``: easy absences count little, and
    those below m not at all.  Its scores are no probabilities.
    """
    f, y, w = _floats(logits, target, weight)
    shifted = tf.nn.relu(tf.sigmoid(f) - 0.05)
    present = tf.sigmoid(-f) * tf.nn.softplus(-f)
    absent = shifted**4 * -tf.math.log(1 - shifted)
    return _mean(w * tf.where(y >= 0.5, present, absent), w)


_LOSSES: Mapping[str, Callable[[np.ndarray, bool], AULoss]] = {
    "bce": lambda rates, pooled: bce,
    "weighted_bce": lambda rates, pooled: weighted_bce(rates),
    "lsep": lambda rates, pooled: lsep,
    "precision_recall": lambda rates, pooled: precision_recall(pooled),
    "asymmetric": lambda rates, pooled: asymmetric,
}

#: Names that :func:`au_loss` knows.
AU_LOSSES = tuple(_LOSSES)


def au_loss(name: str, rates: np.ndarray, pooled: bool = False) -> AULoss:
    """A loss by its name.

    Args:
        name: one of :data:`AU_LOSSES`.
        rates: float (A,), share of positives among the labelled training cells of each unit; for weighted_bce.
        pooled: of precision_recall: count over all units together.
    Raises:
        InputError: the name is unknown, ``pooled`` is asked of another loss, or the rates do not suit it.
    """
    if name not in _LOSSES:
        raise InputError(f"unknown loss of action units {name!r}; choose from: {', '.join(AU_LOSSES)}")
    if pooled and name != "precision_recall":
        raise InputError(f"only precision_recall can be pooled, not {name}")
    return _LOSSES[name](rates, pooled)


def _floats(*tensors: tf.Tensor) -> list[tf.Tensor]:
    return [tf.cast(t, tf.float32) for t in tensors]


def _mean(each: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Sum over how many have a weight; 0 when none has."""
    return tf.math.divide_no_nan(tf.reduce_sum(each), tf.reduce_sum(tf.cast(weight > 0, tf.float32)))
