"""What a source is to the fetching of papers: a question, an answer, and what to do with it, without clock or network.

A run of a source is a walk: `first` gives the question to begin with (None: nothing to ask), `read` turns each answer
into records, a cursor and the next question. The cursor is plain JSON; whoever keeps it, in the transaction that
records the papers, can go on from there in another process: `first(cursor)` asks for what comes next.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

from api.sources.records import BadRecord, Deletion, Json, PaperRecord, RejectedLine, line_of_text, time_of

LONGEST_WAIT_SECONDS: Final = 24 * 3600.0  # nobody who asks for more than a day is believed
LONGEST_HEADER: Final = 4_096  # characters; the fields read here take a tenth of it
HTTP_NOT_MODIFIED: Final = 304

Found: TypeAlias = PaperRecord | Deletion | RejectedLine

# RateLimit: "api";r=12;t=34 - what is left of the allowance, and the seconds until it is whole again.
_LEFT: Final = re.compile(r";\s*r=(\d{1,9})")
_RESET: Final = re.compile(r";\s*t=(\d{1,9})")
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{0,6})?")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: a GET, or a POST where there is a body; the url's query and the headers may hold a key."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_conditional: bool = False  # may be sent with the validators of its last answer; `read` knows what 304 means
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Got:
    """The answer to an `Ask`, whatever its status; `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def header(self, name: str) -> str:
        """Return a header's value, whatever the case of its name; empty where there is none."""
        wanted = name.lower()
        found = next((value for key, value in self.headers.items() if key.lower() == wanted), "")
        return found[:LONGEST_HEADER]

    @property
    def place(self) -> str:
        """Host and path of where the answer came from, for messages: a query may hold a key."""
        parts = urlsplit(self.url)
        return f"{parts.hostname or ''}{parts.path}"


@dataclass(frozen=True, slots=True)
class Step:
    """What an answer gave.

    `cursor` is to be kept together with the records. `then` is the next question of this run, `wait_seconds` after
    this answer at the earliest. `is_done`: the run is complete. Neither: the run ends here unfinished, `problem` says
    why; its records are good and its cursor asks for the rest again. Beside the others, `problem` is worth telling.
    """

    records: tuple[Found, ...]
    cursor: Json
    then: Ask | None = None
    is_done: bool = False
    problem: str | None = None
    wait_seconds: float = 0.0


class SourceFailed(Exception):
    """A source gave nothing that could be used; the cursor stays where it was."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        said = line_of_text(message, name="message")  # it may quote an answer, and goes where no NUL may
        super().__init__(said)
        self.message = said
        self.retry_after_seconds = retry_after_seconds  # None: it did not say


OptionsT_contra = TypeVar("OptionsT_contra", contravariant=True)


class Stepper(Protocol[OptionsT_contra]):
    """A source, which is a module: `now` is when the run began, the same at every step of one run."""

    def first(self, cursor: Json | None, *, now: datetime, options: OptionsT_contra) -> Ask | None:
        """Return the question to begin or to go on with; None where there is nothing to ask."""

    def read(self, got: Got, cursor: Json | None, *, now: datetime, options: OptionsT_contra) -> Step:
        """Return what the answer gave; SourceFailed where it cannot be used."""


def refuse_failure(got: Got, *, now: datetime, said: str = "") -> None:
    """Raise SourceFailed unless the answer is a success; `said` is the reason that its body gives."""
    if 200 <= got.status < 300:
        return
    reason = f": {said}" if said else ""
    raise SourceFailed(f"{got.place} answered {got.status}{reason}", retry_after(got, now=now))


def retry_after(got: Got, *, now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait, None where it does not ask.

    `Retry-After` holds seconds or a date, which is compared with the answer's own `Date` where it has one.
    """
    wanted = got.header("retry-after").strip()
    if _SECONDS.fullmatch(wanted):
        return min(float(wanted), LONGEST_WAIT_SECONDS)
    if wanted and (until := _http_date(wanted)) is not None:
        sent = _http_date(got.header("date")) or now
        return min(max(0.0, (until - sent).total_seconds()), LONGEST_WAIT_SECONDS)
    return rate_wait(got) or None


def rate_wait(got: Got) -> float:
    """Return the seconds to wait before the next request, from what the answer says is left of an allowance."""
    hint = got.header("ratelimit")
    left, reset = _LEFT.search(hint), _RESET.search(hint)
    if left is None or reset is None or int(left[1]) > 0:
        return 0.0
    return min(float(reset[1]), LONGEST_WAIT_SECONDS)


def text_in(cursor: Json | None, name: str) -> str | None:
    """Return a text of a cursor, None where it has none."""
    value = cursor.get(name) if cursor else None
    return value if isinstance(value, str) else None


def texts_in(cursor: Json | None, name: str) -> list[str]:
    """Return the texts of a list in a cursor."""
    value = cursor.get(name) if cursor else None
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def time_in(cursor: Json | None, name: str) -> datetime | None:
    """Return a time of a cursor, None where it has none."""
    try:
        return time_of(text_in(cursor, name), name=name)
    except BadRecord:
        return None


def count_in(cursor: Json | None, name: str) -> int:
    """Return a number in a cursor, 0 where it has none."""
    value = cursor.get(name) if cursor else None
    return value if isinstance(value, int) and value > 0 else 0


def dict_in(cursor: Json | None, name: str) -> Json:
    """Return an object in a cursor, an empty one where it has none."""
    value = cursor.get(name) if cursor else None
    return value if isinstance(value, dict) else {}


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
