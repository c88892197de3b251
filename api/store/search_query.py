"""What is searched for, as a small tree: words, phrases, exclusions, filters."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

TextField: TypeAlias = Literal["any", "title", "summary", "keywords", "authors", "organization", "id", "category"]
Order: TypeAlias = Literal["relevance", "newest", "oldest", "upvotes"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word in a field or in any; `typos` letters may be wrong where the word as written is hardly known."""

    text: str
    field: TextField = "any"
    is_prefix: bool = False  # the word may go on: it is being typed
    typos: int = 0


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in this order; with `is_prefix` the last one may go on."""

    text: str
    field: TextField = "any"
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Without:
    """What must not match; stands inside `AllOf`."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part matches; parts that are stop words count only when nothing else is asked for."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least this share of the parts matches, one of them in any case; the more the better."""

    parts: tuple["Node", ...]
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Everything:
    """All papers: for filters alone."""


Node: TypeAlias = Word | Phrase | Without | AllOf | AnyOf | Everything


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search without changing the order; values of one filter are alternatives."""

    listed_from: datetime | None = None
    listed_before: datetime | None = None
    categories: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()  # short or full names, in any case
    with_code: bool | None = None
    paper_ids: tuple[int, ...] | None = None  # only among these
    without_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A tree of words and the filters around it."""

    node: Node
    filters: Filters = field(default_factory=Filters)
    order: Order = "relevance"
