"""What a reader decides about their lists: what is muted, whether lists are personal, and what is forgotten."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.services.merging import find_accounts
from api.services.muting import KINDS, LONGEST_RULE, MOST_RULES, Muted, words_of
from api.store import taste_rows, users
from api.store.events import lock_readers
from api.store.taste_rows import UNDECIDED, Decisions, Span

THE_FIRST: Final = 0  # before every number of the log
NO_INTERESTS: Final[dict[str, list[str]]] = {"categories": [], "terms": [], "papers": []}


@dataclass(frozen=True, slots=True)
class Decided:
    """What stands after a decision, and the change that lists must include to obey it."""

    user_id: int
    seq: int
    decisions: Decisions


def read_decisions(session: Session, user_id: int | None) -> Decisions:
    """Return what a reader decided; nothing for one nobody has heard of."""
    return UNDECIDED if user_id is None else taste_rows.load_decisions(session, [user_id]).get(user_id, UNDECIDED)


def tidy_muted(muted: Muted) -> Muted:
    """Return rules as they are kept: each once whatever its case, in their order.

    Raises InvalidRequest for too many, for a long one, and for a term or author without any letter or digit.
    """
    kept = {kind: _tidy(kind, getattr(muted, kind)) for kind in KINDS}
    return Muted.from_stored(kept)


def mute(session: Session, external_user: str, muted: Muted, *, now: datetime) -> Decided:
    """Replace what a reader mutes, creating the reader; raises InvalidRequest as `tidy_muted` does."""
    rules = tidy_muted(muted)
    user_id, decisions = _open(session, external_user, now=now)
    return _decide(session, user_id, replace(decisions, muted=rules.to_stored()), now=now)


def personalise(session: Session, external_user: str, *, now: datetime) -> Decided:
    """Let a reader's lists be personal; what they did while these were not teaches nothing."""
    user_id, decisions = _open(session, external_user, now=now)
    last = taste_rows.last_event_pk(session, user_id)
    silent = [(first, last if until is None else until) for first, until in decisions.silent]
    return _decide(session, user_id, replace(decisions, is_personal=True, silent=_covered(silent)), now=now)


def depersonalise(session: Session, external_user: str, *, now: datetime) -> Decided:
    """Let a reader have what everybody gets; from here on what they do is kept for their library alone."""
    user_id, decisions = _open(session, external_user, now=now)
    if not decisions.is_personal:
        return _decide(session, user_id, decisions, now=now)
    silent: Span = (taste_rows.last_event_pk(session, user_id) + 1, None)
    return _decide(session, user_id, replace(decisions, is_personal=False, silent=(*decisions.silent, silent)), now=now)


def forget_taste(session: Session, external_user: str, *, now: datetime) -> Decided:
    """Let all that a reader did until now, and said they like, teach nothing; library, mutings and hidings stay."""
    user_id, decisions = _open(session, external_user, now=now)
    until = taste_rows.last_event_pk(session, user_id)
    silent = _covered([(THE_FIRST, until), *decisions.silent])
    users.write_interests(session, user_id, dict(NO_INTERESTS), now=now)
    return _decide(session, user_id, replace(decisions, silent=silent, reset_at=now), now=now)


def _open(session: Session, external_user: str, *, now: datetime) -> tuple[int, Decisions]:
    """Return the reader, whom nobody else writes for until the end of the transaction."""
    named = users.ensure_users(session, [external_user], now=now)[0][external_user]
    lock_readers(session, [named])
    user_id = find_accounts(session, [named]).get(named, named)  # who signed in meanwhile decides for the account
    if user_id != named:
        lock_readers(session, [user_id])
    return user_id, read_decisions(session, user_id)


def _decide(session: Session, user_id: int, decisions: Decisions, *, now: datetime) -> Decided:
    taste_rows.write_decisions(session, user_id, decisions, now=now)
    users.advance_users(session, [user_id], now=now)
    return Decided(user_id, users.read_last_seq(session, user_id), decisions)


def _covered(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same events in as few spans as can be, ascending."""
    found: list[Span] = []
    for first, last in sorted(spans, key=lambda span: span[0]):
        if last is not None and last < first:
            continue
        if found and (found[-1][1] is None or first <= found[-1][1] + 1):
            before, until = found[-1]
            found[-1] = before, None if until is None or last is None else max(until, last)
        else:
            found.append((first, last))
    return tuple(found)


def _tidy(kind: str, rules: Iterable[str]) -> list[str]:
    kept: dict[str, str] = {}
    for rule in rules:
        text = " ".join(rule.split())
        if not text:
            continue
        if len(text) > LONGEST_RULE or not text.isprintable():
            raise InvalidRequest(
                f"what is muted has up to {LONGEST_RULE} printable characters: {text[:40]!r}", field=kind
            )
        if kind != "categories" and not words_of(text).strip():
            raise InvalidRequest(f"{text!r} holds no letter and no digit: it would mute nothing", field=kind)
        kept.setdefault(text.casefold(), text)
    if len(kept) > MOST_RULES:
        raise InvalidRequest(f"at most {MOST_RULES} {kind} can be muted, these are {len(kept)}", field=kind)
    return list(kept.values())
