"""From a photo to what the model says about each face in it: detect, align, infer."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np

from ..errors import ContractError, FaceGeometryError
from ..face.alignment import align_face
from ..face.detector import Face
from .session import Scores, Session


class FaceFinder(Protocol):
    """What the pipeline needs of ``fermobile.face.detector.Detector``."""

    def detect(self, image: np.ndarray) -> list[Face]: ...


@dataclass(frozen=True)
class FaceResult:
    """One face of a photo.

    Attributes:
        face: where it is; None when the whole picture was taken for an aligned face.
        scores: what the model says; None when the face cannot be aligned.
        reason: why it cannot, else "".
    """

    face: Face | None
    scores: Scores | None
    reason: str = ""


@dataclass(frozen=True)
class PhotoResult:
    """The faces of a photo, largest first, and what each stage took, in milliseconds."""

    faces: list[FaceResult]
    milliseconds: dict[str, float]


class Pipeline:
    """Reads photos with one session and one detector; not to be used by two threads at once.

    Args:
        detector: finds the faces; None when every picture is a face that is already cropped as the contract says.
    Raises:
        ContractError: faces are to be found, but the contract does not say how to crop them.
    """

    def __init__(self, session: Session, detector: FaceFinder | None = None) -> None:
        if detector is not None and session.contract.crop is None:
            raise ContractError(
                f"{session.file.path}: the contract does not say how the faces it was trained on were cropped, "
                "so a face in a photo cannot be framed like them; measure the dataset with 'fermobile data measure "
                "--write' before training, or read faces that are cropped like it with --cropped"
            )
        self._session, self._detector = session, detector

    def run(self, image: np.ndarray) -> PhotoResult:
        """Read every face of a uint8 RGB (H, W, 3) photo.

        A face too small to be aligned is kept, without scores.
        """
        crop = self._session.contract.crop
        if self._detector is None or crop is None:
            scores = self._session.run(image)
            return PhotoResult([FaceResult(None, scores)], {"infer": scores.milliseconds})
        start = perf_counter()
        faces = self._detector.detect(image)
        found = perf_counter()
        crops: list[np.ndarray | str] = []
        for face in faces:
            try:
                crops.append(align_face(image, face.keypoints, crop, self._session.contract.input.size))
            except FaceGeometryError as error:
                crops.append(str(error))
        aligned = perf_counter()
        results = [
            FaceResult(face, None, crop) if isinstance(crop, str) else FaceResult(face, self._session.run(crop))
            for face, crop in zip(faces, crops, strict=True)
        ]
        stages = {"detect": found - start, "align": aligned - found, "infer": perf_counter() - aligned}
        return PhotoResult(results, {stage: 1e3 * seconds for stage, seconds in stages.items()})
