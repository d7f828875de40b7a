"""Bosphorus (Savran et al. 2008): posed action units and emotions of 105 people, one scan and image each.

An image's name says whose face it is, the group, what was posed, and the number of the take:
``bs000/bs000_LFAU_12LW_0.png``.  Groups LFAU, UFAU and CAU (lower face, upper face, combinations) pose action units,
which a side (L, R) and W (weak) may follow; combinations are like ``22A25`` or ``A26A12LW``.

The name tells what was posed, not all that moved (a posed AU12 brings AU6 and AU25): the other action units of such
an image are unlabelled.  Where nobody posed anything, in the neutral images, all are absent.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import InputError
from ...labels import emotion_name
from .base import Drop, Face, Reject
from .facs import in_order, unit_name
from .named_images import NamedImages
from .walk import name_in

_NAME = re.compile(r"(bs\d{3})_([A-Z]+)_(.+)_(\d+)")
_COMBINATION = re.compile(r"[A+]?(\d{1,2})[LR]?W?(?=[A+]|$)")
_POSED = ("LFAU", "UFAU", "CAU")
_DROPPED = {
    "YR": "head turned sideways", "PR": "head turned up or down", "CR": "head turned both ways",
    "O": "face partly covered", "IGN": "left out by the set's makers",
}  # fmt: skip
#: The action units that the set's takes pose and fermobile knows.
_UNITS = (1, 2, 4, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 43)


class Bosphorus(NamedImages):
    """Reader of ``bs000/bs000_LFAU_12_0.png`` and so on; the scans beside the images are not read."""

    name = "bosphorus"
    licence = "Bosphorus 3D face database: non-commercial research only, by agreement (Boğaziçi University)"
    citation = "Savran et al. 2008, Bosphorus database for 3D face analysis (BioID)"
    action_units = in_order(f"AU{number}" for number in _UNITS)

    def _item(self, file: Path) -> Face | Reject | Drop:
        where, named = name_in(self._root, file), _NAME.fullmatch(file.stem)
        if named is None:
            return Reject(where, "the name is not like bs000_LFAU_12_0: person, group, what is posed, take")
        subject, group, pose, _ = named.groups()
        if file.parent.name.startswith("bs") and file.parent.name != subject:
            return Reject(where, f"the name says {subject}, the folder {file.parent.name}: whose face is it?")
        if group in _DROPPED:
            return Drop(_DROPPED[group])
        if group in _POSED:
            return self._posed(where, file, subject, pose)
        if group == "N":
            neutral = dict.fromkeys(self.action_units, 0)
            return Face(where, file, stratum="neutral", subject=subject, emotion="neutral", aus=neutral)
        if group == "E":
            try:
                emotion = emotion_name(pose)
            except InputError as error:
                return Reject(where, str(error))
            return Face(where, file, stratum=emotion, subject=subject, emotion=emotion)
        return Reject(where, f"unknown group {group!r}; known: N, E, {', '.join((*_POSED, *_DROPPED))}")

    def _posed(self, where: str, file: Path, subject: str, pose: str) -> Face | Reject | Drop:
        numbers = _COMBINATION.findall(pose)
        if not numbers or _COMBINATION.sub("", pose):
            return Reject(where, f"{pose!r} is no action unit or combination of some")
        units = [name for number in numbers if (name := unit_name(number)) in self.action_units]
        if not units:
            return Drop(f"poses only action units that fermobile does not know ({pose})")
        return Face(where, file, subject=subject, aus=dict.fromkeys(units, 1))
