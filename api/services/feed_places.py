"""Pages of a frozen list: a pure function of the list, what was hidden when it was frozen, and the slate's id."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from api.store.feed_codec import Reason, Source
from api.store.packed_list import PackedList
from api.store.papers import Place
from recommender.slate_randomisation import Randomisation, Shuffle

AS_RANKED: Final = Randomisation()


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list was narrowed to."""

    categories: tuple[str, ...] = ()
    since: datetime | None = None


NOT_NARROWED: Final = Filters()


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A place in a frozen list as its slate arranges it, and where "latest" goes on when it ends."""

    frozen: PackedList
    slate_id: bytes
    randomisation: Randomisation = AS_RANKED
    left_out: tuple[int, ...] = ()  # positions hidden when the list was frozen, ascending
    following: int = 0  # place of the arranged list that comes next
    shown: int = 0  # papers on the pages before
    source: Source = Source.LATEST  # what the list as a whole is
    lowest: float = 0.0  # score of the list's last paper: what follows it is not above
    has_tail: bool = True  # False: the list ends where it ends
    skip: tuple[int, ...] = ()  # papers that the caller excluded
    filters: Filters = NOT_NARROWED
    tail: Place | None = None  # last place taken from "latest"

    def visible(self) -> Sequence[int]:
        """The positions of the list that were not hidden when it was frozen, those of the pool last."""
        everything = range(len(self.frozen.paper_ids))
        if not self.left_out:
            return everything
        hidden = frozenset(self.left_out)
        return [at for at in everything if at not in hidden]

    def shuffle(self) -> Shuffle:
        """The arrangement of the visible papers."""
        ranked = self.frozen.count
        hidden = sum(at < ranked for at in self.left_out) if self.left_out else 0
        pool = len(self.frozen.paper_ids) - ranked - len(self.left_out) + hidden
        return Shuffle.of(ranked - hidden, pool, self.randomisation, slate_id=self.slate_id)

    def after(self, page: "Page", *, following: int) -> "FeedPlace":
        """The place after a page; written out, because `replace` would take longer than the rest of a page."""
        return FeedPlace(
            self.frozen,
            self.slate_id,
            self.randomisation,
            self.left_out,
            following,
            self.shown + len(page),
            self.source,
            self.lowest,
            self.has_tail,
            self.skip,
            self.filters,
            self.tail,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """What one page shows, in columns."""

    frozen: PackedList
    slate_id: bytes
    first_rank: int
    paper_ids: list[int]
    scores: list[float]
    sources: list[Source]
    reasons: list[Reason]
    propensities: list[float]  # of each paper at its place, over all slate ids

    def __len__(self) -> int:
        return len(self.paper_ids)

    def without(self, paper_ids: Collection[int]) -> "Page":
        """The page without papers that are gone; the others keep what they have, and move up."""
        kept = [at for at, paper_id in enumerate(self.paper_ids) if paper_id not in paper_ids]
        return replace(
            self,
            paper_ids=[self.paper_ids[at] for at in kept],
            scores=[self.scores[at] for at in kept],
            sources=[self.sources[at] for at in kept],
            reasons=[self.reasons[at] for at in kept],
            propensities=[self.propensities[at] for at in kept],
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One page and the place after it, None at the end."""

    page: Page
    after: FeedPlace | None


def open_list(
    feed: PackedList,
    *,
    slate_id: bytes,
    hidden: Collection[int] = (),
    randomisation: Randomisation = AS_RANKED,
    has_tail: bool = True,
) -> FeedPlace:
    """Freeze a list as the reader sees it now, and return the place before its first paper."""
    found: Collection[int] = ()
    if hidden:
        whole = hidden if isinstance(hidden, (set, frozenset)) else frozenset(hidden)
        found = () if whole.isdisjoint(feed.paper_ids) else whole.intersection(feed.paper_ids)
    left_out = tuple(at for at, paper_id in enumerate(feed.paper_ids) if paper_id in found) if found else ()
    return FeedPlace(
        feed,
        slate_id,
        randomisation,
        left_out,
        source=feed.main_source,
        lowest=feed.lowest,
        has_tail=has_tail,
    )


def turn(place: FeedPlace, *, hidden: Collection[int], limit: int) -> Turn | None:
    """Return the next page, None when the frozen list alone cannot fill it and say what follows."""
    page, following = cut(place, hidden=hidden, limit=limit)
    if following is None:
        return None if place.has_tail else Turn(page, None)
    return Turn(page, place.after(page, following=following))


def cut(place: FeedPlace, *, hidden: Collection[int], limit: int) -> tuple[Page, int | None]:
    """Return the next papers of the frozen list, and the place of the first one after them if there is one."""
    ids, positions, shuffle = place.frozen.paper_ids, place.visible(), place.shuffle()
    at, end = place.following, len(shuffle)
    places: list[int] = []
    chosen: list[int] = []  # positions in the list of the papers
    levels: list[int] = []  # and of those whose scores they show
    chances: list[float] = []
    while len(chosen) <= limit and at < end:
        part = shuffle.part(at, at + limit + 1 - len(chosen))
        found = [positions[pick] for pick in part.picks]
        shown = [spot for spot, position in enumerate(found) if ids[position] not in hidden]
        places += [at + spot for spot in shown]
        chosen += [found[spot] for spot in shown]
        levels += [positions[part.levels[spot]] for spot in shown]
        chances += [part.propensities[spot] for spot in shown]
        at += len(found)
    following = places[limit] if len(places) > limit else None
    return _page(place, chosen[:limit], levels[:limit], chances[:limit]), following


def _page(place: FeedPlace, chosen: list[int], levels: list[int], chances: list[float]) -> Page:
    frozen = place.frozen
    first = levels[0] if levels else 0
    scores = frozen.scores(first, levels[-1] + 1) if levels else ()
    return Page(
        frozen,
        place.slate_id,
        place.shown + 1,
        [frozen.paper_ids[position] for position in chosen],
        [scores[level - first] for level in levels],
        frozen.sources(chosen),
        frozen.reasons(chosen),
        chances,
    )
