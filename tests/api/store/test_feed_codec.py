"""The bytes of a prepared list."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.store.feed_codec import (
    MOST_REASON_BYTES,
    MOST_REASONS,
    PAPER_REASONS,
    Entry,
    FeedList,
    Reason,
    ReasonKind,
    Source,
    list_of,
    pack,
)
from api.store.packed_list import packed, unpack

BUILT = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
paper_ids = st.integers(1, 2**39)


@st.composite
def reasons(draw: st.DrawFn) -> Reason:
    """Return any reason."""
    kind = draw(st.sampled_from(ReasonKind))
    if kind in PAPER_REASONS:
        return Reason(kind, paper_id=draw(paper_ids))
    return Reason(kind, text=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=15)))


entries = st.builds(Entry, paper_ids, st.floats(-1e4, 1e4, allow_nan=False), st.sampled_from(Source), reasons())


def make(items: list[Entry], *, seq: int = 7, version: str = "v1", pool: tuple[int, ...] = ()) -> FeedList:
    """Return the list of these entries."""
    return list_of(items, user_id=42, version=version, seq=seq, built_at=BUILT, pool=pool)


def same(first: FeedList, second: FeedList) -> bool:
    """True when two lists show the same: the order of their tables of reasons does not matter."""
    return (
        (first.user_id, first.version, first.seq, first.built_at)
        == (second.user_id, second.version, second.seq, second.built_at)
        and (first.paper_ids, first.scores, first.pool) == (second.paper_ids, second.scores, second.pool)
        and [first.reason(at) for at in range(len(first))] == [second.reason(at) for at in range(len(second))]
        and [first.source(at) for at in range(len(first))] == [second.source(at) for at in range(len(second))]
    )


@given(
    st.lists(entries, max_size=80),
    st.integers(0, 2**60),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.lists(paper_ids, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_a_list_comes_back_as_it_was(items: list[Entry], seq: int, version: str, pool: list[int]) -> None:
    feed = make(items, seq=seq, version=version, pool=tuple(pool))
    restored = unpack(pack(feed))
    assert restored is not None
    assert same(restored, feed)


@given(st.lists(entries, max_size=80), st.lists(paper_ids, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_list_read_in_place_says_the_same(items: list[Entry], pool: list[int]) -> None:
    feed = make(items, pool=tuple(pool))
    read = packed(feed)
    assert (read.user_id, read.version, read.seq, read.built_at) == (42, "v1", 7, BUILT)
    assert (read.paper_ids, len(read)) == ([*feed.paper_ids, *pool], len(items))
    assert list(read.scores(0, len(items))) == feed.scores
    assert read.lowest == (feed.scores[-1] if items else 0.0)
    assert read.main_source is feed.main_source
    for at in range(len(items)):
        assert (read.source(at), read.reason(at)) == (feed.source(at), feed.reason(at))
    for at in range(len(items), len(items) + len(pool)):
        assert (read.source(at), read.reason(at)) == (Source.FRESH, Reason(ReasonKind.NEW))


def test_a_list_of_the_former_format_is_a_miss() -> None:
    value = bytearray(pack(make([Entry(1, 1.0, Source.PERSONAL, Reason(ReasonKind.TASTE))])))
    value[2] = 1
    assert unpack(bytes(value)) is None


@given(st.lists(entries, min_size=1, max_size=5), st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_value_is_a_miss_or_still_a_list(items: list[Entry], data: st.DataObject) -> None:
    value = bytearray(pack(make(items, pool=(7, 8))))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    read = unpack(bytes(value))
    assert read is None or [read.reason(at) for at in range(len(read))]


@given(st.binary(max_size=300))
def test_foreign_bytes_are_a_miss(value: bytes) -> None:
    assert unpack(value) is None


@given(st.lists(entries, min_size=1, max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_a_cut_value_is_a_miss(items: list[Entry], data: st.DataObject) -> None:
    value = pack(make(items))
    assert unpack(value[: data.draw(st.integers(0, len(value) - 1))]) is None


def test_nothing_is_a_miss() -> None:
    assert unpack(None) is None
    assert unpack(b"") is None


def test_200_papers_with_many_reasons_and_a_pool_stay_below_2100_bytes() -> None:
    random = np.random.default_rng(1)
    items = [
        Entry(
            int(random.integers(1, 10**7)),
            1.0 / (at + 1),
            Source.PERSONAL,
            Reason(ReasonKind.SAVED, paper_id=int(random.integers(1, 10**7))),
        )
        for at in range(200)
    ]
    pool = tuple(range(1, 51))
    assert len(pack(make(items, version="20260501-030000-123", pool=pool))) <= 2100


def test_reasons_beyond_the_table_become_general_ones() -> None:
    items = [
        Entry(at + 1, 1.0, Source.TRENDING, Reason(ReasonKind.TRENDING, text=f"cs.{at}"))
        for at in range(MOST_REASONS * 2)
    ]
    feed = make(items)
    restored = unpack(pack(feed))
    assert restored is not None
    assert restored.reason(0).text == "cs.0"
    assert restored.reason(len(items) - 1) == Reason(ReasonKind.TRENDING)


def test_a_list_is_named_after_its_first_paper_that_does_not_explore() -> None:
    reason = Reason(ReasonKind.NEW)
    items = [Entry(1, 1.0, Source.FRESH, reason), Entry(2, 0.5, Source.TRENDING, reason)]
    assert make(items).main_source is Source.TRENDING
    assert make([]).main_source is Source.LATEST


def test_scores_are_the_same_before_and_after_the_cache() -> None:
    feed = make([Entry(1, 0.1 + 0.2, Source.PERSONAL, Reason(ReasonKind.TASTE))])
    restored = unpack(pack(feed))
    assert restored is not None
    assert restored.scores == feed.scores
    assert restored.built_at - BUILT == timedelta(0)


@pytest.mark.parametrize(
    ("most", "width"), [(2**16 - 1, 3), (2**24 - 1, 3), (2**24, 4), (2**32 - 1, 4), (2**32, 8), (2**39, 8)]
)
def test_papers_take_as_few_bytes_as_the_largest_needs(most: int, width: int) -> None:
    numbers = [most, 1, 256, 65_535, most - 1]
    feed = make([Entry(number, 1.0, Source.PERSONAL, Reason(ReasonKind.TASTE)) for number in numbers], pool=(2, most))
    assert pack(feed)[3] == width
    assert packed(feed).paper_ids == [*numbers, 2, most]
    found = unpack(pack(feed))
    assert found is not None
    assert same(found, feed)


@given(st.lists(reasons(), max_size=200))
@settings(max_examples=60, deadline=None)
def test_reasons_take_no_more_bytes_than_a_list_has_for_them(wanted: list[Reason]) -> None:
    feed = make([Entry(at + 1, 1.0, Source.PERSONAL, reason) for at, reason in enumerate(wanted)])
    bare = make([Entry(at + 1, 1.0, Source.PERSONAL, Reason(ReasonKind.TASTE)) for at in range(len(wanted))])
    assert len(pack(feed)) - len(pack(bare)) <= MOST_REASON_BYTES
    assert all(feed.reason(at).kind in {reason.kind, ReasonKind.TASTE} for at, reason in enumerate(wanted))
