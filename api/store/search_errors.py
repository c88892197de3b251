"""What can be wrong with a search index."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PANIC: Final = "PanicException"  # what the engine raises where it did not expect a file's content; no `Exception`


class IndexUnusable(Exception):
    """The index cannot answer or be written; it is a memo that can be made again."""


class IndexMissing(IndexUnusable):
    """There is no index yet."""


class IndexOutdated(IndexUnusable):
    """The index was made by another version."""


class IndexBroken(IndexUnusable):
    """A file of the index is missing, cut off or changed."""


class IndexBusy(IndexUnusable):
    """Another process writes the index."""


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn what the engine raises, its panics included, into `IndexBroken`; errors of the disk stay as they are."""
    try:
        yield
    except (ValueError, KeyError, RuntimeError, SystemError) as error:
        raise IndexBroken(f"{doing}: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise IndexBroken(f"{doing}: {error}") from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise IndexBroken(f"{doing}: {error}") from error
