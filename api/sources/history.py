"""Readers' history from other systems: CSV or JSON lines in, rows out; a bad line never spoils its neighbours."""

import csv
import hashlib
import math
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import orjson

from api.ids import normalised_id
from api.sources.records import RejectedLine
from recommender.domain import EventKind

REQUIRED: Final = ("user_id", "paper_id")
COLUMNS: Final = (*REQUIRED, "kind", "occurred_at", "value", "id")
KINDS: Final = {kind.name.lower(): int(kind) for kind in EventKind}
LONGEST_USER_ID: Final = 200
LONGEST_EVENT_ID: Final = 64
LONGEST_LINE: Final = 64 * 1024  # bytes
SHOWN_CHARACTERS: Final = 2000  # of a rejected line
MICROSECONDS: Final = 1_000_000
LAST_SECOND: Final = 253_402_300_799  # of the year 9999
# Derived ids live in a name space of their own: the same row gives the same id in every installation.
ROW_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:paperfeed:history-row").bytes
UUID_PATTERN: Final = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_PAPERS_REMEMBERED: Final = 200_000

Fields: TypeAlias = Sequence[object]  # in the order of COLUMNS


class HistoryRow(NamedTuple):
    """One event of an imported history; a tuple, because millions of them are made."""

    line: int
    external_user: str
    external_paper_id: str
    kind: int
    occurred: int | None  # microseconds since 1970
    value: float | None
    event_id: str
    has_own_id: bool
    text: str


class NoHistory(ValueError):
    """The stream is no table of events; says why."""


def parse_history(chunks: Iterable[bytes], *, latest: int) -> Iterator[HistoryRow | RejectedLine]:
    """Yield the rows of CSV with a header or JSON lines; `latest` is the last acceptable time in microseconds."""
    lines = _lines(chunks)
    first = next(lines, None)
    if first is None:
        raise NoHistory("the file is empty")
    read: Callable[[str], Fields]
    if first[1].lstrip().startswith("{"):
        read = _read_json
        yield from _parse_line(first[0], first[1], read, latest)
    else:
        read = _csv_reader(first[1])
    for number, text in lines:
        yield from _parse_line(number, text, read, latest)


def derived_id(external_user: str, external_paper_id: str, kind: int, occurred: int | None, value: float | None) -> str:
    """Return a UUIDv5 made of the row's content."""
    name = f"{external_user}\x1f{external_paper_id}\x1f{kind}\x1f{occurred}\x1f{value}"
    digest = hashlib.sha1(ROW_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _parse_line(
    number: int, text: str, read: Callable[[str], Fields], latest: int
) -> Iterator[HistoryRow | RejectedLine]:
    if not text.strip():
        return
    try:
        yield _row(number, text, read(text), latest)
    except ValueError as error:
        shown = text[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode()
        yield RejectedLine(number, str(error), shown)


def _row(number: int, text: str, fields: Fields, latest: int) -> HistoryRow:
    user, paper, kind_name, time, value_text, own_id = fields
    external_user = _user(user)
    external_paper_id = _paper_id(str(paper) if isinstance(paper, str | int) else "")
    kind = KINDS.get(str(kind_name or "save"))
    if kind is None:
        raise ValueError(f"kind is one of {', '.join(KINDS)}")
    occurred = _time(time)
    if occurred is not None and occurred > latest:
        raise ValueError("occurred_at lies in the future")
    value = _value(value_text, kind)
    if own_id is None or own_id == "":
        event_id = derived_id(external_user, external_paper_id, kind, occurred, value)
        return HistoryRow(number, external_user, external_paper_id, kind, occurred, value, event_id, False, text)
    event_id = _event_id(own_id)
    return HistoryRow(number, external_user, external_paper_id, kind, occurred, value, event_id, True, text)


def _user(value: object) -> str:
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if not 1 <= len(text) <= LONGEST_USER_ID or not text.isprintable():
        raise ValueError(f"user_id takes 1 to {LONGEST_USER_ID} printable characters")
    return text


@lru_cache(maxsize=_PAPERS_REMEMBERED)
def _paper_id(text: str) -> str:
    return normalised_id(text)


def _event_id(value: object) -> str:
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if not 1 <= len(text) <= LONGEST_EVENT_ID or not text.isprintable():
        raise ValueError(f"id takes 1 to {LONGEST_EVENT_ID} printable characters")
    return text.lower() if UUID_PATTERN.fullmatch(text) else text


def _time(value: object) -> int | None:
    """Microseconds since 1970 from ISO 8601 (UTC where it has no offset) or epoch seconds."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        text = value.strip()
        try:
            seconds = float(text)
        except ValueError:
            return _iso_time(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if abs(value) <= LAST_SECOND else math.inf
    else:
        raise ValueError("occurred_at is ISO 8601 or seconds since 1970")
    if not abs(seconds) <= LAST_SECOND:
        raise ValueError("occurred_at is not a possible time: ISO 8601 or seconds since 1970")
    return round(seconds * MICROSECONDS)


def _iso_time(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("occurred_at is ISO 8601 or seconds since 1970") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * MICROSECONDS)


def _value(value: object, kind: int) -> float | None:
    if value is None or value == "":
        if kind == EventKind.READ:
            raise ValueError("read needs the seconds in value")
        return None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("value is a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("value is a number") from None
    if not math.isfinite(number) or (kind == EventKind.READ and number < 0):
        raise ValueError("value is a finite number, and of 0 or more for read")
    return number


def _read_json(text: str) -> Fields:
    row = orjson.loads(text)  # its error is a ValueError
    if not isinstance(row, dict):
        raise ValueError("a line is a JSON object")
    return [row.get(name) for name in COLUMNS]


def _csv_reader(header: str) -> Callable[[str], Fields]:
    delimiter = "\t" if "\t" in header else ","
    names = [name.strip().lower() for name in _split(header, delimiter)]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise NoHistory(f"the header lacks {' and '.join(missing)}: it has {header.strip()[:200]!r}")
    places = [names.index(name) if name in names else None for name in COLUMNS]
    width = len(names)

    def read(text: str) -> Fields:
        cells = _split(text, delimiter)
        if len(cells) != width:
            raise ValueError(f"{len(cells)} fields instead of {width}")
        return [None if place is None else cells[place] for place in places]

    return read


def _split(text: str, delimiter: str) -> list[str]:
    line = text.rstrip("\r\n")
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; bytes that are not UTF-8 become surrogates, which no field accepts."""
    rest, number, is_start = b"", 0, True
    for chunk in chunks:
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()[: LONGEST_LINE + 1]  # of a line that is too long the start is enough to reject it
        for part in parts:
            number += 1
            yield number, _decoded(part, is_start=is_start)
            is_start = False
    if rest:
        yield number + 1, _decoded(rest, is_start=is_start)


def _decoded(line: bytes, *, is_start: bool) -> str:
    return line[:LONGEST_LINE].decode("utf-8-sig" if is_start else "utf-8", "surrogateescape")
