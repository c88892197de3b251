"""Spans of the daily lists: a day, an ISO week or a month, as addresses name them and people say them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["date", "week", "month"]
Bounds: TypeAlias = tuple[date, date]  # the first day, and the first one after it

EXAMPLES: Final[dict[Kind, str]] = {"date": "2025-12-08", "week": "2025-W50", "month": "2025-12"}
KINDS: Final[tuple[Kind, ...]] = ("date", "week", "month")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WEEK: Final = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Span:
    """A day, a week or a month."""

    kind: Kind
    first: date
    following: date  # the first day that is no part of it

    @property
    def since(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.following, time(), UTC)

    @property
    def name(self) -> str:
        """As addresses say it."""
        if self.kind == "month":
            return f"{self.first.year:04}-{self.first.month:02}"
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year:04}-W{week:02}"
        return self.first.isoformat()

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/papers/{self.kind}/{self.name}"

    @property
    def title(self) -> str:
        """As people say it."""
        if self.kind == "month":
            return f"{self.first:%B} {self.first.year}"
        if self.kind == "week":
            last = self.following - timedelta(days=1)
            year, week, _ = self.first.isocalendar()
            return f"Week {week} of {year}, {_day_and_month(self.first)} to {_day_and_month(last)} {last.year}"
        return f"{self.first:%A}, {_day_and_month(self.first)} {self.first.year}"


def read_span(kind: Kind, text: str) -> Span:
    """Return the span of this name; raise ValueError or OverflowError for what is none."""
    return Span(kind, *READERS[kind](text))


def span_of(kind: Kind, day: date) -> Span:
    """Return the span of a kind that a day belongs to."""
    if kind == "date":
        return Span(kind, day, day + timedelta(days=1))
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return Span(kind, monday, monday + timedelta(weeks=1))
    first = day.replace(day=1)
    return Span(kind, first, (first + timedelta(days=31)).replace(day=1))


def read_day(text: str) -> Bounds:
    """Return the bounds of a day such as 2025-12-08."""
    if not _DAY.fullmatch(text):
        raise ValueError(text)
    first = date.fromisoformat(text)
    return first, first + timedelta(days=1)


def read_week(text: str) -> Bounds:
    """Return the bounds of an ISO week such as 2025-W50."""
    parts = _WEEK.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    first = date.fromisocalendar(int(parts[1]), int(parts[2]), 1)
    return first, first + timedelta(weeks=1)


def read_month(text: str) -> Bounds:
    """Return the bounds of a month such as 2025-12."""
    parts = _MONTH.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    first = date(int(parts[1]), int(parts[2]), 1)
    return first, (first + timedelta(days=31)).replace(day=1)


READERS: Final[dict[Kind, Callable[[str], Bounds]]] = {"date": read_day, "week": read_week, "month": read_month}


def _day_and_month(day: date) -> str:
    return f"{day.day} {day:%B}"
