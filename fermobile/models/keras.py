"""The one place where TensorFlow and Keras are imported.

tfmot works on legacy Keras only, and importing tfmot changes what ``tf.keras`` is; so the project says
``tf_keras`` and never ``tf.keras``.
"""

from __future__ import annotations

import os

from ..errors import needs_extra
from ..stderr import silenced_stderr

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

with needs_extra("train"), silenced_stderr():
    import tensorflow as tf
    import tf_keras as keras

tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
