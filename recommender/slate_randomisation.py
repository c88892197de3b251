"""The bounded randomisation of what is shown, with the probability of every placing, seeded by the slate's id.

A list of ordinary papers and a pool of new ones, which share no paper, become one list in two steps:

1. neighbours swap: a coin pairs the places (1,2)(3,4)... or (2,3)(4,5)..., and each pair changes places with the swap
   probability, so that every two neighbours can, and nobody moves by more than one;
2. exploration: at the places of `slot_places` stands a draw from the pool without replacement, as long as there is
   one; ordinary papers fill the places between in their order.

The propensity of a paper is the probability, over all slate ids, that it stands where it stands: `1 - p` or `p / 2` at
either side of its own place (at the ends of the list `1 - p / 2`), one over the size of the pool for a draw. Any part
of the list can be worked out alone, in a time that does not depend on the length of the list.
"""

from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct

WORDS = Struct("<8Q")  # of one digest: as many lots
LOTS = 8
LOT_RANGE = 1 << 64  # fine enough for every probability above a two-thousandth to be exactly that
SLATE_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Randomisation:
    """How much chance there is in a list; the defaults leave it as it is."""

    swap_probability: float = 0.0  # that two neighbours that are a pair change places
    exploration_share: float = 0.0  # of the places

    def __post_init__(self) -> None:
        if not 0 <= self.swap_probability <= 0.5:
            raise ValueError("the probability of a swap lies between 0 and a half")
        if not 0 <= self.exploration_share <= 1:
            raise ValueError("the share that explores lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Placed:
    """A part of a list as it is shown, in columns."""

    picks: list[int]  # position among the ordinary papers; from their number on, position in the pool
    levels: list[int]  # the ordinary paper whose place in the ranking this place has
    propensities: list[float]


@dataclass(frozen=True, slots=True)
class Shuffle:
    """All of a list, of which parts are worked out on demand: a pure function of what is written here."""

    ordinary: int  # papers
    pool: int  # papers
    slots: int  # places that explore
    randomisation: Randomisation
    slate_id: bytes

    @classmethod
    def of(cls, ordinary: int, pool: int, randomisation: Randomisation, *, slate_id: bytes) -> "Shuffle":
        """The list of so many ordinary and new papers; as many places explore as `slot_places` says and there are."""
        share = randomisation.exploration_share
        return cls(ordinary, pool, count_slots(share, k=ordinary, most=pool), randomisation, slate_id)

    def __len__(self) -> int:
        return self.ordinary + self.slots

    def part(self, start: int, stop: int) -> Placed:
        """The places from `start` up to `stop` or the end of the list."""
        stop = max(min(stop, len(self)), start)
        share = self.randomisation.exploration_share
        before = count_slots(share, k=start, most=self.slots)
        until = count_slots(share, k=stop, most=self.slots)
        picks, propensities = self._swapped(start - before, stop - until)
        levels = list(range(start - before, stop - until))
        drawn = _draws(self.slate_id, self.pool, count=until)
        for slot in range(before, until):
            place = slot_place(share, slot)
            picks.insert(place - start, self.ordinary + drawn[slot])
            levels.insert(place - start, min(place - slot, self.ordinary - 1))
            propensities.insert(place - start, 1.0 / self.pool)
        return Placed(picks, levels, propensities)

    def _swapped(self, start: int, stop: int) -> tuple[list[int], list[float]]:
        """The ordinary papers from place `start` to `stop` among themselves, and their propensities."""
        below = int(self.randomisation.swap_probability * LOT_RANGE)
        count = self.ordinary
        order = list(range(start, stop))
        if below == 0 or count < 2 or start >= stop:
            return order, [1.0] * len(order)
        swap = below / LOT_RANGE
        chances = [1.0 - swap] * len(order)
        if start == 0:
            chances[0] = 1.0 - swap / 2
        if stop == count:
            chances[-1] = 1.0 - swap / 2
        offset, lots = _lots(self.slate_id, start, stop)
        first = start - (start - offset) % 2  # of the pair that `start` belongs to; -1: it is alone
        for at, lot in zip(range(first, stop, 2), lots, strict=False):
            if lot >= below or at < 0 or at + 1 >= count:
                continue
            if at >= start:
                order[at - start], chances[at - start] = at + 1, swap / 2
            if at + 1 < stop:
                order[at + 1 - start], chances[at + 1 - start] = at, swap / 2
        return order, chances


def slot_place(share: float, slot: int) -> int:
    """The place of a slot among all places, evenly spread."""
    return int((slot + 0.5) / share - 0.5)


def count_slots(share: float, *, k: int, most: int) -> int:
    """How many of the first k places explore when there are at most so many slots."""
    if share == 0 or most == 0 or k <= 0:
        return 0
    count = min(most, max(int((k + 0.5) * share - 0.5), 0))
    while count < most and (count + 0.5) / share - 0.5 < k:
        count += 1
    while count > 0 and int((count - 0.5) / share - 0.5) >= k:
        count -= 1
    return count


def _lots(slate_id: bytes, start: int, stop: int) -> tuple[int, list[int]]:
    """Whether pairs begin at the first place or the second, and the lots of the pairs that touch these places."""
    offset = blake2b(slate_id, digest_size=1, person=b"pairs").digest()[0] & 1
    pair = (start - offset) // 2 + 1  # 0: the lot of a first place that is alone
    last = (stop - 1 - offset) // 2 + 1
    lots: list[int] = []
    for block in range(pair // LOTS, last // LOTS + 1):
        salt = block.to_bytes(4, "little")
        lots += WORDS.unpack(blake2b(slate_id, digest_size=64, person=b"swaps", salt=salt).digest())
    skipped = pair % LOTS
    return offset, lots[skipped : skipped + last - pair + 1]


def _draws(slate_id: bytes, pool: int, *, count: int) -> list[int]:
    """The first `count` of a random order of the pool: every order is equally likely."""
    moved: dict[int, int] = {}
    drawn = []
    words: tuple[int, ...] = ()
    for at in range(count):
        if at % LOTS == 0:
            salt = (at // LOTS).to_bytes(4, "little")
            words = WORDS.unpack(blake2b(slate_id, digest_size=64, person=b"draws", salt=salt).digest())
        other = at + (words[at % LOTS] * (pool - at) // LOT_RANGE)
        drawn.append(moved.get(other, other))
        moved[other] = moved.get(at, at)
    return drawn
