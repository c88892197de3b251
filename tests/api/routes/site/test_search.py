"""The page of searches."""

import re
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from api.routes.site.search_asking import Asked
from api.routes.site.visiting import local_path
from api.runtime.state import Runtime
from api.services.search_cursors import SearchPlace, write_place
from api.services.searching import MOST_FOUND
from api.store.engine import Database
from tests.api.routes.search.index import TEXTS, write
from tests.api.routes.site.pages import HTML, card_of, csrf_of, links, listed, main_of


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about pages."""
    return sqlite_database


@pytest.fixture
def found(database: Database, client: TestClient, runtime: Runtime) -> TestClient:
    """Return a browser at a service whose index has five papers."""
    write(database, runtime, TEXTS)
    client.headers.update(HTML)
    return client


@pytest.fixture
def many(database: Database, client: TestClient, runtime: Runtime) -> TestClient:
    """Return a browser at a service whose index has sixty papers about ladders."""
    texts = {number: (f"Ladders of kind {number}", "Why ladders lean. " * 40) for number in range(1, 61)}
    write(database, runtime, texts)
    client.headers.update(HTML)
    return client


def chips(text: str) -> dict[str, tuple[str, int]]:
    """Return the values of the filters: where they lead to and how many papers they have."""
    pattern = r'<a href="([^"]+)" rel="nofollow"[^>]*>([^<]+?) <span class="note">([\d,]+)</span>'
    return {
        unescape(name): (unescape(href), int(count.replace(",", ""))) for href, name, count in re.findall(pattern, text)
    }


def test_a_search_finds_counts_and_marks(found: TestClient) -> None:
    page = found.get("/search?q=sparse attention")
    assert page.status_code == 200
    assert listed(page.text)[0] == 1
    assert "1 paper matches" in page.text
    assert "<h1>Papers for “sparse attention”</h1>" in page.text
    first = card_of(page.text, 1)
    assert "<mark>Sparse</mark> <mark>attention</mark> for long documents" in first
    assert '<p class="passage">We cut <mark>attention</mark>' in first


def test_the_box_at_the_top_keeps_what_was_asked_for(found: TestClient) -> None:
    page = found.get('/search?q="><script>alert(1)</script>').text
    assert "<script>alert" not in page
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in page


def test_the_beginning_of_a_word_finds_it_unless_it_is_whole(found: TestClient) -> None:
    assert listed(found.get("/search?q=surv").text)[0] == 5
    page = found.get("/search?q=surv&prefix=false").text
    assert "1 paper matches" not in page
    assert 'name="prefix" value="false" checked' in page


def test_without_words_all_papers_come_newest_first(found: TestClient) -> None:
    page = found.get("/search")
    assert listed(page.text) == [5, 4, 3, 2, 1]
    assert "5 papers." in page.text
    assert "You are up to date: these are all of them." in page.text


def test_filters_lead_to_what_they_count(found: TestClient) -> None:
    values = chips(found.get("/search").text)
    assert values["cs.CL"][1] == 3
    assert values["2026"][1] == 5
    narrowed = found.get(values["cs.CL"][0]).text
    assert listed(narrowed) == [5, 3, 1]
    assert chips(narrowed)["cs.IR"][1] == 2
    assert listed(found.get(chips(narrowed)["cs.IR"][0]).text) == [5, 4, 3, 2, 1]
    assert listed(found.get(chips(narrowed)["cs.CL"][0]).text) == [5, 4, 3, 2, 1]


def test_a_filter_in_force_can_be_taken_away(found: TestClient) -> None:
    page = main_of(found.get("/search?q=attention&category=cs.IR&from=2026-03-01&to=2026-03-31").text)
    nav = page.partition('aria-label="Filters in force"')[2].partition("</nav>")[0]
    addresses = [unescape(href) for href in re.findall(r'href="([^"]+)"', nav)]
    assert len(addresses) == 2
    assert "category" not in addresses[0]
    assert "from=2026-03-01" in addresses[0]
    assert parse_qs(urlsplit(addresses[1]).query) == {"q": ["attention"], "category": ["cs.IR"]}


def test_days_and_code_narrow_a_search(found: TestClient) -> None:
    assert listed(found.get("/search?from=2026-03-03&to=2026-03-04").text) == [3, 2]
    assert listed(found.get("/search?with_code=true").text) == []
    assert len(listed(found.get("/search?with_code=false").text)) == 5


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2026-02-31", "from=2026-03-05&to=2026-03-01", "category=" + "x" * 80]
)
def test_what_can_be_no_filter_is_told_in_words(found: TestClient, query: str) -> None:
    page = found.get(f"/search?q=attention&{query}")
    assert page.status_code == 422
    assert "<h1>Papers for “attention”</h1>" in page.text
    assert 'class="note old"' in page.text


@pytest.mark.parametrize(("sort", "order"), [("newest", [5, 4, 3, 2, 1]), ("oldest", [1, 2, 3, 4, 5])])
def test_orders(found: TestClient, sort: str, order: list[int]) -> None:
    page = found.get(f"/search?sort={sort}")
    assert listed(page.text) == order
    assert re.search(rf'href="/search\?sort={sort}" aria-current="true"', page.text)


def test_pages_repeat_nothing_though_papers_arrive_meanwhile(
    many: TestClient, database: Database, runtime: Runtime
) -> None:
    first = many.get("/search?q=ladders&sort=newest").text
    assert "60 papers match" in first
    [second] = links(first, "next")
    write(
        database,
        runtime,
        dict.fromkeys(range(100, 120), ("Ladders, too", "More ladders.")),
        updated_at=datetime.now(UTC),
    )
    seen, path = listed(first), second
    while path:
        text = many.get(path).text
        seen += listed(text)
        path = next(iter(links(text, "next")), "")
    assert len(seen) == len(set(seen)) == 60
    assert max(seen) == 60


def test_a_later_page_says_where_it_begins_and_leads_back(many: TestClient) -> None:
    [second] = links(many.get("/search?q=ladders").text, "next")
    page = many.get(second).text
    assert "From paper 21 on." in page
    assert links(page, "prev") == ["/search?q=ladders"]


def test_a_cursor_of_another_search_leads_to_the_first_page(many: TestClient) -> None:
    [second] = links(many.get("/search?q=ladders").text, "next")
    page = many.get(second.replace("q=ladders", "q=lean"))
    assert page.status_code == 200
    assert "belongs to another search" in page.text
    assert "60 papers match" in page.text


def test_the_form_of_a_later_page_leads_back_to_it(many: TestClient) -> None:
    [second] = links(many.get("/search?q=ladders").text, "next")
    page = many.get(second).text
    [back] = set(re.findall(r'name="back" value="([^"]+)"', page))
    assert unescape(back) == second


def test_forms_lead_back_to_the_longest_page(runtime: Runtime) -> None:
    place = SearchPlace(tuple(range(10**6, 10**6 + MOST_FOUND)), (1.0,) * MOST_FOUND, 20, 10**6, is_degraded=False)
    address = Asked("ladders").address(cursor=write_place(runtime.keys, place, scope="any"))
    assert len(address) > 3_000
    assert local_path(address) == address


def test_what_was_found_can_be_followed_as_a_feed(found: TestClient) -> None:
    page = found.get("/search?q=attention&category=cs.IR").text
    [feed] = re.findall(r'rel="alternate" type="application/atom\+xml"[^>]*href="([^"]+)"', page)
    assert unescape(feed) == "/feeds/search.atom?q=attention&category=cs.IR"
    assert "<entry>" in found.get(unescape(feed)).text


def test_the_taste_of_a_reader_is_an_order_for_readers_only(found: TestClient) -> None:
    page = found.get("/search?q=attention").text
    assert "Best for you" not in page
    csrf = csrf_of(page)
    form = {"csrf": csrf, "kind": "save", "paper": "2603.00004", "back": "/search"}
    assert found.post("/act", data=form, headers={"origin": "http://testserver"}).status_code == 200
    own = found.get("/search?q=attention&personal=true")
    assert own.status_code == 200
    assert "Best for you" in own.text
    assert 'name="unsave"' in card_of(own.text, 4)


def test_nothing_found_says_what_may_help(found: TestClient) -> None:
    page = found.get("/search?q=zzzqqq&category=cs.XX")
    assert page.status_code == 200
    assert not listed(page.text)
    assert "No paper matches." in page.text


@pytest.mark.parametrize("q", ["(", '"', "AND OR", "\x00", "a" * 3_000, "title:", "-", "𝔸𝔹 ∫", "%00"])
def test_any_text_is_a_search(found: TestClient, q: str) -> None:
    assert found.get("/search", params={"q": q}).status_code == 200


def test_a_full_page_stays_light(many: TestClient) -> None:
    page = many.get("/search?q=ladders").text
    assert len(listed(page)) == 20
    assert len(page.encode()) < 45_000


def test_a_page_of_a_search_is_for_one_visitor(found: TestClient) -> None:
    page = found.get("/search?q=attention")
    assert page.headers["cache-control"] == "private, no-store"
    assert "data-slate=" in page.text
