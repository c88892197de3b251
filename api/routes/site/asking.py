"""What an address of a list asks for: which page, in which order, under which key it is kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from api.errors import NotFound
from api.runtime.shared_pages import Key

MOST_PAGE: Final = 10_000
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Link:
    """An address and its words; `is_here` for the page that shows it."""

    words: str
    href: str
    is_here: bool = False


def read_page_number(params: Mapping[str, str]) -> int:
    """Return which page of a list is asked for, from 1; raises NotFound for what is no number."""
    text = params.get("p", "1")
    if not _NUMBER.fullmatch(text):
        raise NotFound("pages of a list are numbered from 1", page=text[:20])
    return min(int(text), MOST_PAGE)


def read_choice(params: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return which of these is asked for, the first one by default; raises NotFound for anything else."""
    text = params.get(name, choices[0])
    if text not in choices:
        raise NotFound(f"`{name}` is one of {', '.join(choices)}", **{name: text[:60]})
    return text


def key_of(path: str, **asked: str | int) -> Key:
    """Return what a page is kept by: its path and what of the query is not as it is by default."""
    return quote(path, safe="/:@!$'()*,;~"), urlencode({name: value for name, value in asked.items() if value})


def address(path: str, **asked: str | int) -> str:
    """Return the address of a page; what is empty or 0 is left out."""
    where, query = key_of(path, **asked)
    return f"{where}?{query}" if query else where


def page_links(path: str, *, page: int, has_more: bool, **asked: str | int) -> tuple[str | None, str | None]:
    """Return the addresses of the pages before and after this one of a list."""
    before = None if page == 1 else address(path, **asked, p=0 if page == 2 else page - 1)
    return before, address(path, **asked, p=page + 1) if has_more else None
