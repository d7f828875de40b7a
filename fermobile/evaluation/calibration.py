"""How far a model's confidence can be believed, and the one number that mends it."""

from __future__ import annotations

import numpy as np

#: Scores are kept above this before a logarithm: an int8 softmax gives exact zeros.
_FLOOR = 1e-7

#: The temperature is searched for between these.
_TEMPERATURES = (0.05, 20.0)


def expected_calibration_error(scores: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the top label (Guo et al. 2017, eq. 3), bins of equal width ``(low, high]``.

    Args:
        scores: (N, C), probabilities.
        labels: int (N,), class indices; rows with -1 are left out.
    Returns:
        Mean absolute gap between confidence and accuracy, in [0, 1]; 0 when no row is labelled.
    """
    keep = labels >= 0
    if not keep.any():
        return 0.0
    confidence = scores[keep].max(axis=1).astype(np.float64)
    correct = scores[keep].argmax(axis=1) == labels[keep]
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def apply_temperature(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Calibrated probabilities ``p**(1/T)``, renormalised over the last axis: float32, same shape.

    It equals dividing the logits by T, since a softmax keeps them up to a constant.
    """
    if temperature == 1.0:
        return np.asarray(scores, np.float32)
    powers = scores.astype(np.float64) ** (1.0 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the negative log-likelihood (Guo et al. 2017, section 4.2).

    The likelihood is convex in 1/T, so a golden-section search over log T finds the one minimum.

    Args:
        scores: (N, C), probabilities of a held-out split (never the test split).
        labels: int (N,), class indices; rows with -1 are left out.
    Returns:
        T in [0.05, 20]; 1.0 when no row is labelled.
    """
    keep = labels >= 0
    if not keep.any():
        return 1.0
    logs = np.log(np.maximum(scores[keep].astype(np.float64), _FLOOR))
    truth = logs[np.arange(len(logs)), labels[keep]]

    def loss(log_temperature: float) -> float:
        beta = np.exp(-log_temperature)
        top = (logs * beta).max(axis=1)
        partition = top + np.log(np.exp(logs * beta - top[:, None]).sum(axis=1))
        return float((partition - beta * truth).mean())

    low, high = np.log(_TEMPERATURES)
    ratio = (np.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))
