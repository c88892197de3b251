"""What a feed must be by its specification, and as the parser that many feed readers are built on understands it."""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import feedparser
import orjson

ATOM: Final = "{http://www.w3.org/2005/Atom}"
CREATOR: Final = "{http://purl.org/dc/elements/1.1/}creator"
RFC_822: Final = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d{2}:\d{2}:\d{2} GMT"
)
RFC_3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
MOST_BYTES: Final = 512 * 1024


def check(document: bytes, form: str, *, self_url: str) -> list[dict[str, Any]]:
    """Return the entries as the parser sees them, after a look at everything the specification asks for."""
    assert len(document) <= MOST_BYTES
    {"rss": _check_rss, "atom": _check_atom, "json": _check_json}[form](document, self_url)
    if form == "json":
        return [dict(item) for item in orjson.loads(document)["items"]]
    parsed = feedparser.parse(document)
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == {"rss": "rss20", "atom": "atom10"}[form]
    assert all(entry.published_parsed and entry.link and entry.title and entry.id for entry in parsed.entries)
    return [dict(entry) for entry in parsed.entries]


def _check_rss(document: bytes, self_url: str) -> None:
    root = ET.fromstring(document)
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    [channel] = root
    for name in ("title", "link", "description", "lastBuildDate"):
        assert _one(channel, name), name
    _check_address(_one(channel, "link"))
    assert RFC_822.fullmatch(_one(channel, "lastBuildDate"))
    [here] = channel.findall(f"{ATOM}link")
    assert (here.get("rel"), here.get("type"), here.get("href")) == ("self", "application/rss+xml", self_url)
    items = channel.findall("item")
    for item in items:
        assert _one(item, "title")
        _check_address(_one(item, "link"))
        assert RFC_822.fullmatch(_one(item, "pubDate"))
        assert parsedate_to_datetime(_one(item, "pubDate")).tzinfo is not None
        [guid] = item.findall("guid")
        assert guid.get("isPermaLink") == "false"
        assert item.find("author") is None  # RSS takes an address of mail there, and we tell none
        assert all(creator.text for creator in item.findall(CREATOR))
        assert len(item.findall("description")) == 1
    _check_ids([_one(item, "guid") for item in items])


def _check_atom(document: bytes, self_url: str) -> None:
    root = ET.fromstring(document)
    assert root.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated"):
        assert _one(root, ATOM + name), name
    links = {(link.get("rel"), link.get("href")) for link in root.findall(f"{ATOM}link")}
    assert ("self", self_url) in links
    entries = root.findall(f"{ATOM}entry")
    assert root.find(f"{ATOM}author/{ATOM}name") is not None  # for entries without one of their own
    newest = _one(root, f"{ATOM}updated")
    for entry in entries:
        assert _one(entry, f"{ATOM}title")
        published, updated = _one(entry, f"{ATOM}published"), _one(entry, f"{ATOM}updated")
        assert RFC_3339.fullmatch(published)
        assert RFC_3339.fullmatch(updated)
        assert published <= updated <= newest
        assert datetime.fromisoformat(updated).tzinfo is not None
        alternates = [link for link in entry.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        assert len(alternates) == 1
        _check_address(alternates[0].get("href") or "")
        [content] = entry.findall(f"{ATOM}content")
        assert content.get("type") == "html"
        assert all(name.text for name in entry.findall(f"{ATOM}author/{ATOM}name"))
        assert all(category.get("term") for category in entry.findall(f"{ATOM}category"))
    _check_ids([_one(root, f"{ATOM}id"), *(_one(entry, f"{ATOM}id") for entry in entries)])


def _check_json(document: bytes, self_url: str) -> None:
    feed = orjson.loads(document)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"]
    assert feed["feed_url"] == self_url
    _check_address(feed["home_page_url"])
    for item in feed["items"]:
        assert isinstance(item["id"], str)
        _check_address(item["url"])
        assert "content_html" in item or "content_text" in item
        assert RFC_3339.fullmatch(item["date_published"])
        assert RFC_3339.fullmatch(item["date_modified"])
        assert all(set(author) <= {"name", "url", "avatar"} and author["name"] for author in item["authors"])
        assert all(isinstance(tag, str) for tag in item["tags"])
    _check_ids([item["id"] for item in feed["items"]])


def _one(parent: ET.Element, name: str) -> str:
    [found] = parent.findall(name)
    return found.text or ""


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    assert parts.scheme in {"http", "https"}, url
    assert parts.netloc, url
    assert url.isascii(), url
    assert url.isprintable(), url
    assert " " not in url, url


def _check_ids(ids: list[str]) -> None:
    assert len(ids) == len(set(ids))
    assert all(urlsplit(each).scheme for each in ids), ids
