"""Doing the same to many things, several at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 8
"""Enough to keep a disk or an object store busy while some of them wait."""

# how many are begun before the first result is taken
_AHEAD = 4


def in_parallel(
    work: Callable[[T], R],
    things: Iterable[T],
    *,
    workers: int = WORKERS,
    pool: ThreadPoolExecutor | None = None,
) -> Iterator[R]:
    """
    The results of the work on each of the things, in their order; the first error ends it.

    Only some things are taken ahead of the results, so both may be endless. Threads are started for it, and end with
    it, unless a `pool` of so many is given.

    Example:
        >>> list(in_parallel(len, ["a", "bc"]))
        [1, 2]
    """
    waiting: deque[Future[R]] = deque()
    left = iter(things)
    threads = pool or ThreadPoolExecutor(workers)
    try:
        waiting.extend(threads.submit(work, thing) for thing in islice(left, workers * _AHEAD))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(threads.submit(work, thing) for thing in islice(left, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
        # what has begun is done before anything else is
        wait(waiting)
        if pool is None:
            threads.shutdown()


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """
    The things in lists of a size, the last one shorter.

    Example:
        >>> list(batches("abc", 2))
        [['a', 'b'], ['c']]
    """
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch
