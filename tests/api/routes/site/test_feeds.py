"""Feeds that everybody can subscribe to, as feed readers ask for them."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services import syndication_xml
from api.services.syndication import Channel, Form
from api.store.engine import Database
from api.store.tables import Event, Paper
from tests.api.feed_checker import check
from tests.api.routes.hub_fixtures import let_changes_be_seen
from tests.api.routes.search.index import write

FORMS: tuple[Form, ...] = ("rss", "atom", "json")
TEXTS = {
    1: ("Sparse attention in transformers", "We make attention sparse."),
    2: ("Dense retrieval of papers", "Papers are found by vectors."),
    3: ("Graph learning at scale", "Graphs with a billion edges."),
}
TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json"}
PUBLIC = ("daily", "trending", "search?q=attention", "categories/cs.CL", "authors/Ada%20Nr3")


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what SQL is asked here is asked of both kinds elsewhere."""
    return sqlite_database


@pytest.fixture
def feeds(database: Database, client: TestClient, runtime: Runtime) -> TestClient:
    """Return a client of a service with papers that can be found."""
    lately = datetime.now(UTC) - timedelta(hours=2)
    write(database, runtime, TEXTS, upvotes=3, daily_at=lately, listed_at=lately)
    return client


def address(name: str, form: str) -> str:
    """Return the path of a feed."""
    path, mark, query = name.partition("?")
    return f"/feeds/{path}.{form}{mark}{query}"


def titles(client: TestClient, name: str, form: str = "json") -> list[str]:
    """Return what is in a feed, after a look at its form."""
    where = address(name, form)
    answer = client.get(where)
    assert answer.status_code == 200, answer.text
    return [entry["title"] for entry in check(answer.content, form, self_url=f"http://testserver{where}")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PUBLIC)
def test_every_feed_is_valid_in_every_form(feeds: TestClient, name: str, form: Form) -> None:
    assert titles(feeds, name, form)
    answer = feeds.get(address(name, form))
    assert answer.headers["content-type"].partition(";")[0] == TYPES[form]
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "set-cookie" not in answer.headers


def test_each_feed_has_its_own_papers(feeds: TestClient) -> None:
    assert set(titles(feeds, "daily")) == {title for title, _ in TEXTS.values()}
    assert titles(feeds, "search?q=attention") == ["Sparse attention in transformers"]
    assert titles(feeds, "categories/cs.IR") == ["Dense retrieval of papers"]
    assert titles(feeds, "authors/Ada%20Nr3") == ["Graph learning at scale"]
    assert titles(feeds, "search?q=graph&category=cs.CL") == ["Graph learning at scale"]


def test_without_daily_lists_the_daily_feed_has_what_is_newest(database: Database, client: TestClient) -> None:
    with database.write() as session:
        session.add(
            Paper(
                external_id="2401.00001",
                title="Alone",
                title_key="a",
                source="test",
                content_hash="",
                created_at=datetime.now(UTC),
                updated_at=datetime.now(UTC),
            )
        )
    assert titles(client, "daily") == ["Alone"]


@pytest.mark.parametrize("name", PUBLIC)
def test_who_has_a_feed_is_told_so_by_tag_and_by_time(feeds: TestClient, name: str) -> None:
    where = address(name, "rss")
    first = feeds.get(where)
    for known in ({"If-None-Match": first.headers["etag"]}, {"If-Modified-Since": first.headers["last-modified"]}):
        again = feeds.get(where, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"]
    stale = {"If-None-Match": '"another"', "If-Modified-Since": first.headers["last-modified"]}
    assert feeds.get(where, headers=stale).status_code == 200  # the tag says more than the time
    assert feeds.get(where, headers={"If-Modified-Since": "no time at all"}).status_code == 200


def test_an_unchanged_feed_is_not_written_again(
    feeds: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = feeds.get("/feeds/daily.rss").headers["etag"]
    written: list[str] = []

    def write_and_note(channel: Channel) -> bytes:
        written.append(channel.title)
        return b""

    monkeypatch.setitem(syndication_xml.WRITERS, "rss", write_and_note)
    monkeypatch.setattr(runtime.answers, "find", lambda _key: None)  # as after what is kept has ended
    assert feeds.get("/feeds/daily.rss", headers={"If-None-Match": f"W/{tag}"}).status_code == 304
    assert written == []


def test_an_answer_is_kept_and_a_new_paper_ends_it(
    feeds: TestClient, database: Database, runtime: Runtime, statements: list[str]
) -> None:
    first = feeds.get("/feeds/daily.atom")
    let_changes_be_seen(runtime)
    feeds.get("/feeds/daily.atom")
    statements.clear()
    assert feeds.get("/feeds/daily.atom").content == first.content
    assert statements == []
    write(database, runtime, {4: ("A new one", "New.")}, daily_at=datetime.now(UTC))
    let_changes_be_seen(runtime)
    changed = feeds.get("/feeds/daily.atom", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert b"A new one" in changed.content


def test_the_same_feed_under_another_name_of_the_host_says_that_name(feeds: TestClient) -> None:
    one = feeds.get("/feeds/daily.rss", headers={"Host": "one.test"})
    other = feeds.get("/feeds/daily.rss", headers={"Host": "other.test:8443"})
    assert b"http://one.test/papers/" in one.content
    assert b"one.test" not in other.content
    assert b"http://other.test:8443/feeds/daily.rss" in other.content
    assert one.headers["etag"] != other.headers["etag"]
    assert feeds.get("/feeds/daily.rss", headers={"Host": "a b"}).status_code == 422


def test_a_head_request_gets_the_headers_alone(feeds: TestClient) -> None:
    answer = feeds.head("/feeds/daily.rss")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == feeds.get("/feeds/daily.rss").headers["etag"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("daily.xml", 404),
        ("weekly.rss", 404),
        ("categories/cs.XX.rss", 404),
        ("authors/Nobody.rss", 404),
        ("trending.rss?window=year", 422),
        ("search.rss?q=" + "x" * 300, 422),
        ("search.rss?q=nothinglikeit", 200),
        ("search.rss", 200),
        ("search.json?q=%00%01%22%5D%5D%3E", 200),
    ],
)
def test_addresses_that_lead_nowhere_say_so(feeds: TestClient, path: str, status: int) -> None:
    assert feeds.get(f"/feeds/{path}").status_code == status


def test_trending_is_of_a_day_a_week_or_a_month(feeds: TestClient) -> None:
    for window, words in (("day", "today"), ("week", "this week"), ("month", "this month")):
        assert words in feeds.get(f"/feeds/trending.json?window={window}").json()["title"]


def test_a_removed_paper_is_in_no_feed(feeds: TestClient, database: Database) -> None:
    with database.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id == 1).values(deleted_at=datetime.now(UTC)))
    assert "Sparse attention in transformers" not in titles(feeds, "daily")
    assert titles(feeds, "search?q=attention") == []


def test_a_feed_costs_few_statements_and_writes_nothing(
    feeds: TestClient, database: Database, runtime: Runtime, statements: list[str]
) -> None:
    runtime.conditions.look()  # the state of the service is looked up once in a while, not for each feed
    statements.clear()
    feeds.get("/feeds/daily.json")
    assert len(statements) <= 10
    assert {statement.split()[0] for statement in statements} <= {"BEGIN", "SELECT"}
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == 0
