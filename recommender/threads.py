"""How many threads a dense product may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import cpu_count

import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which the controller has to find
from threadpoolctl import ThreadpoolController


def workers(count: int) -> int:
    """This many threads, or one for each core where it is 0."""
    return count or cpu_count() or 1


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """BLAS with this many threads, 0 for all cores. Around a call into implicit only one: it has its own."""
    with _controller().limit(limits=workers(count), user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    """Made once: looking through the libraries of the process takes milliseconds, every time."""
    return ThreadpoolController()
