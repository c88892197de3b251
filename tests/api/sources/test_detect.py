"""Papers from every format, and lines that are none."""

from datetime import UTC, datetime

import orjson
import pytest

from api.ids import title_key
from api.sources.detect import FORMATS, parse_stream
from api.sources.records import Organization, PaperRecord, RejectedLine
from tests.shared import shared_data

SNAPSHOT = {
    "id": "hep-th/9901001",
    "title": "Branes and\n  Planes",
    "abstract": "  We look at\nbranes. ",
    "categories": "hep-th math.AG",
    "authors": "ignored",
    "authors_parsed": [["Bee", "Ann", ""], ["Dee", "Cy", "Jr."], ["Collaboration", "", ""]],
    "versions": [{"version": "v1", "created": "Fri, 1 Jan 1999 20:03:17 GMT"}, {"version": "v2", "created": "x"}],
    "update_date": "2009-10-31",
}
RECORD: dict[str, object] = {
    "id": "2512.01234",
    "title": "Fast Things",
    "summary": "They are fast.",
    "authors": [{"name": "Ann Bee", "hidden": False}, {"name": "Cy Dee", "hidden": True}],
    "publishedAt": "2025-12-01T10:00:00.000Z",
    "submittedOnDailyAt": "2025-12-08T01:02:03.000Z",
    "submittedOnDailyBy": {"user": "akh", "fullname": "A K", "type": "user"},
    "upvotes": 12,
    "githubRepo": "https://github.com/a/b",
    "githubStars": 34,
    "ai_keywords": ["speed", "things"],
    "ai_summary": "Fast.",
    "organization": {"name": "orga", "fullname": "Orga Inc"},
}
AROUND: dict[str, object] = {"numComments": 3, "thumbnail": "https://example.org/t.png"}
DAILY = {"paper": RECORD, "publishedAt": "2025-12-08T01:02:03.000Z"} | AROUND
ATOM = b"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
  <opensearch:totalResults>2</opensearch:totalResults>
  <entry>
    <id>http://arxiv.org/abs/2401.01234v2</id>
    <title>When $a &lt; b$:
      an order</title>
    <published>2024-01-02T03:04:05Z</published>
    <summary>Short &amp; sharp.</summary>
    <author><name>Ann Bee</name></author><author><name>Cy Dee</name></author>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="math.CO"/>
    <category term="cs.DM"/><category term="math.CO"/><category term="68T05"/><category term="I.2.7; I.2.6"/>
  </entry>
  <entry><id>http://arxiv.org/abs/2401.99999v1</id><title>Broken &nbsp; one</title></entry>
</feed>"""


def parsed(*values: object, name: str | None = None) -> list[PaperRecord | RejectedLine]:
    data = b"\n".join(value if isinstance(value, bytes) else orjson.dumps(value) for value in values)
    return list(parse_stream([data], name=name))


def paper(*values: object, name: str | None = None) -> PaperRecord:
    (record,) = parsed(*values, name=name)
    assert isinstance(record, PaperRecord), record
    return record


def reason(*values: object, name: str | None = None) -> str:
    (rejected,) = parsed(*values, name=name)
    assert isinstance(rejected, RejectedLine), rejected
    return rejected.reason


def test_a_snapshot_line_is_a_paper() -> None:
    assert paper(SNAPSHOT) == PaperRecord(
        title="Branes and Planes",
        source="arxiv",
        external_id="hep-th/9901001",
        summary="We look at branes.",
        authors=("Ann Bee", "Cy Dee Jr.", "Collaboration"),
        categories=("hep-th", "math.AG"),
        published_at=datetime(1999, 1, 1, 20, 3, 17, tzinfo=UTC),
        version=2,
        is_withdrawn=False,
    )


@pytest.mark.parametrize("document", [[DAILY], DAILY, RECORD | AROUND])
def test_a_daily_paper_is_read_from_a_list_an_item_and_a_record(document: object) -> None:
    assert paper(document) == PaperRecord(
        title="Fast Things",
        source="huggingface",
        external_id="2512.01234",
        summary="They are fast.",
        authors=("Ann Bee",),
        keywords=("speed", "things"),
        organization=Organization("orga", "Orga Inc"),
        published_at=datetime(2025, 12, 1, 10, tzinfo=UTC),
        daily_at=datetime(2025, 12, 8, 1, 2, 3, tzinfo=UTC),
        submitted_by="akh",
        upvotes=12,
        num_comments=3,
        github_repo="https://github.com/a/b",
        github_stars=34,
        thumbnail="https://example.org/t.png",
        ai_summary="Fast.",
    )


def test_an_atom_feed_gives_its_good_entries_beside_a_broken_one() -> None:
    good, broken = parsed(ATOM)
    assert good == PaperRecord(
        title="When $a < b$: an order",
        source="arxiv",
        external_id="2401.01234",
        summary="Short & sharp.",
        authors=("Ann Bee", "Cy Dee"),
        categories=("math.CO", "cs.DM"),
        published_at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        version=2,
        is_withdrawn=False,
    )
    assert isinstance(broken, RejectedLine)
    assert broken.line == 14
    assert "undefined entity" in broken.reason


def test_a_feed_that_starts_with_a_document_type_reads_no_file() -> None:
    head = b'<!DOCTYPE feed [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    feed = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>2401.00001</id><title>%s</title></entry></feed>"
    assert [type(found) for found in parse_stream([head + feed % b"&a;"])] == [RejectedLine]
    assert [type(found) for found in parse_stream([head + feed % b"T"])] == [PaperRecord]


def test_an_encoding_that_nobody_can_read_is_a_rejected_entry() -> None:
    head = b'<?xml version="1.0" encoding="utf-7"?>'
    feed = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>2401.00001</id><title>T</title></entry></feed>"
    assert [type(found) for found in parse_stream([head + feed])] == [RejectedLine]


def test_entities_of_a_document_type_are_never_expanded() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><feed><entry><title>&a;</title></entry></feed>'
    assert "undefined entity" in reason(bomb)


def test_an_error_of_arxiv_is_no_paper() -> None:
    feed = (
        b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>http://arxiv.org/api/errors#x</id>"
        b"<title>Error</title><summary>incorrect id format</summary></entry></feed>"
    )
    assert "incorrect id format" in reason(feed)


def test_a_plain_line_needs_no_more_than_a_title() -> None:
    assert paper({"title": "  Alone\n here ", "position": 3, "organization": None}) == PaperRecord("Alone here", "file")


def test_a_plain_line_may_say_everything() -> None:
    line = {
        "id": "x-1",
        "title": "All",
        "abstract": "Words.",
        "authors": [{"name": "Ann Bee"}, "Cy Dee"],
        "num_authors": 2,
        "categories": "cs.AI cs.LG",
        "keywords": ["k one", "k two"],
        "organization": "Orga",
        "published_at": "2025-01-11",
        "daily_at": "2025-01-12T01:00:00+02:00",
        "submitted_by": "me",
        "upvotes": 4.0,
        "num_comments": 0,
    }
    assert paper(line) == PaperRecord(
        title="All",
        source="file",
        external_id="x-1",
        summary="Words.",
        authors=("Ann Bee", "Cy Dee"),
        num_authors=2,
        categories=("cs.AI", "cs.LG"),
        keywords=("k one", "k two"),
        organization=Organization("Orga", "Orga"),
        published_at=datetime(2025, 1, 11, tzinfo=UTC),
        daily_at=datetime(2025, 1, 11, 23, tzinfo=UTC),
        submitted_by="me",
        upvotes=4,
        num_comments=0,
    )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"not json", "not JSON"),
        (b'{"id": "a"', "not JSON"),
        (b'{"title": "\xff"}', "not JSON"),
        (b'{"title": "\\ud800"}', "not JSON"),
        (b'{"title": NaN}', "not JSON"),
        (b"3", "not a JSON object"),
        (b'"{}"', "not a JSON object"),
        ({"id": "a"}, "the title is missing"),
        ({"id": "a", "title": " \n"}, "the title is missing"),
        ({"id": "a", "title": 7}, "title is not text"),
        ({"id": "a", "title": "x" * 2001}, "the title is longer"),
        ({"id": ["a"], "title": "T"}, "the id is not text"),
        ({"id": 0.5, "title": "T"}, "the id is not text"),
        ({"id": "x" * 201, "title": "T"}, "the id is longer"),
        ({"id": "a\x00b", "title": "T"}, "control characters"),
        ({"id": "arXiv:", "title": "T"}, "the id is empty"),
        ({"title": "T", "published_at": "yesterday"}, "published_at is not a date"),
        ({"title": "T", "published_at": "0001-01-01T00:00:00+14:00"}, "published_at is not a date"),
        ({"title": "T", "published_at": 20250101}, "published_at is not a date"),
        ({"title": "T", "upvotes": -1}, "upvotes is out of range"),
        ({"title": "T", "upvotes": 2**31}, "upvotes is out of range"),
        ({"title": "T", "upvotes": "many"}, "upvotes is not a number"),
        ({"title": "T", "upvotes": True}, "upvotes is not a number"),
        ({"title": "T", "categories": {"a": 1}}, "categories is not a list"),
        ({"title": "T", "categories": ["c" * 61]}, "a category is longer"),
        ({"title": "T", "authors": [7]}, "author is not text"),
        ({"paper": {"title": "T"}}, "the id is missing"),
        ({"title": "T", "abstract": "A", "versions": []}, "the id is missing"),
    ],
)
def test_a_line_that_is_no_paper_says_why(line: object, wanted: str) -> None:
    assert wanted in reason(line)


def test_text_never_carries_characters_that_a_database_refuses() -> None:
    record = paper({"title": "a\x00b\u2028c", "summary": "\x07d"})
    assert (record.title, record.summary) == ("a b c", "d")


def test_a_number_may_be_an_id() -> None:
    assert paper({"id": 17, "title": "T"}).external_id == "17"


def test_a_bad_line_leaves_its_neighbours_and_keeps_its_number() -> None:
    first, bad, last = parsed({"id": "a", "title": "A"}, b"", b"oops", {"id": "b", "title": "B"})
    assert isinstance(first, PaperRecord)
    assert isinstance(last, PaperRecord)
    assert isinstance(bad, RejectedLine)
    assert (bad.line, bad.text) == (3, "oops")


@pytest.mark.parametrize("first", [b"[1]", b"[oops", b"<<<", b"[]", b"\xef\xbb\xbf"])
def test_a_strange_first_line_does_not_hide_the_rest(first: bytes) -> None:
    records = parsed(first, {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    assert [record.external_id for record in records if isinstance(record, PaperRecord)] == ["a", "b"]


def test_a_named_format_is_not_guessed() -> None:
    assert reason(SNAPSHOT | {"id": None}, name="arxiv-snapshot") == "the id is missing"
    assert paper(SNAPSHOT, name="jsonl").source == "file"
    assert reason(b"<feed></feed>", name="jsonl").startswith("not JSON")


def test_every_named_format_has_a_parser() -> None:
    assert FORMATS == ("jsonl", "arxiv-snapshot", "huggingface", "arxiv-atom")
    assert all(list(parse_stream([b""], name=name)) == [] for name in FORMATS)


def test_titles_meet_whatever_their_case_and_punctuation() -> None:
    assert title_key("Ladder-Residual: a  Study") == title_key("ladder residual a study")
    assert title_key("!!!") != title_key("???")


@pytest.mark.quality
def test_the_papers_of_a_real_page_all_load() -> None:
    page = shared_data("daily_papers_page") / "papers.jsonl"
    records = list(parse_stream([page.read_bytes()]))
    assert len(records) == 63
    assert all(isinstance(record, PaperRecord) for record in records)
