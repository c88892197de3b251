"""Feeds as documents: whatever papers say, they are what the specifications ask for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services.feed_items import LONGEST_SUMMARY, MOST_AUTHORS, item_id, make_item, paper_path
from api.services.syndication import Channel, Form, cleaned, one_line, rfc_3339, tag_of
from api.services.syndication_xml import WRITERS
from api.store.tables import Paper
from tests.api.feed_checker import check

BASE = "https://papers.test"
SELF = f"{BASE}/feeds/daily"
LISTED = datetime(2026, 5, 1, 12, 30, 15, 500_000, tzinfo=UTC)
FORMS: tuple[Form, ...] = ("rss", "atom", "json")
EVIL = 'A <b>bold</b> title & "quotes" ]]> <![CDATA[ x ]]> \x00\x01\x0b\x1f\x7f\x85\ud800\ufffe\u2028end <script>'
ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=60)


def paper(external_id: str = "2401.00001", **fields: object) -> Paper:
    """Return a paper as it is stored."""
    plain: dict[str, object] = {
        "external_id": external_id,
        "title": "A title",
        "summary": "What it says.",
        "authors": ["Ada Lovelace", "Alan Turing"],
        "categories": ["cs.IR"],
        "keywords": [],
        "listed_at": LISTED,
        "is_demo": False,
        "id_from_title": False,
    }
    return Paper(**(plain | fields))


def channel(*papers: Paper, query: str = "") -> Channel:
    """Return a feed of these papers."""
    items = tuple(make_item(each, url=BASE + paper_path(each.external_id)) for each in papers)
    return Channel(SELF, "Daily papers", "All of them.", f"{BASE}/", SELF, query, items)


@pytest.mark.parametrize("form", FORMS)
def test_a_feed_is_what_its_specification_asks_for(form: Form) -> None:
    papers = [paper(f"2401.{number:05}", title=f"Paper {number}") for number in range(1, 6)]
    entries = check(WRITERS[form](channel(*papers)), form, self_url=f"{SELF}.{form}")
    assert [entry["title"] for entry in entries] == [f"Paper {number}" for number in range(1, 6)]


@pytest.mark.parametrize("form", FORMS)
def test_a_feed_without_papers_is_a_feed(form: Form) -> None:
    assert check(WRITERS[form](channel()), form, self_url=f"{SELF}.{form}") == []


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_a_paper_says_breaks_a_feed(form: Form) -> None:
    hostile = paper(
        title=EVIL, summary=EVIL, authors=[EVIL, "", "\x00"], categories=[EVIL], github_repo='https://x/"onclick="'
    )
    [entry] = check(WRITERS[form](channel(hostile)), form, self_url=f"{SELF}.{form}")
    assert "\x01" not in str(entry)
    html = {"rss": lambda: entry["summary"], "json": lambda: entry["content_html"]}.get(form)
    assert "<script" not in str(html() if html else entry["content"][0]["value"])


@pytest.mark.parametrize("form", FORMS)
@given(title=ANY_TEXT, summary=ANY_TEXT, name=ANY_TEXT)
def test_any_text_makes_a_feed(form: Form, title: str, summary: str, name: str) -> None:
    made = channel(paper(title=title, summary=summary, authors=[name], categories=[name]))
    [entry] = check(WRITERS[form](made), form, self_url=f"{SELF}.{form}")
    assert entry["title"]


def test_a_papers_words_are_shown_and_none_of_its_markup_is_kept() -> None:
    item = make_item(paper(title="a < b", summary="x <i>y</i> & z", project_page="javascript:alert(1)"), url=BASE)
    assert item.title == "a < b"
    assert "x &lt;i&gt;y&lt;/i&gt; &amp; z" in item.html
    assert "javascript" not in item.html


def test_the_id_of_a_paper_says_nothing_of_the_host_and_differs_from_paper_to_paper() -> None:
    ids = {item_id(f"2401.{number:05}") for number in range(200)}
    assert len(ids) == 200
    assert item_id("2401.00001") == "urn:uuid:" + item_id("2401.00001").removeprefix("urn:uuid:")
    first = make_item(paper(), url=f"{BASE}/papers/2401.00001")
    moved = make_item(paper(title="Another title"), url="https://elsewhere.test/papers/2401.00001")
    assert first.item_id == moved.item_id


def test_a_revision_moves_the_date_of_change_and_not_the_day() -> None:
    later = LISTED + timedelta(days=40)
    item = make_item(paper(revised_at=later), url=BASE)
    assert (item.published, item.updated) == (LISTED, later)
    assert make_item(paper(revised_at=LISTED - timedelta(days=1)), url=BASE).updated == LISTED


def test_feeds_are_bounded_whatever_papers_hold() -> None:
    item = make_item(paper(summary="word " * 50_000, authors=[f"Name {n}" for n in range(5_000)]), url=BASE)
    assert len(item.summary) <= LONGEST_SUMMARY
    assert len(item.authors) == MOST_AUTHORS


def test_the_fingerprint_of_a_feed_follows_what_it_says() -> None:
    one = channel(paper())
    assert tag_of(one, "rss") == tag_of(channel(paper()), "rss")
    assert tag_of(one, "rss") != tag_of(one, "atom")
    assert tag_of(one, "rss") != tag_of(channel(paper(title="Another")), "rss")
    assert tag_of(one, "rss") != tag_of(channel(paper(), query="?q=x"), "rss")


def test_old_ids_and_odd_ones_make_addresses() -> None:
    assert paper_path("math/0211159") == "/papers/math/0211159"
    assert paper_path('title:a b"ü?') == "/papers/title:a%20b%22%C3%BC%3F"


def test_characters_that_xml_cannot_say_are_left_out() -> None:
    assert cleaned("a\x00b\x85c\ud800d\ufffee\U0001f600") == "abcde\U0001f600"
    assert one_line(" a\u2028b\x0b\x1cc\n\n d ") == "a b c d"


def test_times_are_written_to_the_second_in_universal_time() -> None:
    assert rfc_3339(LISTED) == "2026-05-01T12:30:15Z"
    assert rfc_3339(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"
