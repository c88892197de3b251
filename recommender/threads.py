"""How many threads a dense product may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import cpu_count

from threadpoolctl import threadpool_limits


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """BLAS with this many threads, 0 for all cores. Never around a call into implicit, which has its own."""
    with threadpool_limits(limits=count or cpu_count() or 1, user_api="blas"):
        yield
