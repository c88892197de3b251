"""XML of strangers: any encoding, no bombs, never more memory than a few times its size."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from api.sources import safe_xml
from api.sources.arxiv import record_of
from api.sources.records import PaperRecord, RejectedLine
from api.sources.safe_xml import decoded, read_document, records_of
from api.sources.steps import Got, SourceFailed
from tests.api.sources.documents import BOMB, atom_entry, atom_feed

UMLAUTS = "Größe & Käse — naïve “Ünïcode” Łódź"
MB = 2**20


def got(body: bytes, content_type: str = "application/atom+xml") -> Got:
    return Got(200, {"content-type": content_type}, body, "http://example.org/feed?key=secret")


def title_in(body: bytes, content_type: str = "application/atom+xml") -> str:
    (record,) = records_of(read_document(got(body, content_type), root="feed", entry="entry"), record_of)
    assert isinstance(record, PaperRecord), record
    return record.title


def feed_titled(title: str, declared: str | None) -> str:
    text = atom_feed(atom_entry(title=title, authors=["Ann Bee"])).decode()
    return text.replace('"UTF-8"', f'"{declared}"') if declared else text.partition("\n")[2]


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("utf-8", "UTF-8", "application/atom+xml; charset=utf-8"),
        ("utf-8", "ISO-8859-1", "text/xml; charset=us-ascii"),  # both wrong
        ("utf-8", None, "text/xml"),
        ("utf-8-sig", "windows-1252", "text/xml"),
        ("utf-16", "UTF-16", "text/xml"),
        ("utf-16", "UTF-8", "text/xml"),  # wrong
        ("utf-16-le", None, "text/xml"),
        ("utf-16-be", "UTF-8", "text/xml"),  # wrong
        ("utf-32", "UTF-32", "text/xml"),
        ("cp1252", "windows-1252", "text/xml"),
        ("cp1252", "UTF-8", "text/xml"),  # wrong
        ("cp1252", None, "text/xml; charset=windows-1252"),
        ("cp1252", None, "text/xml"),  # says nothing
        ("cp1252", "no-such-encoding", "text/xml; charset=zlib"),
        ("iso-8859-2", "ISO-8859-2", "text/xml"),
        ("koi8-r", "KOI8-R", "text/xml"),
        ("gb18030", "GB18030", "text/xml"),
    ],
)
def test_text_survives_a_changed_encoding(encoding: str, declared: str | None, content_type: str) -> None:
    known = {"cp1252": "Größe — naïve Käse", "iso-8859-2": "Łódź größer", "koi8-r": "Лестницы и стены"}
    title = known.get(encoding, UMLAUTS)
    assert title_in(feed_titled(title, declared).encode(encoding), content_type) == title


def test_a_few_broken_bytes_do_not_spoil_the_rest() -> None:
    body = feed_titled(f"{UMLAUTS} ???", "UTF-8").encode().replace(b"???", b"\xff\xc3(")
    assert title_in(body).startswith(UMLAUTS)


def test_characters_that_xml_does_not_allow_become_spaces() -> None:
    assert title_in(feed_titled("a\x00b\x08c\x1bd", "UTF-8").encode()) == "a b c d"


def test_an_encoding_that_is_none_of_text_is_not_tried() -> None:
    for name in ("zlib", "rot13", "base64", "punycode", "idna", "unicode_escape", "utf-7", "undefined"):
        body = f'<?xml version="1.0" encoding="{name}"?><feed>+ADw-\\u0041'.encode() + b"\xff</feed>"
        assert "+ADw-\\u0041" in decoded(body)


def test_an_entity_of_ones_own_is_refused_wherever_it_stands() -> None:
    feed = atom_feed(atom_entry()).decode().partition("\n")[2]
    for body in (BOMB + feed, "<!-- a --><!DOCTYPE feed>" + feed, feed.replace("<entry>", "<!DOCTYPE x><entry>")):
        with pytest.raises(SourceFailed, match=r"did not answer with <feed>|is not XML"):
            records_of(read_document(got(body.encode()), root="feed", entry="entry"), record_of)


def test_the_parser_itself_stops_at_a_document_type() -> None:
    for start in (BOMB, '<!DOCTYPE a SYSTEM "file:///etc/passwd">', '<!DOCTYPE a [<!ENTITY x SYSTEM "http://h/">]>'):
        with pytest.raises(safe_xml.Refused, match="document type"):
            safe_xml.parsed(f"{start}<a>&f;</a>")


def test_an_entity_that_nobody_declared_rejects_its_entry_alone() -> None:
    broken = atom_entry("2611.00001v1").replace("<summary>", "<summary>&file;")
    document = read_document(got(atom_feed(broken, atom_entry())), root="feed", entry="entry")
    assert [type(item) for item in records_of(document, record_of)] == [RejectedLine, PaperRecord]


FEED = b"<feed xmlns='http://www.w3.org/2005/Atom'>"
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "blank": lambda size: FEED + b" " * (size - 100),
    "deep": lambda size: FEED + b"<a>" * min(100_000, size // 4),
    "deeper": lambda size: FEED + b"<a>" * (size // 3 - 20),
    "one text": lambda size: FEED + b"<entry><title>" + b"x" * (size - 100),
    "one tag": lambda size: FEED + b"<entry " + b"a='' " * (size // 5 - 20),
    "many attributes": lambda _: (
        FEED + b"<entry><x " + b"".join(b' a%d="1"' % at for at in range(40_000)) + b"/></entry>"
    ),
    "many elements": lambda size: FEED + b"<a/>" * (size // 4 - 20),
    "many entries": lambda size: FEED + b"<entry/>" * (size // 8 - 20) + b"</feed>",
    "many entries that are never closed": lambda size: FEED + b"<entry>" * (size // 7 - 20),
    "comments": lambda size: b"<!---->" * (size // 7 - 20) + b"<",
    "an endless comment": lambda size: b"<!--" + b"-" * (size - 100),
    "instructions": lambda size: b"<?a?>" * (size // 5 - 20) + b"<",
    "one instruction": lambda size: b"<?xml " + b"x" * (size - 100),
    "closing tags": lambda size: FEED + b"</entry" * (size // 7 - 20),
    "brackets": lambda size: b"<" * size,
    "a document type": lambda size: b"<!DOCTYPE a [" + b'<!ENTITY a "b">' * (size // 15 - 20),
    "a root's tag": lambda _: b"<feed " + b"a='' " * 20_000 + b">" + b"<entry>" * 100_000,
    "nulls": lambda size: b"\0" * size,
    "nulls in a text": lambda size: FEED + b"a\0" * (size // 2 - 50),
    "utf-16": lambda size: b"\xff\xfe" + b"<\0" * (size // 2 - 20),
    "nulls in utf-16": lambda size: b"\xff\xfe" + b"<\0\0\0" * (size // 4 - 20),
    "no characters": lambda size: FEED + b"\xff" * (size - 100),
    "no text": lambda size: bytes(range(256)) * (size // 256),
}


def refused_at(name: str, size: int) -> None:
    """Assert that a document is refused with memory for a few times its size, and about as long as reading it takes."""
    body = HOSTILE[name](size)
    gc.collect()
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(SourceFailed):
            records_of(read_document(got(body), root="feed", entry="entry"), record_of)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * size + 64 * MB
    assert time.process_time() - began < 4.0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_at_bounded_memory_and_time(name: str) -> None:
    refused_at(name, 400_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_the_largest_hostile_document_is_refused_at_bounded_memory_and_time(name: str) -> None:
    refused_at(name, safe_xml.LARGEST_DOCUMENT)


@pytest.mark.slow
@pytest.mark.parametrize(
    "inner",
    [
        b"<a/>" * 390_000 + (b"<b>" + b"x" * 250_000 + b"</b>") * 55,
        b"".join(b"<a%d b%d='c'/>" % (at, at) for at in range(150_000)),
    ],
)
def test_a_document_just_within_the_limits_takes_no_more_memory_than_a_worker_has(inner: bytes) -> None:
    tracemalloc.start()
    try:
        document = read_document(got(FEED + inner + b"</feed>"), root="feed", entry="entry")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert document.entries == ()
    assert peak < 200 * MB


@pytest.mark.slow
def test_a_page_as_large_as_they_come_is_read_whole_and_broken() -> None:
    entries = [atom_entry(f"2611.{at:05}v1", authors=[f"Author {n}" for n in range(20)]) for at in range(2_000)]
    document = read_document(got(atom_feed(*entries)), root="feed", entry="entry")
    assert len(records_of(document, record_of)) == 2_000
    mended = read_document(got(atom_feed(*entries, "<entry>&nbsp;</entry>")), root="feed", entry="entry")
    assert len(mended.entries) == 2_001
    assert isinstance(mended.entries[-1], RejectedLine)


def test_a_prefix_for_the_elements_of_a_document_changes_nothing() -> None:
    body = atom_feed(atom_entry()).decode().replace("xmlns=", "xmlns:a=")
    for name in ("feed", "entry", "id", "title", "summary", "published", "author", "name", "category", "updated"):
        body = body.replace(f"<{name}", f"<a:{name}").replace(f"</{name}", f"</a:{name}")
    body = body.replace("a:category term", "a:category  term")
    assert title_in(body.encode()) == "Ladders That Lean"
    broken = body.replace("</a:feed>", "<a:entry><b></a:entry></a:feed>")
    document = read_document(got(broken.encode()), root="feed", entry="entry")
    assert [isinstance(entry, Element) for entry in document.entries] == [True, False]


def test_messages_do_not_tell_the_query_of_an_address() -> None:
    for body in (b"", b"<html/>", b"<feed><", b"<feed><entry/></feed>"):
        with pytest.raises(SourceFailed) as caught:
            records_of(read_document(got(body), root="feed", entry="entry"), record_of)
        assert "secret" not in str(caught.value)
        assert "example.org/feed" in str(caught.value)
