"""A reader's own feed under a secret address: made, read, and ended."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.runtime.state import Runtime
from api.services.feed_addresses import MOST_ADDRESSES, make_address
from api.services.slates import Slate, open_slate
from api.settings import Settings
from api.store.engine import Database
from api.store.tables import Event, User
from api.store.tables_feed_addresses import FeedAddress
from recommender.domain import EventKind
from tests.api.feed_checker import check
from tests.api.feed_world import NOW, add_event
from tests.api.routes.site.signing_world import ORIGIN, begin_session_of, send

FORMS = ("rss", "atom", "json")
READER = 1


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what SQL is asked here is asked of both kinds elsewhere."""
    return sqlite_database


@pytest.fixture
def secret(world: Database) -> str:
    """Return the secret of an address of a reader's feed."""
    with world.write() as session:
        return make_address(session, READER, label="my phone", now=NOW)


@pytest.fixture
def signed_in(world: Database, settings: Settings, runtime: Runtime) -> Iterator[TestClient]:
    """Return a browser in which that reader is signed in."""
    cookies = begin_session_of(READER, world, runtime)
    with TestClient(create_app(settings), cookies=cookies) as browser:
        yield browser


def press(browser: TestClient, path: str, **fields: str) -> tuple[int, str]:
    """Send a form of the page; return what came of it."""
    answer = send(browser, path, page="/settings/feeds", **fields)
    return answer.status_code, answer.text


def items(client: TestClient, secret: str) -> list[dict[str, str]]:
    answer = client.get(f"/feeds/private/{secret}.json")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()["items"]
    return found


@pytest.mark.parametrize("form", FORMS)
def test_the_feed_is_the_readers_own_in_every_form(client: TestClient, secret: str, form: str) -> None:
    where = f"/feeds/private/{secret}.{form}"
    answer = client.get(where)
    assert answer.status_code == 200
    assert len(check(answer.content, form, self_url=f"http://testserver{where}")) == 30
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_every_paper_says_why_and_its_link_carries_the_slate(
    client: TestClient, runtime: Runtime, secret: str, settings: Settings
) -> None:
    found = items(client, secret)
    links = [re.search(r"\?slate=([^&]+)&position=(\d+)$", item["url"]) for item in found]
    assert all(links)
    [token] = {link[1] for link in links if link}
    slate = open_slate(runtime.keys, token, now=datetime.now(UTC), days=settings.slate_days)
    assert isinstance(slate, Slate)
    assert slate.user_id == READER
    assert [shown.position for shown in slate.papers.values()] == [int(link[2]) for link in links if link]
    assert all(item["content_html"].startswith("<p><em>") for item in found)


def test_reading_a_feed_logs_nothing(client: TestClient, secret: str, world: Database) -> None:
    def count() -> int:
        with world.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(Event)) or 0

    before = count()
    items(client, secret)
    assert count() == before


def test_an_unchanged_list_is_answered_with_304_and_a_changed_one_is_not(
    client: TestClient, secret: str, world: Database, runtime: Runtime
) -> None:
    where = f"/feeds/private/{secret}.rss"
    first = client.get(where)
    known = {"If-None-Match": first.headers["etag"]}
    again = client.get(where, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(where).content == first.content
    assert first.headers["etag"].startswith("W/")
    seen = items(client, secret)
    add_event(world, READER, _first_paper(world, seen), EventKind.DISMISS)
    runtime.feeds.drop_list(READER)
    changed = client.get(where, headers=known)
    assert changed.status_code == 200
    assert items(client, secret)[0]["id"] != seen[0]["id"]


def _first_paper(world: Database, found: list[dict[str, str]]) -> int:
    return int(found[0]["url"].partition("/papers/p")[2].partition("?")[0])


def test_a_revoked_address_is_gone_and_the_others_stay(client: TestClient, secret: str, signed_in: TestClient) -> None:
    status, page = press(signed_in, "/settings/feeds", label="another")
    assert status == 200
    other = re.findall(r"/feeds/private/([^.]+)\.rss", page)[0]
    number = re.search(r'name="address" value="(\d+)"', signed_in.get("/settings/feeds").text)
    assert number is not None
    assert press(signed_in, "/settings/feeds/revoke", address=number[1])[0] == 303
    assert client.get(f"/feeds/private/{secret}.rss").status_code == 410
    assert client.get(f"/feeds/private/{other}.rss").status_code == 200
    assert press(signed_in, "/settings/feeds/revoke", address=number[1])[0] == 404


def test_the_secret_is_shown_once_and_only_its_hash_is_kept(signed_in: TestClient, world: Database) -> None:
    _, page = press(signed_in, "/settings/feeds", label="reader <one>")
    [secret] = set(re.findall(r"/feeds/private/([^.]+)\.rss", page))
    with world.read() as session:
        [row] = session.scalars(sa.select(FeedAddress))
    assert secret not in (row.secret_hash, row.label)
    again = signed_in.get("/settings/feeds").text
    assert secret not in again
    assert "reader &lt;one&gt;" in again


def test_nobody_else_can_revoke_an_address(signed_in: TestClient, world: Database, client: TestClient) -> None:
    with world.write() as session:
        others = make_address(session, 2, label="", now=NOW)
        [number] = session.scalars(sa.select(FeedAddress.address_id))
    assert press(signed_in, "/settings/feeds/revoke", address=str(number))[0] == 404
    assert client.get(f"/feeds/private/{others}.rss").status_code == 200


@pytest.mark.parametrize("address", ["", "x", "-1", "9" * 30, "²"])
def test_a_form_that_names_no_address_changes_nothing(signed_in: TestClient, address: str) -> None:
    assert press(signed_in, "/settings/feeds/revoke", address=address)[0] == 422


def test_there_is_a_limit_to_addresses_and_to_their_names(signed_in: TestClient, world: Database) -> None:
    assert press(signed_in, "/settings/feeds", label="x" * 101)[0] == 422
    with world.write() as session:
        for _ in range(MOST_ADDRESSES):
            make_address(session, READER, label="", now=NOW)
    assert press(signed_in, "/settings/feeds", label="one more")[0] == 409
    assert "Make an address" not in signed_in.get("/settings/feeds").text


def test_a_stranger_is_told_to_sign_in(world: Database, client: TestClient) -> None:
    page = client.get("/settings/feeds")
    assert page.status_code == 200
    assert "Sign in" in page.text
    assert press(client, "/settings/feeds", label="x")[0] == 403


def test_a_form_without_its_token_changes_nothing(signed_in: TestClient, world: Database) -> None:
    answer = signed_in.post("/settings/feeds", data={"label": "x"}, headers=ORIGIN)
    assert answer.status_code == 403
    with world.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(FeedAddress)) == 0


@pytest.mark.parametrize("secret", ["nothing", "x" * 43, "x" * 5_000, "%00", "..%2f"])
def test_an_address_that_nobody_has_is_not_found(client: TestClient, world: Database, secret: str) -> None:
    assert client.get(f"/feeds/private/{secret}.rss").status_code == 404


def test_addresses_go_with_their_reader(world: Database, client: TestClient, secret: str) -> None:
    with world.write() as session:
        session.execute(sa.delete(User).where(User.user_id == READER))
        assert session.scalar(sa.select(sa.func.count()).select_from(FeedAddress)) == 0
    assert client.get(f"/feeds/private/{secret}.rss").status_code == 404


def test_logs_do_not_know_the_secret(client: TestClient, secret: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        client.get(f"/feeds/private/{secret}.rss")
    paths = [getattr(record, "path", "") for record in caplog.records]
    assert "/feeds/private/..." in paths
    assert all(secret not in path for path in paths)


def test_without_a_cache_and_a_model_the_feed_is_what_everybody_gets(
    client: TestClient, world: Database, secret: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(runtime.serving), "current", property(lambda _self: None))
    monkeypatch.setattr(runtime.serving, "poll", lambda: None)
    assert items(client, secret)
