"""Naming what is wrong with a model file: each usual mistake is tried on the reference until one explains the file.

The reference network is fed the same faces as each mistake would present them: channels swapped, pixels in
another range, another crop margin; or its labels are re-ordered.  Quantization moves scores too, often by more
than a mistake does, but not towards one: a mistake is named where it brings the scores closer to the file's than
no mistake does, face by face, beyond what the draw of the faces explains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..contract import CropSpec, InputSpec, ModelContract
from ..data.images import normalise, resize_square

#: Head -> scores (N, labels).
Scores = Mapping[str, np.ndarray]

#: Faces that a diagnosis looks at.
PROBE = 192

# A mean score distance below this is quantization, not a mistake.
_NOISE = 0.01

# A mistake is believed when it brings the scores closer by so many standard errors of the paired difference (no file
# in order comes near zero: a wrong input is further from it than the right one) and leaves so much of the distance.
_SURE = 4.0
_MARGIN = 0.85

# Two labels are not taken for each other for less than this mean difference of their scores.
_MIX_UP = 0.004

# Red, green and blue of the probes, rolled from face to face: on grey faces, or for a network that learned on grey
# ones, swapped channels hardly show.
_CAST = np.array([1.0, 0.5, 0.1])

#: Ranges that pixels are brought into by mistake: name -> (mean, std) per channel, in pixels.
_RANGES: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "[-1, 1]": ((127.5,) * 3, (127.5,) * 3),
    "[0, 1]": ((0.0,) * 3, (255.0,) * 3),
    "[0, 255]": ((0.0,) * 3, (1.0,) * 3),
    "ImageNet's mean and deviation": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "ImageNet's mean subtracted": ((123.675, 116.28, 103.53), (1.0,) * 3),
}
_ZOOMS = (0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.35)

#: Crops nearer than this are the same crop, measured twice.
_CROP_TOLERANCE = 0.02


@dataclass(frozen=True)
class Fault:
    """One named mistake.

    Attributes:
        kind: "channels", "range", "crop", "labels", "contract" or "unknown".
        text: what was found, for people.
        before, after: score distance to the reference without and with the mistake granted, for "labels" of the
            columns concerned; None where the fault was seen without comparing scores.
    """

    kind: str
    text: str
    before: float | None = None
    after: float | None = None


def contract_faults(file: ModelContract, run: ModelContract) -> list[Fault]:
    """Where a file's contract says something else than the run's: labels, input, crop."""
    faults = []
    for head in run.heads:
        if file.labels(head) != run.labels(head):
            said, should = ", ".join(file.labels(head)), ", ".join(run.labels(head))
            faults.append(Fault("labels", f"the labels of {head} are permuted: the file says {said}; the run {should}"))
    if file.input.size != run.input.size:
        faults.append(Fault("contract", f"the file's input is {file.input.size} px, the run's {run.input.size} px"))
    if (file.input.mean, file.input.std) != (run.input.mean, run.input.std):
        text = f"the file's contract brings pixels into {_range(file.input)}, the run's into {_range(run.input)}"
        faults.append(Fault("range", text))
    if file.crop is None and run.crop is not None:
        faults.append(Fault("crop", "the file's contract has lost the crop geometry that the run's states"))
    faults += crop_faults(file.crop, run.crop, "the run")
    return faults


def crop_faults(file: CropSpec | None, other: CropSpec | None, whose: str) -> list[Fault]:
    """Another crop margin than that of the images the model learned or is measured on."""
    if file is None or other is None:
        return []
    far = max(abs(file.eye_distance / other.eye_distance - 1), abs(file.eye_y - other.eye_y)) > _CROP_TOLERANCE
    text = (
        f"another crop margin: the file's contract puts the eyes {file.eye_distance:.3f} of the side apart at height "
        f"{file.eye_y:.3f}, {whose} {other.eye_distance:.3f} at {other.eye_y:.3f}"
    )
    return [Fault("crop", text)] if far else []


def probe_faces(faces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The faces of a diagnosis, uint8 RGB as they came, under a strong colour cast."""
    return [(face * np.roll(_CAST, i)).astype(np.uint8) for i, face in enumerate(faces)]


def diagnose(
    reference: Callable[[np.ndarray], Scores],
    faces: Sequence[np.ndarray],
    candidate: Scores,
    run: ModelContract,
    file: ModelContract,
) -> Fault | None:
    """The mistake that best explains a file's scores, or None when none does.

    Args:
        reference: the run's network: float32 (N, size, size, 3) -> scores, labels in the run's order.
        faces: uint8 RGB crops, as they were given to the candidate.
        candidate: the file's scores for them, labels in the file's order.
        run, file: the contracts of the two.
    """
    pixels = np.stack([resize_square(face, run.input.size) for face in faces])
    expected = by_name(reference(normalise(pixels, run.input)), run, file)
    fault, relabelled = _label_fault(expected, candidate, file)
    before = _distances(expected, candidate)
    least = _distances(expected, relabelled).mean()
    if before.mean() < _NOISE:
        return fault
    simpler = before
    for kind, text, tensor, double in _mistaken_inputs(pixels, run.input):
        after = _distances(by_name(reference(tensor), run, file), candidate)
        likely = _explains(before, after) and (not double or _fell(simpler, after))
        if after.mean() < least and likely:
            fault, least = Fault(kind, text, float(before.mean()), float(after.mean())), after.mean()
        simpler = after
    return fault


def _explains(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether distances (N,) of the same faces fell by more than chance and by enough."""
    return _fell(before, after) and bool(after.mean() <= _MARGIN * before.mean())


def _fell(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether distances (N,) of the same faces fell by more than chance."""
    gain = before - after
    return bool(gain.mean() > _SURE * gain.std() / np.sqrt(len(gain)))


def by_name(scores: Scores, run: ModelContract, file: ModelContract) -> dict[str, np.ndarray]:
    """The run's scores with the columns in the file's label order."""
    out = {}
    for head in file.heads:
        order = [run.labels(head).index(name) for name in file.labels(head)]
        out[head] = scores[head][:, order]
    return out


def _mistaken_inputs(pixels: np.ndarray, spec: InputSpec) -> list[tuple[str, str, np.ndarray, bool]]:
    """(kind, text, input tensor, double) for each mistake in how pixels become the input.

    A double mistake follows the single one that it holds.
    """
    right = normalise(pixels, spec)
    out = [
        ("channels", "the file reads BGR where the run reads RGB: red and blue are swapped", right[..., ::-1], False)
    ]
    for name, (mean, std) in _RANGES.items():
        if name == _range(spec):
            continue
        text = f"the file reads pixels in another range: {name} where the run reads {_range(spec)}"
        out.append(("range", text, _scaled(pixels, mean, std), False))
        swapped = _scaled(pixels[..., ::-1], mean[::-1], std[::-1])
        out.append(("range", text + ", and BGR for RGB", swapped, True))
    for zoom in _ZOOMS:
        closer = "tighter" if zoom > 1 else "wider"
        text = f"the file sees another crop margin: {closer} than the run's, the eyes about {zoom:g} times as far apart"
        out.append(("crop", text, normalise(np.stack([rescale(p, zoom) for p in pixels]), spec), False))
    return out


def _scaled(pixels: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    return (pixels.astype(np.float32) - np.array(mean, np.float32)) / np.array(std, np.float32)


def rescale(face: np.ndarray, zoom: float) -> np.ndarray:
    """The face enlarged about the centre of its crop; what comes in from outside repeats the border."""
    height, width = face.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, zoom)
    return cv2.warpAffine(face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _label_fault(
    expected: Scores, candidate: Scores, file: ModelContract
) -> tuple[Fault | None, dict[str, np.ndarray]]:
    """Labels that stand for one another, and the candidate's scores with their columns put right."""
    said, relabelled = [], {}
    before = after = 0.0
    for head, scores in candidate.items():
        gaps = np.abs(expected[head][:, :, None].astype(np.float64) - scores[:, None, :])  # (face, is, is called)
        order = best_order(-gaps.mean(axis=0), minimum=_MIX_UP)
        for cycle in _cycles(order):
            right, wrong = gaps[:, cycle, order[cycle]].sum(axis=1), gaps[:, cycle, cycle].sum(axis=1)
            if _explains(wrong, right):
                before, after = before + wrong.mean(), after + right.mean()
            else:
                order[cycle] = cycle
        relabelled[head] = scores[:, order]
        said += _mix_ups(file.labels(head), order)
    text = "the labels are permuted: " + "; ".join(said)
    return (Fault("labels", text, float(before), float(after)) if said else None), relabelled


def _cycles(order: np.ndarray) -> list[np.ndarray]:
    """The positions that a permutation (C,) moves, in groups that change places among themselves."""
    left, found = {int(i) for i in np.flatnonzero(order != np.arange(len(order)))}, []
    while left:
        cycle = [min(left)]
        while (at := int(order[cycle[-1]])) != cycle[0]:
            cycle.append(at)
        left -= set(cycle)
        found.append(np.array(cycle))
    return found


def label_fault_by_truth(file: ModelContract, scores: Scores, truth: Scores) -> Fault | None:
    """Labels so permuted that the dataset's own labels show it.

    Args:
        scores: the file's scores per head, (N, labels).
        truth: 1, 0 or NaN per head, (N, labels).
    """
    said = []
    for head, columns in scores.items():
        labels = truth[head]
        answers = np.eye(columns.shape[1])[columns.argmax(axis=1)] if head == "emotion" else columns
        hits, misses = (np.nan_to_num(labels == value).astype(np.float64) for value in (1, 0))
        enough = (hits.sum(axis=0) >= 10) & (misses.sum(axis=0) >= 10)
        # how much more a column answers where a label is true than where it is not
        affinity = hits.T @ answers / np.maximum(hits.sum(axis=0), 1)[:, None]
        affinity -= misses.T @ answers / np.maximum(misses.sum(axis=0), 1)[:, None]
        affinity[~enough] = 0
        said += _mix_ups(file.labels(head), best_order(affinity, minimum=0.4))
    if not said:
        return None
    return Fault("labels", "the labels look permuted against the dataset's: " + "; ".join(said))


def best_order(affinity: np.ndarray, minimum: float) -> np.ndarray:
    """Which column fits each row, found by swapping two at a time while it gains more than ``minimum``.

    Starting from the order as it is, labels that nothing speaks against stay where they are.

    Args:
        affinity: (C, C), the larger the better row and column fit.
    Returns:
        int64 (C,): the column of each row.
    """
    order = np.arange(len(affinity))
    while True:
        fit = affinity[:, order]  # (row, position)
        gain = fit + fit.T - np.diag(fit)[:, None] - np.diag(fit)[None, :]
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[i, j] <= minimum:
            return order
        order[[i, j]] = order[[j, i]]


def _mix_ups(labels: Sequence[str], order: np.ndarray) -> list[str]:
    return [f"what it calls {labels[at]} is {labels[row]}" for row, at in enumerate(order) if row != at]


def _distances(a: Scores, b: Scores) -> np.ndarray:
    """Of each face, the mean over the heads of how far its scores are apart: half their sum for a softmax, (N,)."""
    parts = []
    for head in a:
        gap = np.abs(a[head].astype(np.float64) - b[head])
        parts.append(gap.sum(axis=1) / 2 if head == "emotion" else gap.mean(axis=1))
    return np.asarray(np.mean(parts, axis=0))


def _range(spec: InputSpec) -> str:
    low, high = ((p - spec.mean) / spec.std for p in (0.0, 255.0))
    return f"[{low:g}, {high:g}]"
