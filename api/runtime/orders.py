"""Orders of whole lists, kept for a moment: pages of one list are cut from one order."""

import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from api.runtime.key_locks import KeyLocks

ORDER_SECONDS: Final = 5.0  # as long as a process trusts its trending board
MOST_ORDERS: Final = 32  # of up to 160 kB each: 20,000 papers


@dataclass(frozen=True, slots=True)
class _Order:
    paper_ids: "array[int]"
    generation: int
    until: float


class Orders:
    """A few orders; a new generation, which begins when papers or votes have changed, ends them all."""

    def __init__(
        self, generation: Callable[[], int], *, most: int = MOST_ORDERS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._generation = generation
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._loading: KeyLocks[Hashable] = KeyLocks()
        self._orders: OrderedDict[Hashable, _Order] = OrderedDict()

    def __len__(self) -> int:
        return len(self._orders)

    def read(self, key: Hashable, load: Callable[[], Iterable[int]], *, offset: int, limit: int) -> list[int]:
        """Return a part of an order; who asks for one that is being loaded waits for it."""
        with self._loading.hold(key):
            order = self._orders.get(key)
            if order is None or order.generation != self._generation() or self._clock() >= order.until:
                order = self._load(key, load)
        return order.paper_ids[offset : offset + limit].tolist()

    def _load(self, key: Hashable, load: Callable[[], Iterable[int]]) -> _Order:
        generation, until = self._generation(), self._clock() + ORDER_SECONDS  # as they were before it was read
        order = _Order(array("q", load()), generation, until)
        with self._lock:
            self._orders[key] = order
            self._orders.move_to_end(key)
            while len(self._orders) > self._most:
                self._orders.popitem(last=False)
        return order
