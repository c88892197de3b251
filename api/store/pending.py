"""Readers whose list waits to be rebuilt: one bounded sorted set on the broker, the active ones first.

It is speed and nothing else: what is lost here, or does not fit, is found by the sweep from SQL. Beside it wait readers
who did nothing themselves, but for whom there are new papers: they are taken when nobody else waits.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from api.store.servers import redis_url

log = logging.getLogger(__name__)

T = TypeVar("T")

# At some five milliseconds a list, what waits longer than this is reached by the sweep just as soon.
MOST_PENDING: Final = 10_000
LONGEST_WAIT_SECONDS: Final = 0.5  # for somebody to be pending
# Nobody waits for these calls but threads of their own, and a reader taken by a call that is given up waits for the
# sweep: on a busy machine half a second of silence is no sign of a broker's death.
ANSWER_SECONDS: Final = 2.0
# A score is the time of the change in milliseconds; that of a reader who is not active now lies this much higher, in
# the year 2286: all active ones come first, and of each kind the one that has waited longest.
NOT_ACTIVE: Final = 10_000_000_000_000
MILLISECONDS: Final = 1000.0

NEWS_STEP: Final = 0.001  # seconds between readers of one round, which keeps their order

# Two changes of one reader are one: the earlier time counts, and one of them being active.
ADD: Final = f"""
for at = 2, #ARGV, 2 do
  local score, member = tonumber(ARGV[at]), ARGV[at + 1]
  local known = tonumber(redis.call('ZSCORE', KEYS[1], member) or score)
  local rank = 0
  if score >= {NOT_ACTIVE} and known >= {NOT_ACTIVE} then rank = {NOT_ACTIVE} end
  redis.call('ZADD', KEYS[1], rank + math.min(score % {NOT_ACTIVE}, known % {NOT_ACTIVE}), member)
end
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1])
if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], -over, -1) end
return math.max(over, 0)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """That a reader's list is older than what they did."""

    since: float  # epoch seconds of the first commit that the list does not include
    is_active: bool

    def joined(self, other: "Change") -> "Change":
        """Return both as one: the earlier time counts, and one of them being active."""
        return Change(min(self.since, other.since), self.is_active or other.is_active)


class PendingReaders:
    """The set of one installation; every call gives up rather than raise while the broker is away."""

    def __init__(self, broker_url: str, *, most: int = MOST_PENDING) -> None:
        self._most = most
        self._is_away = False
        self._client = redis.Redis.from_url(
            redis_url(broker_url),
            socket_timeout=LONGEST_WAIT_SECONDS + ANSWER_SECONDS,  # an answer to `wait` comes when its time is over
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._add = self._client.register_script(ADD)

    def add(self, changes: Mapping[int, Change]) -> bool:
        """Let these readers wait in one round trip; the last in order are left to the sweep when the set is full."""

        def call() -> bool:
            pairs = [part for user_id, change in changes.items() for part in (_score(change), user_id)]
            left_out = self._add(keys=[pending_key()], args=[self._most, *pairs])
            if left_out:
                log.info("refreshes left to the sweep", extra={"readers": int(left_out)})
            return True

        return self._call("add", call, default=False) if changes else True

    def wait(self, seconds: float) -> dict[int, Change] | None:
        """Take the first reader, waiting for one so long; None while the broker is away."""

        def call() -> dict[int, Change]:
            found: Any = self._client.bzpopmin(pending_key(), timeout=min(seconds, LONGEST_WAIT_SECONDS))
            return {} if found is None else _changes([(found[1], found[2])])

        return self._call("wait", call, default=None)

    def take(self, most: int) -> dict[int, Change]:
        """Take the first readers that wait, in their order."""

        def call() -> dict[int, Change]:
            found: Any = self._client.zpopmin(pending_key(), most)
            return _changes(found)

        return self._call("take", call, default={}) if most > 0 else {}

    def add_news(self, user_ids: Sequence[int], *, since: float) -> bool:
        """Let these readers wait for a list with the papers that are there since, the first of them first."""

        def call() -> bool:
            waiting = {str(user_id): since + NEWS_STEP * at for at, user_id in enumerate(user_ids)}
            self._client.zadd(news_key(), waiting, nx=True)
            return True

        return self._call("add_news", call, default=False) if user_ids else True

    def take_news(self, most: int) -> dict[int, float]:
        """Take the first readers for whom there are new papers, each with the time since when."""

        def call() -> dict[int, float]:
            found: Any = self._client.zpopmin(news_key(), most)
            return {int(member): float(since) for member, since in found}

        return self._call("take_news", call, default={})

    def read_told(self) -> str | None:
        """Return what was told last time: "" if nothing; None while the broker is away or that round goes on."""

        def call() -> str | None:
            told: Any = self._client.get(told_key())
            return None if self._client.zcard(news_key()) else (told or b"").decode()

        return self._call("read_told", call, default=None)

    def write_told(self, told: str) -> bool:
        """Note which papers a round is about."""
        return self._call("write_told", lambda: bool(self._client.set(told_key(), told)), default=False)

    def count(self) -> int | None:
        """Return how many readers wait, None while the broker is away."""
        return self._call("count", lambda: int(self._client.zcard(pending_key())), default=None)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, what: str, call: Callable[[], T], *, default: T) -> T:
        try:
            answer = call()
        except (RedisError, OSError) as error:
            if not self._is_away:
                log.warning("broker unreachable", extra={"call": what, "error": type(error).__name__})
            self._is_away = True
            return default
        self._is_away = False
        return answer


def pending_key() -> str:
    return "pending"


def news_key() -> str:
    return "pending:news"


def told_key() -> str:
    return "pending:told"


def _score(change: Change) -> int:
    return int(change.since * MILLISECONDS) + (0 if change.is_active else NOT_ACTIVE)


def _changes(scored: Iterable[tuple[bytes, float]]) -> dict[int, Change]:
    return {
        int(member): Change(score % NOT_ACTIVE / MILLISECONDS, is_active=score < NOT_ACTIVE) for member, score in scored
    }
