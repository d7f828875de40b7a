"""From MediaPipe's blendshapes and landmarks to action units: each unit has a signal and two cuts.

A face is labelled where the signal is clear; between the cuts a unit stays unlabelled.  The cuts were chosen by two
measurements.  On renders, whose units are known (two meshes, 1,500 faces each), "present" is right in 82 % of the cases
or more, and at most 6 % of the faces that show a unit are called "absent".  On 28,386 real faces (train and val of
FER2013+; a face is found in 93 %) the share called present follows the emotion, and faces of every band were looked at:

======  =========================  ==========  ======================================================================
unit    signal                     AUC         called present, of the real faces
======  =========================  ==========  ======================================================================
AU1     browInnerUp                .80, .84    27 % of surprise, 20 % of fear, 3 % of neutral and of sadness
AU2     browOuterUp                .87, .90    24 % of surprise, 13 % of fear, 2 % of neutral
AU5     eyeWide                    .80, .88    43 % of surprise, 22 % of fear, 4 % of neutral
AU12    mouthSmile                 .99, .98    66 % of happiness, 14 % of anger (bared teeth), 0.5 % of neutral
AU25    lips' gap / mouth's width  .98, .99    74 % of surprise, 49 % of happiness, 10 % of neutral
AU26    jawOpen                    .90, .90    31 % of surprise, 2 % of neutral; a jaw that drops further is AU27
AU27    jawOpen                    .99, .99    15 % of surprise, 7 % of anger, 0.1 % of neutral
AU43    eyeBlink                   1.0, 1.0    13 % of sadness, 2 % of neutral; real eyes that look down reach .55
======  =========================  ==========  ======================================================================

(AUC: of the signal against the label, on the renders of each mesh.)  The blendshapes do not tell the other units:
browDown (AU4) has an AUC of .67 and .63 on renders and is high on 8 % of neutral against 20 % of angry faces;
cheekSquint (AU6) and noseSneer (AU9) are always about 0; mouthFrown (AU15) is hardly higher on sad faces (AUC .61);
mouthStretch (AU20) is right on renders, but high on half of the real smiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .landmarker import Landmarks

#: Points of MediaPipe's face mesh: middle of the inner lips, above and below; the mouth's inner corners.
_UPPER_LIP, _LOWER_LIP, _RIGHT_CORNER, _LEFT_CORNER = 13, 14, 78, 308

#: Signals that are the mean of a blendshape's two sides, and those that have none.
_PAIRS = {"AU2": "browOuterUp", "AU5": "eyeWide", "AU12": "mouthSmile", "AU43": "eyeBlink"}
_SINGLES = {"AU1": "browInnerUp", "AU26": "jawOpen", "AU27": "jawOpen"}


@dataclass(frozen=True)
class Cuts:
    """Where a unit's signal is clear.

    Attributes:
        absent: at or below it the unit is absent.
        present: at or above it the unit is present.
        until: above it the signal shows another unit, and this one stays unlabelled.
    """

    absent: float
    present: float
    until: float = math.inf

    def label(self, signal: float) -> int | None:
        """1, 0, or None where it is not clear."""
        if signal <= self.absent:
            return 0
        return 1 if self.present <= signal <= self.until else None


#: The units that the teacher labels.
CUTS: Mapping[str, Cuts] = MappingProxyType(
    {
        "AU1": Cuts(0.01, 0.8),
        "AU2": Cuts(0.1, 0.8),
        "AU5": Cuts(0.005, 0.1),
        "AU12": Cuts(0.02, 0.5),
        "AU25": Cuts(0.05, 0.2),
        "AU26": Cuts(0.05, 0.25, until=0.5),
        "AU27": Cuts(0.3, 0.6),
        "AU43": Cuts(0.3, 0.6),
    }
)


def signals(face: Landmarks) -> dict[str, float]:
    """How much a face shows each unit of :data:`CUTS`: a blendshape in 0..1, or for AU25 a ratio of lengths."""
    shapes, points = face.blendshapes, np.asarray(face.points, np.float64)
    found = {unit: shapes[name] for unit, name in _SINGLES.items()}
    found |= {unit: (shapes[f"{name}Left"] + shapes[f"{name}Right"]) / 2 for unit, name in _PAIRS.items()}
    found["AU25"] = _length(points, _UPPER_LIP, _LOWER_LIP) / max(_length(points, _RIGHT_CORNER, _LEFT_CORNER), 1e-9)
    return {unit: found[unit] for unit in CUTS}


def action_units(face: Landmarks) -> dict[str, int]:
    """1 or 0 for every unit that the face clearly shows or clearly does not; the others are left out."""
    labels = {unit: CUTS[unit].label(signal) for unit, signal in signals(face).items()}
    return {unit: label for unit, label in labels.items() if label is not None}


def _length(points: np.ndarray, one: int, other: int) -> float:
    return float(np.hypot(*(points[one] - points[other])))
