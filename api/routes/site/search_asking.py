"""What the page of searches is asked for, and the addresses that ask for a little more or less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from fastapi import Request

from api.errors import InvalidRequest
from api.routes.narrowing import read_days, read_filters, read_organizations
from api.routes.site.asking import Link
from api.schemas.search import LONGEST_TEXT
from api.services.searching import SearchRequest
from api.store.search_index import Counts
from api.store.search_query import Filters, Order

PATH: Final = "/search"
ORDERS: Final[tuple[Order, ...]] = ("relevance", "newest", "oldest", "upvotes")  # the first one by default
ORDER_WORDS: Final[dict[Order, str]] = {
    "relevance": "Best match",
    "newest": "Newest",
    "oldest": "Oldest",
    "upvotes": "Most upvoted",
}
PERSONAL_WORDS: Final = "Best for you"
CODE: Final = {"true": True, "false": False}
MOST_SHOWN: Final = 8  # values of a filter
LONGEST_DAY: Final = 10  # characters, such as 2025-12-08


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as its address has it."""

    text: str = ""
    categories: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    first: str = ""  # days, such as 2025-12-08; empty for no limit
    last: str = ""
    with_code: str = ""  # true, false or empty
    order: Order = ORDERS[0]
    is_personal: bool = False
    is_prefix: bool = True

    @property
    def is_narrowed(self) -> bool:
        """True when a filter leaves papers out."""
        return bool(self.categories or self.organizations or self.first or self.last or self.with_code)

    @property
    def has_text(self) -> bool:
        """True when there is something to be like."""
        return bool(self.text.strip())

    @property
    def feed_query(self) -> str:
        """What the feed of this search is asked for, with its question mark; days are not for feeds."""
        asked = {
            "q": self.text.strip(),
            "category": self.categories,
            "organization": self.organizations,
            "with_code": self.with_code,
        }
        return "?" + urlencode({name: value for name, value in asked.items() if value}, doseq=True)

    def address(self, *, cursor: str = "") -> str:
        """Return the address of this search, or of one of its later pages."""
        asked = {
            "q": self.text,
            "category": self.categories,
            "organization": self.organizations,
            "from": self.first,
            "to": self.last,
            "with_code": self.with_code,
            "sort": "" if self.order == ORDERS[0] else self.order,
            "personal": "true" if self.is_personal else "",
            "prefix": "" if self.is_prefix else "false",
            "cursor": cursor,
        }
        query = urlencode({name: value for name, value in asked.items() if value}, doseq=True)
        return f"{PATH}?{query}" if query else PATH


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter: where it leads to, and how many papers have it."""

    words: str
    href: str
    count: int
    is_here: bool


def read_asked(request: Request) -> Asked:
    """Return what an address asks for; what can be no order counts as none said."""
    params = request.query_params
    order = next((order for order in ORDERS if order == params.get("sort")), ORDERS[0])
    with_code = params.get("with_code", "")
    return Asked(
        text=params.get("q", "")[:LONGEST_TEXT],
        categories=tuple(dict.fromkeys(filter(None, params.getlist("category")))),
        organizations=tuple(dict.fromkeys(filter(None, params.getlist("organization")))),
        first=params.get("from", "").strip(),
        last=params.get("to", "").strip(),
        with_code=with_code if with_code in CODE else "",
        order=order,
        is_personal=params.get("personal") == "true",
        is_prefix=params.get("prefix") != "false",
    )


def request_of(asked: Asked, *, user_id: int | None, with_counts: bool) -> SearchRequest:
    """Return the search that an address asks for; raises InvalidRequest for what can be no filter."""
    if max(len(asked.first), len(asked.last)) > LONGEST_DAY:
        raise InvalidRequest("days are such as 2025-12-08", field="from")
    filters = Filters(
        *read_days(asked.first or None, asked.last or None),
        categories=read_filters(list(asked.categories), None).categories,
        organizations=read_organizations(list(asked.organizations)),
        with_code=CODE.get(asked.with_code),
    )
    return SearchRequest(
        asked.text,
        filters,
        asked.order,
        is_prefix=asked.is_prefix,
        user_id=user_id if asked.is_personal else None,
        with_counts=with_counts,
    )


def order_links(asked: Asked, *, is_known: bool) -> list[Link]:
    """Return the orders there are; the one by taste for readers of whom something is known."""
    plain = replace(asked, is_personal=False)
    links = [
        Link(ORDER_WORDS[order], replace(plain, order=order).address(), not asked.is_personal and order == asked.order)
        for order in ORDERS
        if order != "relevance" or asked.has_text
    ]
    if is_known and asked.has_text:
        own = replace(asked, order=ORDERS[0], is_personal=True)
        links.insert(1, Link(PERSONAL_WORDS, own.address(), asked.is_personal))
    if not asked.has_text and asked.order == ORDERS[0]:  # without words, all papers come newest first
        links[0] = replace(links[0], is_here=True)
    return links


def active_links(asked: Asked) -> list[Link]:
    """Return what narrows a search now, each with the address without it."""
    found = [Link(name, _without_category(asked, name).address()) for name in asked.categories]
    found += [Link(name, _without_organization(asked, name).address()) for name in asked.organizations]
    if asked.first or asked.last:
        words = " to ".join(filter(None, (asked.first or "the beginning", asked.last or "today")))
        found.append(Link(words, replace(asked, first="", last="").address()))
    if asked.with_code:
        words = "with code" if CODE[asked.with_code] else "without code"
        found.append(Link(words, replace(asked, with_code="").address()))
    return found


def choices_of(asked: Asked, counts: Counts) -> list[tuple[str, list[Choice]]]:
    """Return the filters with their values, most papers first, and how many papers each would leave."""
    groups = [
        ("Category", _values(asked, counts.categories, "categories")),
        ("Organisation", _values(asked, counts.organizations, "organizations")),
        ("Year", _years(asked, counts.years)),
    ]
    if counts.with_code or asked.with_code:
        is_here = asked.with_code == "true"
        href = replace(asked, with_code="" if is_here else "true").address()
        groups.append(("Code", [Choice("with code", href, counts.with_code, is_here)]))
    return [(name, choices) for name, choices in groups if choices]


def _values(asked: Asked, counts: Mapping[str, int], field: str) -> list[Choice]:
    chosen: tuple[str, ...] = getattr(asked, field)
    shown: Sequence[str] = [name for name in counts if name not in chosen][:MOST_SHOWN]
    return [
        Choice(
            name,
            _with(asked, field, tuple(each for each in chosen if each != name) if name in chosen else (*chosen, name)),
            counts.get(name, 0),
            name in chosen,
        )
        for name in (*chosen, *shown)
    ]


def _with(asked: Asked, field: str, values: tuple[str, ...]) -> str:
    if field == "categories":
        return replace(asked, categories=values).address()
    return replace(asked, organizations=values).address()


def _years(asked: Asked, counts: Mapping[int, int]) -> list[Choice]:
    found = []
    for year in sorted(counts, reverse=True)[:MOST_SHOWN]:
        first, last = f"{year:04}-01-01", f"{year:04}-12-31"
        is_here = (asked.first, asked.last) == (first, last)
        other = replace(asked, first="", last="") if is_here else replace(asked, first=first, last=last)
        found.append(Choice(str(year), other.address(), counts[year], is_here))
    return found


def _without_category(asked: Asked, name: str) -> Asked:
    return replace(asked, categories=tuple(each for each in asked.categories if each != name))


def _without_organization(asked: Asked, name: str) -> Asked:
    return replace(asked, organizations=tuple(each for each in asked.organizations if each != name))
