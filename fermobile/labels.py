"""The names of emotions and action units, and how they relate.

Names are canonical everywhere in fermobile.  An integer label order is a property of a file format and
lives in that format's reader; a model's order lives in its contract.
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import InputError

#: The eight emotions of FER+, in the order in which they are listed to people.
EMOTIONS: tuple[str, ...] = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
)  # fmt: skip

#: FACS action units (Ekman & Friesen 1978) that fermobile knows, with their FACS names.
ACTION_UNITS: Mapping[str, str] = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU5": "upper lid raiser",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU9": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU16": "lower lip depressor",
    "AU17": "chin raiser",
    "AU18": "lip pucker",
    "AU20": "lip stretcher",
    "AU22": "lip funneler",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU27": "mouth stretch",
    "AU43": "eyes closed",
}

#: Prototype action units of each emotion (EMFACS; Friesen & Ekman 1983).
EMFACS: Mapping[str, tuple[str, ...]] = {
    "neutral": (),
    "happiness": ("AU6", "AU12"),
    "surprise": ("AU1", "AU2", "AU5", "AU26"),
    "sadness": ("AU1", "AU4", "AU15"),
    "anger": ("AU4", "AU5", "AU7", "AU23"),
    "disgust": ("AU9", "AU15", "AU17"),
    "fear": ("AU1", "AU2", "AU4", "AU5", "AU7", "AU20", "AU26"),
    "contempt": ("AU12", "AU14"),  # on one side of the face only
}

_ALIASES = {
    "neutral": "neutral", "ne": "neutral", "neutrality": "neutral",
    "happiness": "happiness", "happy": "happiness", "ha": "happiness", "joy": "happiness",
    "surprise": "surprise", "surprised": "surprise", "su": "surprise",
    "sadness": "sadness", "sad": "sadness", "sa": "sadness",
    "anger": "anger", "angry": "anger", "an": "anger",
    "disgust": "disgust", "disgusted": "disgust", "di": "disgust",
    "fear": "fear", "fearful": "fear", "afraid": "fear", "fe": "fear", "af": "fear",
    "contempt": "contempt", "contemptuous": "contempt", "co": "contempt",
}  # fmt: skip


def emotion_name(text: str) -> str:
    """Return the canonical emotion for a name as public datasets spell it ("Happy", "sad", "AN").

    Raises:
        InputError: the name is unknown; the message lists the known ones.
    """
    try:
        return _ALIASES[text.strip().lower()]
    except KeyError:
        raise InputError(f"unknown emotion {text!r}; known: {', '.join(EMOTIONS)}") from None
