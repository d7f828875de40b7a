from __future__ import annotations

import os
import subprocess
import sys

_INTERPRETER_THEN_KERAS = """
from pathlib import Path
from fermobile.inference import runtimes
runtimes.open_runtime(Path(runtimes.__file__).with_name("minimal.tflite").read_bytes())
from fermobile.models.keras import tf
tf.zeros(1)
"""


def test_tensorflow_is_quiet_behind_an_interpreter_and_without_a_gpu() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")}
    command = [sys.executable, "-c", _INTERPRETER_THEN_KERAS]
    assert subprocess.run(command, capture_output=True, env=environment, check=True).stderr == b""
