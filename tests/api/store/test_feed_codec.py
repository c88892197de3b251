"""The bytes of a prepared list."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from api.store.feed_codec import (
    MOST_REASONS,
    PAPER_REASONS,
    Entry,
    FeedList,
    Reason,
    ReasonKind,
    Source,
    list_of,
    pack,
    unpack,
)

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


def make(items: list[Entry], *, seq: int = 7, version: str = "v1") -> FeedList:
    """Return the list of these entries."""
    return list_of(items, user_id=42, version=version, seq=seq, built_at=BUILT)


def same(first: FeedList, second: FeedList) -> bool:
    """True when two lists show the same: the order of their tables of reasons does not matter."""
    return (
        (first.user_id, first.version, first.seq, first.built_at)
        == (second.user_id, second.version, second.seq, second.built_at)
        and (first.paper_ids, first.scores) == (second.paper_ids, second.scores)
        and [first.reason(at) for at in range(len(first))] == [second.reason(at) for at in range(len(second))]
        and [first.source(at) for at in range(len(first))] == [second.source(at) for at in range(len(second))]
    )


@given(
    st.lists(entries, max_size=80),
    st.integers(0, 2**60),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_a_list_comes_back_as_it_was(items: list[Entry], seq: int, version: str) -> None:
    feed = make(items, seq=seq, version=version)
    restored = unpack(pack(feed))
    assert restored is not None
    assert same(restored, feed)


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


def test_200_papers_with_many_reasons_stay_below_1900_bytes() -> None:
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
    assert len(pack(make(items, version="20260501-030000-123"))) <= 1900


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
