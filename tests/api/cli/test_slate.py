"""`paperfeed slate` and `paperfeed secret`: what a slate says, whether its list gives it again, and new keys."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from click.testing import CliRunner

from api.cli.secret import command as secret
from api.cli.slate import command as slate
from api.runtime.keys import KeyRing, open_key_ring
from api.services.arranging import randomisation_of
from api.services.feed_places import cut, open_list
from api.services.slates import write_slate
from api.settings import read_settings
from api.store.engine import Database
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.feeds import FeedStore
from api.store.packed_list import packed
from api.store.tables import Paper, User
from tests.api.feed_world import paper_row, user_row

NOW = datetime.now(UTC)
SLATE_ID = b"slate 17"
PAPERS = range(1000, 1030)


@pytest.fixture
def installed(
    sqlite_database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KeyRing]:
    """Return the keys of an installation with one reader and thirty papers."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    url = sqlite_database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("PAPERFEED_DATABASE_URL", url)
    monkeypatch.setenv("PAPERFEED_CACHE_URL", redis_url)
    monkeypatch.setenv("PAPERFEED_SECRET_KEY", "a signing secret of the tests, long enough")
    read_settings.cache_clear()
    rows = [paper_row(at, title=f"title {at}", category="cs.IR", listed_at=NOW) for at in PAPERS]
    with sqlite_database.write() as session:
        session.execute(sa.insert(Paper), rows)
        session.execute(sa.insert(User), [user_row(3)])
    yield open_key_ring(read_settings())
    read_settings.cache_clear()


def listed(paper_ids: list[int], *, built_at: datetime = NOW, hidden: frozenset[int] = frozenset()) -> FeedList:
    """Return a list of the reader."""
    entries = [Entry(paper_id, 1.0, Source.PERSONAL, Reason(ReasonKind.TASTE)) for paper_id in paper_ids]
    return list_of(
        entries, user_id=3, version="v1", seq=1, built_at=built_at, hidden=hidden, pool=(1028, 1029, 1027, 1026, 1025)
    )


def shown(keys: KeyRing, feed: FeedList, *, user_id: int = 3, now: datetime = NOW + timedelta(seconds=1)) -> str:
    """Return the slate of the second page of a list, of ten papers."""
    place = open_list(
        packed(feed), slate_id=SLATE_ID, hidden=feed.hidden, randomisation=randomisation_of(read_settings())
    )
    first, following = cut(place, hidden=(), limit=10)
    assert following is not None
    page, _ = cut(place.after(first, following=following), hidden=(), limit=10)
    return write_slate(keys, page, user_id=user_id, variant="base", now=now)


def check(token: str) -> list[str]:
    """Return the lines that the command prints."""
    result = CliRunner().invoke(slate, [token])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def write(redis_url: str, feed: FeedList) -> None:
    store = FeedStore(redis_url)
    assert store.write_list(feed)
    store.close()


def test_a_slate_is_printed_and_worked_out_again(installed: KeyRing, redis_url: str) -> None:
    feed = listed(list(PAPERS)[:25], hidden=frozenset({1003, 1026}))
    write(redis_url, feed)
    lines = check(shown(installed, feed))
    assert lines[0].startswith("slate 736c617465203137, shown 20")
    assert lines[1] == "reader u3, model v1, variant base"
    assert [line.split("\t")[0] for line in lines[2:12]] == [str(at) for at in range(11, 21)]
    assert all(line.split("\t")[1].startswith("p10") for line in lines[2:12])
    assert lines[12:] == ["accepted with events", "the cached list gives the same page"]


def test_a_paper_hidden_since_is_what_the_page_shows_nothing_of(installed: KeyRing, redis_url: str) -> None:
    feed = listed(list(PAPERS)[:25])
    write(redis_url, feed)
    token = shown(installed, feed)
    store = FeedStore(redis_url)
    store.mark_hidden(3, [1015])
    assert check(token)[-1] == "the cached list gives the same page"
    store.mark_hidden(3, [1000])
    store.close()
    assert check(token)[-1].startswith("the cached list gives another page")


def test_a_list_that_changed_or_went_cannot_be_worked_out(installed: KeyRing, redis_url: str) -> None:
    feed = listed(list(PAPERS)[:25])
    token = shown(installed, feed)
    assert check(token)[-1].startswith("the list is not in the cache")
    write(redis_url, listed(list(PAPERS)[5:25], built_at=NOW + timedelta(minutes=1)))
    assert check(token)[-1].startswith("the list was built anew")
    with redis.Redis.from_url(redis_url) as cache:
        cache.flushdb()
    write(redis_url, listed(list(PAPERS)[5:25]))
    assert check(token)[-1].startswith("the cached list gives another page")


def test_an_old_slate_is_printed_and_not_accepted(installed: KeyRing) -> None:
    lines = check(shown(installed, listed(list(PAPERS)), user_id=0, now=NOW - timedelta(days=31)))
    assert lines[1] == "reader nobody in particular, model v1, variant base"
    assert lines[-2] == "not accepted with events: stale_slate"


def test_what_is_no_slate_is_one_line(installed: KeyRing) -> None:
    result = CliRunner().invoke(slate, ["no-slate"])
    assert result.exit_code == 1
    assert "forged_slate" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_configured_key_is_not_rotated_here(installed: KeyRing) -> None:
    result = CliRunner().invoke(secret, ["rotate"])
    assert result.exit_code == 1
    assert "PAPERFEED_OLD_SECRET_KEYS" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_key_of_the_embedded_mode_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    read_settings.cache_clear()
    before = open_key_ring(read_settings()).seal(b"p", b"x")
    result = CliRunner().invoke(secret, ["rotate"])
    assert result.exit_code == 0, result.output
    opened = open_key_ring(read_settings()).open(b"p", before)
    assert opened is not None
    assert opened.retired_at is not None
    read_settings.cache_clear()
