"""How events wait, and what has become of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from api.client.errors import PaperfeedError
from api.client.memory import Taken
from api.client.values import EventResult, Json

FINGERPRINT_CHARS = 16


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that the service will never take, and why; it is not sent again."""

    reader: str | None
    event: Json
    result: EventResult


@dataclass(frozen=True, slots=True)
class Buffering:
    """Where recorded events wait and when they are sent."""

    folder: Path | None = None  # without one they wait in memory and end with the process
    account: str | None = None  # name of who sends from the folder; the public part of the token where it is None
    most_bytes: int = 32 * 1024 * 1024  # in the folder; then the oldest give way
    most_in_memory: int = 10_000  # events; then the oldest give way
    batch_events: int = 100  # sent as soon as there are as many,
    batch_seconds: float = 1.0  # and after this time at the latest
    exit_seconds: float = 5.0  # for what still waits when the program ends
    on_rejected: Callable[[Rejection], None] | None = None  # called in the thread that sends


@dataclass(frozen=True, slots=True)
class Report:
    """What has become of recorded events."""

    accepted: int  # counted by the service now
    duplicate: int  # counted by it before, where an earlier answer was lost
    rejected: int  # `Buffering.on_rejected` was told each
    dropped: int  # gave way because the buffer was full
    waiting: int  # in the folder those of other processes included
    failure: PaperfeedError | OSError | None  # why the newest attempt failed


class Buffer(Protocol):
    """Where lines wait."""

    dropped: int

    def append(self, line: bytes) -> None: ...
    def seal(self) -> None: ...
    def take(self) -> Taken | None: ...
    def finish(self, taken: Taken, /) -> None: ...
    def put_back(self, taken: Taken, /) -> None: ...
    def waiting(self) -> int: ...


def disk_buffer(buffering: Buffering, account: str) -> Buffer | None:
    """Return the buffer of an account in the folder; None without a folder.

    Each account has a folder of its own within: no event is ever sent with somebody else's token.
    """
    if buffering.folder is None:
        return None
    from api.client.disk import DiskBuffer  # needs the locks that POSIX systems have

    name = hashlib.sha256(account.encode()).hexdigest()[:FINGERPRINT_CHARS]
    return DiskBuffer(buffering.folder / name, buffering.most_bytes)
