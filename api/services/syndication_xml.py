"""Feeds in RSS 2.0 and in Atom, written with the standard library's element tree.

All text is escaped and none stands in a CDATA section, so that nothing a paper says can end one.
"""

from email.utils import format_datetime
from typing import Final
from xml.etree import ElementTree as ET

from api.services.syndication import GENERATOR, LANGUAGE, Channel, Form, Item, Write, rfc_3339, write_json_feed

ATOM: Final = "http://www.w3.org/2005/Atom"
DUBLIN_CORE: Final = "http://purl.org/dc/elements/1.1/"
TTL_MINUTES: Final = "30"  # new papers come a few times a day


def write_rss(channel: Channel) -> bytes:
    """Return the feed in RSS 2.0; authors stand in `dc:creator`, because RSS takes addresses of mail for its own."""
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": ATOM, "xmlns:dc": DUBLIN_CORE})
    top = ET.SubElement(root, "channel")
    _add(top, "title", channel.title)
    _add(top, "link", channel.home_url)
    _add(top, "description", channel.description)
    here = {"rel": "self", "type": "application/rss+xml", "href": channel.address("rss")}
    ET.SubElement(top, "atom:link", here)
    _add(top, "language", LANGUAGE)
    _add(top, "lastBuildDate", format_datetime(channel.updated, usegmt=True))
    _add(top, "generator", GENERATOR)
    _add(top, "ttl", TTL_MINUTES)
    for item in channel.items:
        _add_rss_item(top, item)
    return _written(root)


def write_atom(channel: Channel) -> bytes:
    """Return the feed in Atom (RFC 4287)."""
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": LANGUAGE})
    _add(root, "id", channel.channel_id)
    _add(root, "title", channel.title)
    _add(root, "subtitle", channel.description)
    _add(root, "updated", rfc_3339(channel.updated))
    ET.SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": channel.address("atom")})
    ET.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": channel.home_url})
    _add(root, "generator", GENERATOR)
    _add_author(root, GENERATOR)  # of the papers that name none
    for item in channel.items:
        _add_entry(root, item)
    return _written(root)


WRITERS: Final[dict[Form, Write]] = {"rss": write_rss, "atom": write_atom, "json": write_json_feed}


def _add_rss_item(top: ET.Element, item: Item) -> None:
    element = ET.SubElement(top, "item")
    _add(element, "title", item.title)
    _add(element, "link", item.url)
    _add(element, "guid", item.item_id).set("isPermaLink", "false")
    _add(element, "pubDate", format_datetime(item.published, usegmt=True))
    for name in item.authors:
        _add(element, "dc:creator", name)
    for tag in item.tags:
        _add(element, "category", tag)
    _add(element, "description", item.html)


def _add_entry(root: ET.Element, item: Item) -> None:
    element = ET.SubElement(root, "entry")
    _add(element, "id", item.item_id)
    _add(element, "title", item.title)
    ET.SubElement(element, "link", {"rel": "alternate", "type": "text/html", "href": item.url})
    if item.external_url is not None:
        ET.SubElement(element, "link", {"rel": "related", "href": item.external_url})
    _add(element, "published", rfc_3339(item.published))
    _add(element, "updated", rfc_3339(item.updated))
    for name in item.authors:
        _add_author(element, name)
    for tag in item.tags:
        ET.SubElement(element, "category", {"term": tag})
    _add(element, "summary", item.summary)
    _add(element, "content", item.html).set("type", "html")


def _add_author(parent: ET.Element, name: str) -> None:
    _add(ET.SubElement(parent, "author"), "name", name)


def _add(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = text
    return element


def _written(root: ET.Element) -> bytes:
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
