"""What ``predict --json`` prints about a picture, as plain values; docs/json.md explains the keys."""

from __future__ import annotations

from typing import Any

from ..contract import ModelContract
from .pipeline import FaceResult, PhotoResult
from .sources import Picture


def photo_record(name: str, picture: Picture, result: PhotoResult, contract: ModelContract) -> dict[str, Any]:
    """One picture: name, frame (videos only), size, faces, milliseconds per stage."""
    height, width = picture.image.shape[:2]
    record: dict[str, Any] = {"image": name}
    if picture.frame is not None:
        record["frame"] = picture.frame
    faces = [_face_record(face, width, height, contract) for face in result.faces]
    milliseconds = {"decode": picture.milliseconds, **result.milliseconds}
    return record | {
        "width": width,
        "height": height,
        "faces": faces,
        "milliseconds": {stage: round(ms, 3) for stage, ms in milliseconds.items()},
    }


def _face_record(result: FaceResult, width: int, height: int, contract: ModelContract) -> dict[str, Any]:
    face, scores = result.face, result.scores
    record: dict[str, Any] = {
        "box": [0.0, 0.0, float(width), float(height)] if face is None else [round(v, 2) for v in face.box],
        "score": None if face is None else round(face.score, 4),
        "keypoints": None if face is None else [[round(float(v), 2) for v in point] for point in face.keypoints],
    }
    if scores is None:
        return record | {"error": result.reason}
    if scores.emotion is not None:
        record["emotion"] = contract.emotions[int(scores.emotion.argmax())]
        record["scores"] = {n: round(float(s), 6) for n, s in zip(contract.emotions, scores.emotion, strict=True)}
    if scores.au is not None:
        record["aus"] = {
            name: {"score": round(float(score), 6), "present": bool(score >= contract.threshold(name))}
            for name, score in zip(contract.action_units, scores.au, strict=True)
        }
    return record
