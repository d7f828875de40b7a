"""A parametric FACS face generator: synthetic faces with exact emotion, action-unit, keypoint and subject labels.

::

    head.py / ict.py     the mesh: MediaPipe's 468 points (measured), or ICT-FaceKit's blendshapes
    fields.py            action units as displacements of that mesh
    expressions.py       which units a face shows: EMFACS emotions and free combinations
    repertoire.py        which expressions a dataset shows, how often: emotions, or action units at DISFA's rates
    subjects.py skin.py  a person's shape and colours; the texture, with the folds each unit makes
    scene.py             pose, light, framing, camera
    render.py details.py raster.py    the drawing
    dataset.py sheet.py  many faces as a dataset folder; a contact sheet
"""

from __future__ import annotations

from .dataset import (
    DEFAULT_CROP,
    SyntheticFace,
    render_face,
    render_faces,
    render_photo,
    write_synthetic,
)
from .expressions import PRESENT, UNITS, Expression, emotion_expression, expression, free_expression
from .repertoire import DATASET_UNITS, SAMPLES_PER_SUBJECT
from .sheet import contact_sheet

__all__ = [
    "DATASET_UNITS",
    "DEFAULT_CROP",
    "PRESENT",
    "SAMPLES_PER_SUBJECT",
    "UNITS",
    "Expression",
    "SyntheticFace",
    "contact_sheet",
    "emotion_expression",
    "expression",
    "free_expression",
    "render_face",
    "render_faces",
    "render_photo",
    "write_synthetic",
]
