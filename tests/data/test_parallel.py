"""Workers give results in order, and never outlive the process that started them."""

from __future__ import annotations

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fermobile.data.parallel import cores, map_in_processes
from fermobile.errors import RuntimeFailure


def test_results_come_in_order_from_other_processes() -> None:
    assert list(map_in_processes(operator.neg, range(20), 2, chunk=3)) == [-i for i in range(20)]
    assert multiprocessing.active_children() == []


def test_a_dead_worker_is_reported() -> None:
    with pytest.raises(RuntimeFailure, match="a worker process died"):
        list(map_in_processes(os._exit, [3], 2))
    assert multiprocessing.active_children() == []


def test_cores_are_those_that_we_may_use() -> None:
    assert cores() == len(os.sched_getaffinity(0))


_SCRIPT = """
import os, sys, time
from fermobile.data.parallel import map_in_processes

def work(item):
    os.write(1, f"{os.getpid()}\\n".encode())  # in one go: both write to one pipe
    time.sleep(0.1)

if __name__ == "__main__":
    for _ in map_in_processes(work, range(1000), 2):
        pass
"""


def _start(tmp_path: Path) -> tuple[subprocess.Popen[str], int]:
    """A process with two workers, and the number of a worker that works."""
    (tmp_path / "script.py").write_text(_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its group gets Ctrl-C, as from a terminal
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_ctrl_c_ends_all_with_one_traceback(tmp_path: Path) -> None:
    process, worker = _start(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert stderr.count("Traceback") == 1, stderr
    assert _is_gone(worker)


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    process, worker = _start(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert _is_gone(worker)
