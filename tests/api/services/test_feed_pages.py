"""Pages cut from frozen lists, and the cursors and slates that carry them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import InvalidCursor
from api.services.feed_pages import open_list, turn
from api.services.slates import FeedPlace, Filters, read_cursor, read_slate, write_cursor, write_slate
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of

KEY = b"a signing secret of the tests, long enough"
NOW = datetime(2026, 5, 1, 12, 0, 0, 5, tzinfo=UTC)
ids = st.lists(st.integers(1, 10**9), unique=True, max_size=60)


def make(paper_ids: list[int]) -> FeedList:
    """Return a list of these papers."""
    entries = [
        Entry(paper_id, 1.0 / (at + 1), Source(at % 4), Reason(ReasonKind.SAVED, paper_id=at % 5 + 1))
        for at, paper_id in enumerate(paper_ids)
    ]
    return list_of(entries, user_id=3, version="v1", seq=1, built_at=NOW)


@given(ids, st.integers(1, 25), st.data())
@settings(max_examples=80, deadline=None)
def test_pages_show_every_paper_once_in_order_without_those_hidden_meanwhile(
    paper_ids: list[int], limit: int, data: st.DataObject
) -> None:
    place: FeedPlace | None = open_list(make(paper_ids), has_tail=False)
    hidden: set[int] = set()
    seen: list[int] = []
    ever_hidden_unseen: set[int] = set()
    while place is not None:
        turned = turn(place, hidden=hidden, limit=limit)
        assert turned is not None
        assert len(turned.page) == limit or turned.after is None
        assert turned.first_rank == len(seen) + 1
        seen += turned.page.paper_ids
        place = turned.after
        if place is not None:
            place = read_cursor(KEY, write_cursor(KEY, place, scope="s"), scope="s")
            new = set(data.draw(st.lists(st.sampled_from(paper_ids), max_size=3)))
            hidden |= new
            ever_hidden_unseen |= new - set(seen)
    assert seen == [paper_id for paper_id in paper_ids if paper_id not in ever_hidden_unseen]


@given(
    ids,
    st.lists(st.integers(1, 2**39), max_size=30),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_a_cursor_rebuilds_its_place(paper_ids: list[int], skip: list[int], categories: list[str]) -> None:
    place = FeedPlace(
        make(paper_ids),
        "personal",
        shown=40,
        skip=tuple(skip),
        filters=Filters(tuple(categories), NOW),
        lowest=0.25,
        tail=(7, NOW),
    )
    restored = read_cursor(KEY, write_cursor(KEY, place, scope="s"), scope="s")
    assert restored.rest.paper_ids == place.rest.paper_ids
    assert (restored.shown, restored.skip, restored.filters) == (place.shown, place.skip, place.filters)
    assert (restored.tail, restored.lowest, restored.source) == (place.tail, place.lowest, place.source)


@given(st.text(max_size=200))
def test_invented_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(KEY, cursor, scope="s")


@given(st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_changed_cursor_is_refused(position: int, change: int) -> None:
    cursor = write_cursor(KEY, open_list(make(list(range(1, 40)))), scope="s").encode()
    at = position % (len(cursor) - 1)  # the last character has bits that no byte uses
    altered = cursor[:at] + bytes([cursor[at] ^ change]) + cursor[at + 1 :]
    with pytest.raises(InvalidCursor):
        read_cursor(KEY, altered.decode("latin-1"), scope="s")


def test_a_cursor_is_bound_to_its_list_and_key() -> None:
    cursor = write_cursor(KEY, open_list(make([1, 2])), scope="feed\0ada")
    for key, scope in ((KEY, "feed\0bob"), (b"another", "feed\0ada"), (KEY, "feed")):
        with pytest.raises(InvalidCursor):
            read_cursor(key, cursor, scope=scope)


def test_a_cursor_is_no_slate_and_a_slate_no_cursor() -> None:
    page = make([1, 2])
    slate = write_slate(KEY, page, user_id=3, first_rank=1, now=NOW)
    cursor = write_cursor(KEY, open_list(page), scope="slate")
    assert read_slate(KEY, cursor) is None
    with pytest.raises(InvalidCursor):
        read_cursor(KEY, slate, scope="slate")


def test_tokens_are_safe_in_an_address_and_short_enough_for_one() -> None:
    papers = list(range(10**6, 10**6 + 200))
    cursor = write_cursor(KEY, open_list(make(papers)), scope="s")
    slate = write_slate(KEY, make(papers[:100]), user_id=3, first_rank=1, now=NOW)
    assert all(character.isalnum() or character in "-_" for character in cursor + slate)
    assert len(cursor) < 3000
    assert len(slate) < 1000


@given(st.lists(st.integers(1, 2**39), max_size=100), st.integers(0, 2**50), st.integers(1, 60_000))
@settings(max_examples=50, deadline=None)
def test_a_slate_says_what_was_shown(paper_ids: list[int], user_id: int, first_rank: int) -> None:
    slate = read_slate(KEY, write_slate(KEY, make(paper_ids), user_id=user_id, first_rank=first_rank, now=NOW))
    assert slate is not None
    assert slate.paper_ids == tuple(paper_ids)
    assert (slate.user_id, slate.first_rank, slate.shown_at, slate.version) == (user_id, first_rank, NOW, "v1")
    assert slate.sources == tuple(Source(at % 4) for at in range(len(paper_ids)))


@given(st.text(max_size=100))
def test_invented_slates_say_nothing(token: str) -> None:
    assert read_slate(KEY, token) is None
