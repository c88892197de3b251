"""How a reader's list is put together from what the model, the crowd and the calendar offer: pure functions."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import Final

from api.store.feed_codec import Entry, Reason, ReasonKind, Source

HIGH_PLACES: Final = 40  # a new paper ranked below them is shown by exploration alone
CHOSEN_SHARE: Final = 0.5  # of the places, at least, for chosen categories


def favour_categories(entries: Sequence[Entry], *, chosen: Sequence[bool]) -> list[Entry]:
    """Give papers of chosen categories at least every second place while there are any; all else keeps its order."""
    inside = deque(at for at, is_chosen in enumerate(chosen) if is_chosen)
    outside = deque(at for at, is_chosen in enumerate(chosen) if not is_chosen)
    taken, order = 0, list[int]()
    while inside or outside:
        is_due = taken < CHOSEN_SHARE * (len(order) + 1)
        if inside and (is_due or not outside or inside[0] < outside[0]):
            order.append(inside.popleft())
            taken += 1
        else:
            order.append(outside.popleft())
    return [entries[at] for at in order]


def separated(entries: Sequence[Entry], pool: Sequence[int], *, size: int, most: int) -> tuple[list[Entry], list[int]]:
    """Return `size` entries and at most so many of the pool, which share none: high in the list a paper stays there."""
    high = {entry.paper_id for entry in entries[:HIGH_PLACES]}
    news = [paper_id for paper_id in pool if paper_id not in high][:most]
    elsewhere = frozenset(news)
    return [entry for entry in entries if entry.paper_id not in elsewhere][:size], news


def alternate(first: Iterable[Entry], second: Iterable[Entry]) -> Iterator[Entry]:
    """Yield one of each in turn, then what is left."""
    for pair in zip_longest(first, second):
        yield from (entry for entry in pair if entry is not None)


def unique(entries: Iterable[Entry], *, without: Iterable[int] = (), limit: int) -> list[Entry]:
    """Return the first `limit` entries of distinct papers that are not in `without`."""
    seen = set(without)

    def news() -> Iterator[Entry]:
        for entry in entries:
            if entry.paper_id not in seen:
                seen.add(entry.paper_id)
                yield entry

    return list(islice(news(), limit))


def with_falling_scores(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries in this order with scores that never rise: a score says where a paper stands in this list."""
    lowest = float("inf")
    falling = []
    for entry in entries:
        lowest = min(lowest, entry.score)
        falling.append(Entry(entry.paper_id, lowest, entry.source, entry.reason))
    return falling


def crowd_entries(papers: Iterable[int], *, source: Source, best: float, reasons: dict[int, Reason]) -> list[Entry]:
    """Return entries with scores that fall from `best` towards 0 by place: 1, 1/2, 1/3 of it and so on."""
    kind = ReasonKind.TRENDING if source is Source.TRENDING else ReasonKind.NEW
    return [
        Entry(paper_id, best / place, source, reasons.get(paper_id, Reason(kind)))
        for place, paper_id in enumerate(papers, start=1)
    ]
