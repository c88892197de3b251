"""Pages cut from frozen lists, and the cursors that carry them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import InvalidCursor
from api.runtime.keys import LONGEST_TOKEN, KeyRing
from api.runtime.secrets import SigningKey
from api.services.feed_cursors import read_cursor, write_cursor
from api.services.feed_places import FeedPlace, Filters, cut, open_list, turn
from api.store.feed_codec import LONGEST_REFERENCE, Entry, Reason, ReasonKind, Source, list_of
from api.store.packed_list import PackedList, packed
from recommender.slate_randomisation import Randomisation

KEYS = KeyRing([SigningKey(b"a signing secret of the tests, long enough")])
OTHER = KeyRing([SigningKey(b"another")])
NOW = datetime(2026, 5, 1, 12, 0, 0, 5, tzinfo=UTC)
SLATE = b"slate id"
ids = st.lists(st.integers(1, 10**9), unique=True, max_size=60)
slate_ids = st.binary(min_size=8, max_size=8)
chances = st.builds(Randomisation, st.floats(0, 0.5), st.one_of(st.just(0.0), st.floats(0.01, 1)))


def make(paper_ids: list[int], *, pool: list[int] | None = None) -> PackedList:
    """Return a list of these papers."""
    entries = [
        Entry(paper_id, 1.0 / (at + 1), Source.PERSONAL, Reason(ReasonKind.SAVED, paper_id=at % 5 + 1))
        for at, paper_id in enumerate(paper_ids)
    ]
    return packed(list_of(entries, user_id=3, version="v1", seq=1, built_at=NOW, pool=pool or ()))


def carried(place: FeedPlace) -> FeedPlace:
    """Return the place as the next request rebuilds it."""
    return read_cursor(KEYS, write_cursor(KEYS, place, scope="s"), scope="s")


@given(ids, st.integers(1, 25), st.data())
@settings(max_examples=80, deadline=None)
def test_pages_show_every_paper_once_without_those_hidden_meanwhile(
    paper_ids: list[int], limit: int, data: st.DataObject
) -> None:
    split = data.draw(st.integers(0, len(paper_ids)))
    feed = make(paper_ids[:split], pool=paper_ids[split:])
    hidden = set(data.draw(st.lists(st.sampled_from(paper_ids), max_size=5))) if paper_ids else set[int]()
    slate_id, randomisation = data.draw(slate_ids), data.draw(chances)
    place: FeedPlace | None = open_list(
        feed, slate_id=slate_id, hidden=hidden, randomisation=randomisation, has_tail=False
    )
    assert place is not None
    whole, _ = cut(place, hidden=(), limit=1000)
    assert set(paper_ids[:split]) - hidden <= set(whole.paper_ids) <= set(paper_ids) - hidden
    assert whole.scores == sorted(whole.scores, reverse=True)
    seen: list[int] = []
    hidden_unseen: set[int] = set()
    while place is not None:
        turned = turn(place, hidden=hidden, limit=limit)
        assert turned is not None
        assert len(turned.page) == limit or turned.after is None
        assert turned.page.first_rank == len(seen) + 1
        seen += turned.page.paper_ids
        if (place := turned.after) is not None:
            place = carried(place)
            new = set(data.draw(st.lists(st.sampled_from(paper_ids), max_size=3)))
            hidden |= new
            hidden_unseen |= new - set(seen)
    assert seen == [paper_id for paper_id in whole.paper_ids if paper_id not in hidden_unseen]


@given(ids, ids, st.sets(st.integers(0, 119), max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_a_cursor_rebuilds_its_place(
    paper_ids: list[int], pool: list[int], hidden: set[int], data: st.DataObject
) -> None:
    feed = make(paper_ids, pool=pool)
    place = FeedPlace(
        feed,
        data.draw(slate_ids),
        data.draw(chances),
        tuple(sorted(at for at in hidden if at < len(feed.paper_ids))),
        following=data.draw(st.integers(0, 10**6)),
        shown=data.draw(st.integers(0, 10**6)),
        source=data.draw(st.sampled_from(Source)),
        lowest=0.25,
        has_tail=data.draw(st.booleans()),
        skip=tuple(data.draw(st.lists(st.integers(1, 2**39), max_size=30))),
        filters=Filters(tuple(data.draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=3))), NOW),
        tail=data.draw(st.sampled_from([None, (7, NOW)])),
    )
    restored = carried(place)
    assert restored.frozen.raw == feed.raw
    assert replace(restored, frozen=feed) == place


@given(st.text(max_size=200))
def test_invented_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(KEYS, cursor, scope="s")


@given(st.integers(0, 400), st.characters(codec="ascii"))
@settings(max_examples=100, deadline=None)
def test_a_changed_cursor_is_refused(position: int, character: str) -> None:
    cursor = write_cursor(KEYS, open_list(make(list(range(1, 40))), slate_id=SLATE), scope="s")
    at = position % len(cursor)
    altered = cursor[:at] + character + cursor[at + 1 :]
    if altered != cursor:
        with pytest.raises(InvalidCursor):
            read_cursor(KEYS, altered, scope="s")


def test_a_cursor_is_bound_to_its_list_and_key() -> None:
    cursor = write_cursor(KEYS, open_list(make([1, 2]), slate_id=SLATE), scope="feed\0ada")
    for keys, scope in ((KEYS, "feed\0bob"), (OTHER, "feed\0ada"), (KEYS, "feed")):
        with pytest.raises(InvalidCursor):
            read_cursor(keys, cursor, scope=scope)


def test_a_sealed_text_that_holds_no_list_is_no_cursor() -> None:
    for payload in (b"", b"\x02", b"\x02" * 80, b"\x01" + bytes(200)):
        with pytest.raises(InvalidCursor):
            read_cursor(KEYS, KEYS.seal(b"cursor\0s", payload), scope="s")


def test_a_cursor_of_200_papers_is_short_enough_for_an_address() -> None:
    papers = list(range(10**6, 10**6 + 250))
    cursor = write_cursor(KEYS, open_list(make(papers[:200], pool=papers[200:]), slate_id=SLATE), scope="s")
    assert all(character.isalnum() or character in "-_" for character in cursor)
    assert len(cursor) < 3000


def test_the_longest_list_fits_into_a_cursor_that_is_read() -> None:
    reason = "x" * LONGEST_REFERENCE
    entries = [Entry(at, 1.0, Source.PERSONAL, Reason(ReasonKind.TERM, text=f"{at}{reason}")) for at in range(1, 1001)]
    built = list_of(entries, user_id=3, version="v" * 40, seq=1, built_at=NOW, pool=range(2000, 2256))
    place = open_list(packed(built), slate_id=SLATE, hidden={999})
    place = replace(place, skip=tuple(range(3000, 3200)), filters=Filters(("cs.IR",) * 20, NOW))
    assert carried(place).skip == place.skip
    assert len(write_cursor(KEYS, place, scope="s")) <= LONGEST_TOKEN


def test_what_is_hidden_before_the_list_is_frozen_takes_no_place() -> None:
    papers = list(range(1, 31))
    place = open_list(make(papers, pool=[40, 41]), slate_id=SLATE, hidden={1, 2, 40, 99}, randomisation=Randomisation())
    page, _ = cut(place, hidden=(), limit=3)
    assert page.paper_ids == [3, 4, 5]
    assert place.left_out == (0, 1, 30)
    drawing = replace(place, randomisation=Randomisation(0, 1))
    assert cut(drawing, hidden=(), limit=1)[0].paper_ids == [41]


def test_a_drawn_paper_says_so_and_has_the_score_of_the_one_it_precedes() -> None:
    chance = Randomisation(0, 0.5)
    place = open_list(make([1, 2, 3, 4], pool=[9]), slate_id=SLATE, randomisation=chance, has_tail=False)
    page, _ = cut(place, hidden=(), limit=10)
    at = page.paper_ids.index(9)
    assert (page.sources[at], page.reasons[at]) == (Source.FRESH, Reason(ReasonKind.NEW))
    assert page.propensities[at] == 1.0
    assert page.scores[at] == page.scores[at + 1]
