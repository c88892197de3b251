"""Readers and collections as stock clients write them into addresses: safe letters only, and back."""

import re
import unicodedata
from typing import Final

LIBRARY_SLUG: Final = "library"  # of every reader's library, whatever they call it
LONGEST_TITLE_PART: Final = 60  # characters of a title that its slug repeats

_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_ESCAPED: Final = re.compile("~([0-9a-f]{2})")
_ENDS_WITH_ID: Final = re.compile("(?:.*-)?([0-9a-f]{24})", re.DOTALL)


def name_of_reader(external_user: str) -> str:
    """Return the name under which stock clients know a reader: bytes that addresses do not carry become `~` and hex."""
    raw = external_user.encode("utf-8", "surrogatepass")
    # A dot in front would make `.` and `..`, which clients take out of a path.
    return "".join(
        chr(byte) if byte in _SAFE and not (place == 0 and byte == ord(".")) else f"~{byte:02x}"
        for place, byte in enumerate(raw)
    )


def reader_of_name(name: str) -> str | None:
    """Return the reader with this name, None where no reader can have it."""
    if not name.isascii():
        return None
    raw = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), name).encode("latin-1")
    try:
        external_user = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return external_user if name_of_reader(external_user) == name else None


def slug_of(external_user: str, title: str, *, public_id: str) -> str:
    """Return a collection's slug: owner, words of the title, and the id that stays when the title changes."""
    folded = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", "-", folded)[:LONGEST_TITLE_PART].strip("-") or "collection"
    return f"{name_of_reader(external_user)}/{words}-{public_id}"


def library_slug(external_user: str) -> str:
    """Return the slug of a reader's library."""
    return f"{name_of_reader(external_user)}/{LIBRARY_SLUG}"


def public_id_of(slug: str) -> str | None:
    """Return the id at the end of the second part of a slug, None without one."""
    found = _ENDS_WITH_ID.fullmatch(slug)
    return None if found is None else found[1]
