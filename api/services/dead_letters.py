"""Rejected events: kept as they came, listed, mended and given back to the intake."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy.orm import Session

from api.schemas.events import Incoming
from api.store import letters
from api.store.tables_letters import FINGERPRINT_BYTES, DeadLetter

LONGEST_BODY: Final = 4096  # bytes of an event; one that is longer is cut and cannot be replayed without its parts
MOST_BRACKETS: Final = 200  # of an event that is shown as JSON: writers of JSON stop at a depth of about 250
LONGEST_TEXT: Final = 64  # characters of ids and times as received
LONGEST_REASON: Final = 500
LONGEST_SLATE: Final = 8192
MOST_LETTERS: Final = 100_000
MOST_AT_ONCE: Final = 500
TIDIED_AT_ONCE: Final = 5_000  # keeps the write lock short


class Letter(NamedTuple):
    """A rejected event as the intake saw it."""

    external_user: str | None
    user_id: int | None
    event_id: str | None
    code: str
    reason: str
    raw: bytes  # JSON of the event as received
    sent_at_raw: str | None
    received_at: datetime
    batch_slate: str | None = None


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A rejected event as it is kept."""

    letter_id: int
    external_user: str | None
    user_id: int | None
    event_id: str | None
    code: str
    reason: str
    event: object
    sent_at_raw: str | None
    times: int
    received_at: datetime
    last_at: datetime
    replayed_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Replayable:
    """Letters that can go through the intake together, each with its event."""

    letter_ids: tuple[int, ...]
    incoming: Incoming


@dataclass(frozen=True, slots=True)
class Replay:
    """What can be replayed, and why the rest cannot."""

    ready: tuple[Replayable, ...]
    broken: Mapping[int, str]
    next_after: int | None  # where the next call goes on, None when these were all


def keep_rejected(session: Session, rejected: Sequence[Letter], *, now: datetime, most: int = MOST_LETTERS) -> None:
    """Store rejected events, the same one again only as a count; beyond `most` the oldest letters go.

    The last thing a transaction writes: it waits for other writers of letters.
    """
    if not rejected:
        return
    rows: dict[bytes, dict[str, Any]] = {}
    for letter in rejected:
        row = _row(letter, now=now)
        kept = rows.setdefault(row["fingerprint"], row)
        kept["times"] += 1
    letters.lock_letters(session)
    letters.keep_letters(session, list(rows.values()))
    letters.drop_beyond(session, most=most)


def list_letters(
    session: Session, *, before: int | None, limit: int, code: str | None, external_user: str | None, is_open: bool
) -> tuple[list[KeptLetter], int | None]:
    """Return a page of letters, newest first, and the number before which the next page goes on (None: the end)."""
    found = letters.load_page(
        session, before=before, limit=limit + 1, code=code, external_user=external_user, is_open=is_open
    )
    page = [_kept(letter) for letter in found[:limit]]
    return page, page[-1].letter_id if len(found) > limit else None


def load_replay(
    session: Session,
    *,
    letter_ids: Sequence[int] = (),
    code: str | None = None,
    after: int = 0,
    limit: int = MOST_AT_ONCE,
    corrections: Mapping[int, Mapping[str, Any]],
) -> Replay:
    """Return open letters, by number or by code, with the corrections folded into their events."""
    if code is None:
        found = letters.load_open(session, letter_ids)
    else:
        found = letters.load_open_after(session, code, after=after, limit=limit)
    broken = dict.fromkeys(set(letter_ids) - {letter.letter_id for letter in found}, "no open letter has this number")
    groups: dict[tuple[object, ...], list[tuple[int, dict[str, Any]]]] = {}
    for letter in found:
        event = _event(letter, corrections.get(letter.letter_id, {}))
        if isinstance(event, str):
            broken[letter.letter_id] = event
        else:
            groups.setdefault(_shared(letter), []).append((letter.letter_id, event))
    ready = tuple(_replayable(key, entries) for key, entries in groups.items())
    is_more = code is not None and len(found) == limit
    return Replay(ready, broken, found[-1].letter_id if is_more else None)


def note_replayed(session: Session, outcomes: Mapping[int, str], *, now: datetime) -> None:
    """Close the letters whose events are in the log now, as `accepted` or `duplicate`."""
    if outcomes:
        letters.mark_replayed(session, dict(outcomes), now=now)


def tidy(session: Session, *, days: int, most: int, now: datetime) -> int:
    """Remove letters that are too old or too many, a part of them; return how many went."""
    letters.lock_letters(session)
    gone = letters.drop_older(session, now - timedelta(days=days), limit=TIDIED_AT_ONCE)
    return gone + letters.drop_beyond(session, most=most)


def _read_event(letter: DeadLetter) -> object:
    """The event as JSON values, or as text where it is none (or was cut)."""
    try:
        event: object = orjson.loads(letter.body)
    except orjson.JSONDecodeError:  # also half a surrogate, which no answer could hold
        return letter.body.decode("utf-8", "replace")
    return event


def _readable_event(letter: DeadLetter) -> object:
    """The event as an answer can hold it: as text where it is nested too deep to be written again."""
    if letter.body.count(b"[") + letter.body.count(b"{") > MOST_BRACKETS:
        return letter.body.decode("utf-8", "replace")
    return _read_event(letter)


def _kept(letter: DeadLetter) -> KeptLetter:
    return KeptLetter(
        letter.letter_id,
        letter.external_user,
        letter.user_id,
        letter.event_id,
        letter.code,
        letter.reason,
        _readable_event(letter),
        letter.sent_at_raw,
        letter.times,
        letter.received_at,
        letter.last_at,
        letter.replayed_at,
        letter.outcome,
    )


def _row(letter: Letter, *, now: datetime) -> dict[str, Any]:
    body = letter.raw[:LONGEST_BODY]
    key = repr((letter.external_user, letter.user_id, letter.event_id, letter.code, body))
    return {
        "fingerprint": hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=FINGERPRINT_BYTES).digest(),
        "external_user": letter.external_user,
        "user_id": letter.user_id,
        "event_id": _text(letter.event_id, LONGEST_TEXT),
        "code": letter.code,
        "reason": _text(letter.reason, LONGEST_REASON) or "",
        "body": body,
        "batch_slate": _slate(letter.batch_slate),
        "sent_at_raw": _text(letter.sent_at_raw, LONGEST_TEXT),
        "times": 0,
        "received_at": letter.received_at,
        "last_at": now,
        "replayed_at": None,
        "outcome": None,
    }


def _text(text: str | None, longest: int) -> str | None:
    """The text as every database takes it."""
    return (
        None
        if text is None
        else text[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    )


def _slate(token: str | None) -> str | None:
    is_kept = token is not None and len(token) <= LONGEST_SLATE and token.isascii() and token.isprintable()
    return token if is_kept else None


def _event(letter: DeadLetter, correction: Mapping[str, Any]) -> dict[str, Any] | str:
    """The mended event, or why it cannot be replayed."""
    if letter.external_user is None and letter.user_id is None:
        return "nothing says whose event this is"
    event = _read_event(letter)
    if not isinstance(event, dict):
        event = {}
        if not {"id", "kind", "paper_id", "occurred_at"} <= correction.keys():
            return "this is no object, or was too long to be kept whole: correct id, kind, paper_id and occurred_at"
    event |= correction
    return {name: value for name, value in event.items() if value is not None}


def _shared(letter: DeadLetter) -> tuple[object, ...]:
    return letter.external_user, letter.user_id, letter.sent_at_raw, letter.batch_slate, letter.received_at


def _replayable(key: tuple[Any, ...], entries: Sequence[tuple[int, dict[str, Any]]]) -> Replayable:
    external_user, user_id, sent_at, slate, received_at = key
    incoming = Incoming(
        events=[event for _, event in entries],
        external_user=external_user,
        user_id=user_id,
        sent_at=sent_at,
        slate=slate,
        is_slate_only=external_user is None,
        received_at=received_at,
    )
    return Replayable(tuple(letter_id for letter_id, _ in entries), incoming)
