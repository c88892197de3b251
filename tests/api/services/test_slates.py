"""What a page showed comes back with its events, and nothing else is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.services.feed_cursors import read_cursor, write_cursor
from api.services.feed_places import Page, cut, open_list
from api.services.slates import OVERLAP, Slate, open_slate, write_slate
from api.store.feed_codec import Entry, Reason, ReasonKind, Source, list_of
from api.store.packed_list import packed
from recommender.slate_randomisation import Randomisation

SECRET = b"a signing secret of the tests, long enough"
KEYS = KeyRing([SigningKey(SECRET)])
NOW = datetime.now(UTC).replace(microsecond=5)
CHANCE = Randomisation(0.1, 0.05)


def page_of(paper_ids: list[int], *, pool: tuple[int, ...] = (), chance: Randomisation = CHANCE) -> Page:
    """Return the first page of a list of these papers."""
    entries = [Entry(paper_id, 1.0, Source(at % 4), Reason(ReasonKind.TASTE)) for at, paper_id in enumerate(paper_ids)]
    feed = packed(list_of(entries, user_id=3, version="20261123-040000-ab12", seq=1, built_at=NOW, pool=pool))
    return cut(open_list(feed, slate_id=b"\0slate\xff!", randomisation=chance), hidden=(), limit=100)[0]


def opened(token: str, *, keys: KeyRing = KEYS, now: datetime = NOW) -> Slate | str:
    return open_slate(keys, token, now=now, days=30)


@given(
    st.lists(st.integers(1, 2**39), max_size=100, unique=True),
    st.integers(0, 2**50),
    st.integers(1, 60_000),
    st.builds(Randomisation, st.floats(0, 0.5), st.floats(0.01, 1)),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=16),
)
@settings(max_examples=60, deadline=None)
def test_a_slate_says_what_was_shown(
    paper_ids: list[int], user_id: int, first_rank: int, chance: Randomisation, variant: str
) -> None:
    page = replace(page_of(paper_ids[5:], pool=tuple(paper_ids[:5]), chance=chance), first_rank=first_rank)
    slate = opened(write_slate(KEYS, page, user_id=user_id, variant=variant, now=NOW))
    assert isinstance(slate, Slate)
    assert (slate.user_id, slate.variant, slate.shown_at) == (user_id, variant, NOW)
    assert (slate.slate_id, slate.version) == ("00736c617465ff21", "20261123-040000-ab12")
    assert list(slate.papers) == page.paper_ids
    for at, shown in enumerate(slate.papers.values()):
        assert shown.position == first_rank + at
        assert (shown.source, shown.propensity) == (page.sources[at], page.propensities[at])


def test_a_slate_of_twenty_papers_has_about_280_characters() -> None:
    page = page_of(list(range(10**6, 10**6 + 20)), pool=(7, 8, 9))
    token = write_slate(KEYS, page, user_id=10**6, variant="base", now=NOW)
    assert len(token) < 290
    assert all(character.isalnum() or character in "-_" for character in token)


@given(st.text(max_size=100))
def test_an_invented_slate_is_forged(token: str) -> None:
    assert opened(token) == "forged_slate"


@given(st.integers(0, 10**6), st.characters(codec="ascii"))
def test_a_changed_slate_is_forged(position: int, character: str) -> None:
    token = write_slate(KEYS, page_of([1, 2, 3]), user_id=3, variant="base", now=NOW)
    at = position % len(token)
    changed = token[:at] + character + token[at + 1 :]
    assert changed == token or opened(changed) == "forged_slate"


def test_a_slate_of_another_service_is_forged() -> None:
    token = write_slate(KeyRing([SigningKey(b"another")]), page_of([1]), user_id=3, variant="base", now=NOW)
    assert opened(token) == "forged_slate"


def test_a_sealed_text_of_another_form_is_forged() -> None:
    for payload in (b"", b"\x01" * 80, b"\x02"):
        assert opened(KEYS.seal(b"slate", payload)) == "forged_slate"


def test_a_cursor_is_no_slate() -> None:
    page = page_of([1, 2])
    cursor = write_cursor(KEYS, open_list(page.frozen, slate_id=page.slate_id), scope="slate")
    assert read_cursor(KEYS, cursor, scope="slate").frozen.paper_ids == [1, 2]
    assert opened(cursor) == "forged_slate"


def test_a_slate_is_accepted_as_long_as_the_setting_says() -> None:
    token = write_slate(KEYS, page_of([1]), user_id=3, variant="base", now=NOW)
    assert isinstance(opened(token, now=NOW + timedelta(days=30)), Slate)
    assert opened(token, now=NOW + timedelta(days=30, microseconds=1)) == "stale_slate"
    assert open_slate(KEYS, token, now=NOW + timedelta(days=8), days=7) == "stale_slate"


def test_slates_of_a_replaced_key_count_for_what_it_sealed_in_its_time() -> None:
    token = write_slate(KEYS, page_of([1]), user_id=3, variant="base", now=NOW)
    for replaced_at, expected in ((NOW, Slate), (NOW - OVERLAP / 2, Slate), (NOW - 2 * OVERLAP, str)):
        keys = KeyRing([SigningKey(b"new" * 12), SigningKey(SECRET, replaced_at)])
        found = opened(token, keys=keys)
        assert isinstance(found, expected)
        assert expected is Slate or found == "stale_slate"


def test_a_slate_refused_for_its_key_is_looked_at_again() -> None:
    token = write_slate(KEYS, page_of([1]), user_id=3, variant="base", now=NOW)
    known: list[SigningKey] = []
    keys = KeyRing([SigningKey(b"new" * 12)], reread=lambda: known)
    assert opened(token, keys=keys) == "forged_slate"
    known += [SigningKey(b"new" * 12), SigningKey(SECRET)]
    assert isinstance(opened(token, keys=keys), Slate)


def test_more_chances_than_a_slate_can_name_are_refused() -> None:
    page = page_of(list(range(1, 71)))
    spread = replace(page, propensities=[1 / (at + 2) for at in range(70)])
    with pytest.raises(ValueError, match="different propensities"):
        write_slate(KEYS, spread, user_id=3, variant="base", now=NOW)
