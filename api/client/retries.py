"""When a request is sent again, and after how long."""

import random
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
"""Answers after which the same request may succeed."""
NOT_DONE: Final = frozenset({429})
"""Answers that promise that nothing has been done, so that even what must not happen twice may be sent again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a client is."""

    attempts: int = 5
    first_seconds: float = 0.2  # the longest wait before the second attempt; it doubles with each
    longest_seconds: float = 10.0
    longest_retry_after_seconds: float = 60.0  # a server that asks for more gets its answer raised

    def delay(self, failures: int, *, retry_after_seconds: float | None, draws: random.Random) -> float | None:
        """Return the seconds to wait after so many failures, None to give up.

        Full jitter, so that clients that failed together do not come back together; never earlier than the server
        asks for.
        """
        if failures >= self.attempts:
            return None
        jitter = draws.uniform(0.0, min(self.longest_seconds, self.first_seconds * 2.0 ** (failures - 1)))
        if retry_after_seconds is None:
            return jitter
        if retry_after_seconds > self.longest_retry_after_seconds:
            return None
        return retry_after_seconds + jitter


def read_retry_after(text: str | None, *, now: datetime) -> float | None:
    """Return the seconds of a `Retry-After` header, which says seconds or a date; None for anything else."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one without a zone
        return None
