"""What a page of the site shows, for tests."""

import re
from html import unescape

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def names(text: str) -> list[str]:
    """Return the papers of a page by their external ids, in order."""
    return [unescape(name) for name in re.findall(r'data-paper="([^"]+)"', text)]


def listed(text: str) -> list[int]:
    """Return the papers of a page by their numbers, in order."""
    return [int(name.partition(".")[2]) for name in names(text)]


def links(text: str, rel: str) -> list[str]:
    """Return where the links of a kind lead."""
    return [unescape(href) for href in re.findall(rf'<a rel="{rel}" href="([^"]+)"', text)]


def card_of(text: str, number: int) -> str:
    """Return the HTML of a card."""
    return next(part for part in text.split("<li class=")[1:] if listed(part) == [number])


def main_of(text: str) -> str:
    """Return what is between the top and the foot of a page."""
    return text.partition("<main")[2].partition("</main>")[0]


def csrf_of(text: str) -> str:
    """Return what a page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None, text
    return unescape(found[1])
