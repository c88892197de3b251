"""Who is signed in, as this process has looked it up a moment ago."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST_KEPT: Final = 20_000  # browsers; about 8 MB when full


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The account of a browser that is signed in."""

    account_id: int
    user_id: int
    external_user: str  # the reader's name, random and the same for ever
    mail: str
    display_name: str
    is_moderator: bool
    session_id: int


class SignedInMemo:
    """Look-ups of sessions, each trusted for a few seconds, so that a page costs no SQL for them.

    What ends in this process ends here at once; what another process ended is forgotten when the time is over.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, SignedIn]] = OrderedDict()
        self._ended = 0  # counts what ended: a look-up that began before does not outlive it

    @property
    def ended(self) -> int:
        """What `put` is to be told: the state in which a look-up began."""
        return self._ended

    def get(self, secret_hash: str) -> SignedIn | None:
        """Return whose session this is if it was looked up a moment ago."""
        kept = self._kept.get(secret_hash)
        return None if kept is None or kept[0] <= self._clock() else kept[1]

    def put(self, secret_hash: str, who: SignedIn, *, ended: int) -> None:
        """Trust a look-up for a while, unless something ended since it began."""
        with self._lock:
            if ended != self._ended:
                return
            self._kept[secret_hash] = (self._clock() + self._seconds, who)
            self._kept.move_to_end(secret_hash)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def forget_account(self, account_id: int) -> None:
        """Look up all sessions of an account anew."""
        with self._lock:
            self._ended += 1
            for key in [key for key, (_, who) in self._kept.items() if who.account_id == account_id]:
                del self._kept[key]

    def forget_reader(self, user_id: int) -> None:
        """Look up all sessions of a reader anew."""
        with self._lock:
            self._ended += 1
            for key in [key for key, (_, who) in self._kept.items() if who.user_id == user_id]:
                del self._kept[key]
