"""Lists of papers as feed readers subscribe to them: what a feed says, and the same as JSON Feed 1.1."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import orjson

Form: TypeAlias = Literal["rss", "atom", "json"]

CONTENT_TYPES: Final[dict[Form, str]] = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}
GENERATOR: Final = "Paperfeed"
LANGUAGE: Final = "en"
JSON_FEED: Final = "https://jsonfeed.org/version/1.1"
TAG_BYTES: Final = 16

# What XML 1.0 cannot say at all, and the control characters of Latin-1, which it asks not to be used.
_XML_BORDERS: Final = (0xFFFE, 0xFFFF)
_KEPT_CONTROLS: Final = frozenset("\t\n\r")


@dataclass(frozen=True, slots=True)
class Item:
    """One paper of a feed."""

    item_id: str  # the same in every feed, for as long as there is the paper
    url: str
    external_url: str | None  # where the paper itself is
    title: str  # one line
    summary: str  # plain text
    html: str
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    published: datetime  # when the paper entered the lists
    updated: datetime  # never before


@dataclass(frozen=True, slots=True)
class Channel:
    """A feed: what it is called, where it is, and its papers in order."""

    channel_id: str
    title: str
    description: str
    home_url: str  # the page that shows the same
    self_url: str  # without the ending that names the form, which `address` adds
    query: str  # of that address, with its question mark; empty without one
    items: tuple[Item, ...]

    @property
    def updated(self) -> datetime:
        """When the newest of its papers came or was revised: the same papers always say the same."""
        return max((item.updated for item in self.items), default=datetime(1970, 1, 1, tzinfo=UTC))

    def address(self, form: Form) -> str:
        """Return the address of the feed in a form."""
        return f"{self.self_url}.{form}{self.query}"


Write: TypeAlias = Callable[[Channel], bytes]


def tag_of(channel: Channel, form: Form) -> str:
    """Return a fingerprint of everything that a document says: known before the document is written."""
    said = f"{form}\0{channel!r}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, digest_size=TAG_BYTES).hexdigest()


def cleaned(text: str) -> str:
    """Return a text without the characters that no feed may hold."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(letter for letter in text if _is_allowed(letter))


def one_line(text: str) -> str:
    """Return a text without such characters, and with a single space wherever it had any."""
    return " ".join(cleaned(" ".join(text.split())).split())


def rfc_3339(at: datetime) -> str:
    """Return a time as Atom and JSON Feed write it, to the second."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def write_json_feed(channel: Channel) -> bytes:
    """Return the feed in JSON Feed 1.1."""
    return orjson.dumps(
        {
            "version": JSON_FEED,
            "title": channel.title,
            "home_page_url": channel.home_url,
            "feed_url": channel.address("json"),
            "description": channel.description,
            "language": LANGUAGE,
            "items": [_json_item(item) for item in channel.items],
        }
    )


def _json_item(item: Item) -> dict[str, object]:
    written: dict[str, object] = {
        "id": item.item_id,
        "url": item.url,
        "title": item.title,
        "content_html": item.html,
        "summary": item.summary,
        "date_published": rfc_3339(item.published),
        "date_modified": rfc_3339(item.updated),
        "authors": [{"name": name} for name in item.authors],
        "tags": list(item.tags),
    }
    if item.external_url is not None:
        written["external_url"] = item.external_url
    return written


def _is_allowed(letter: str) -> bool:
    code = ord(letter)
    if code < 0x20:
        return letter in _KEPT_CONTROLS
    is_control = 0x7F <= code <= 0x9F
    is_surrogate = 0xD800 <= code <= 0xDFFF
    is_no_character = code in _XML_BORDERS or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return not (is_control or is_surrogate or is_no_character)
