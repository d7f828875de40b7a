"""One function over many items in worker processes that end with their parent, whichever way it ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

import cv2

from ..errors import RuntimeFailure

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    *,
    chunk: int = 1,
    start: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
) -> Iterator[R]:
    """Yield ``function(item)`` for every item, in order, from several processes with one OpenCV thread each.

    Args:
        function, items, start, args: what can be pickled.
        workers: number of processes.
        chunk: items handed to a process at a time.
        start, args: ``start(*args)`` is called once in every process.
    Raises:
        RuntimeFailure: a process died.
    """
    # Spawned, because forking a process that holds the threads of TensorFlow or mediapipe may hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (start, args))
    try:
        with _interrupts_held_back():
            results = pool.map(function, items, chunksize=chunk)  # starts the processes, which inherit this
        yield from results
    except BrokenProcessPool:
        raise RuntimeFailure(
            "a worker process died, perhaps for want of memory; nothing was written. Try again with fewer workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal: the parent shall have it, after the block, the others never."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(start: Callable[..., None] | None, args: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    if start is not None:
        start(*args)


def _end_with_parent() -> None:
    """A worker waits for work on a pipe that it holds open itself, so a killed parent would leave it for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
