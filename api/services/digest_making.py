"""Issues that are due: composed, then written down once per period in the transaction that moves their digest on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from sqlalchemy.orm import Session

from api.runtime.keys import KeyRing
from api.runtime.serving import Served
from api.services.digest_issues import NO_DIGEST, Issue, Subject, choose_issue
from api.services.digest_rendering import TEST, Item, Words, issue_headers, tell_items, write_issue
from api.services.digest_times import Occasion, Schedule, latest_occasion, next_occasion, period_of
from api.services.digests import is_running, schedule_of, stop_token
from api.services.mailing import Mail, enqueue
from api.settings import Settings
from api.store import digests as rows
from api.store.tables_mails import DIGEST, Digest

Recorded: TypeAlias = Literal["queued", "nothing_new", "meanwhile"]

TEST_MINUTES: Final = 10  # one test mail in this time
STALE: Final = timedelta(days=2)  # a mail server that was away for longer gets the next issue instead


@dataclass(frozen=True, slots=True)
class Draft:
    """An issue in words, and the occasion it is for."""

    digest: Digest
    occasion: Occasion
    next_at: datetime
    issue: Issue
    words: Words
    settings: Settings


@dataclass(frozen=True, slots=True)
class Preview:
    """An issue that is not sent, as a mail and as a page shows it: links of its items begin with a slash."""

    words: Words
    items: tuple[Item, ...]


def draft_issue(
    session: Session, served: Served | None, keys: KeyRing, settings: Settings, digest: Digest, *, now: datetime
) -> Draft:
    """Compose the issue of a digest that is due: the last one's occasion, however many were missed."""
    schedule = schedule_of(digest)
    occasion = latest_occasion(schedule, due_at=digest.due_at or now, now=now)
    following = next_occasion(schedule, after=now, last_day=occasion.day)
    issue, words = _compose(session, served, keys, settings, digest, day=occasion.day, now=now)
    return Draft(digest, occasion, following.at, issue, words, settings)


def record_issue(session: Session, draft: Draft, *, now: datetime) -> Recorded:
    """Write down the mail, what is in it and when the next one is due; nothing of it when somebody else did."""
    digest, occasion = draft.digest, draft.occasion
    day = occasion.day.isoformat()
    if not rows.claim_occasion(session, digest, next_at=draft.next_at, period_day=day):
        return "meanwhile"
    if not draft.issue.papers:
        return "nothing_new"
    key = f"digest/{digest.digest_id}/{period_of(schedule_of(digest), occasion.day)}"
    mail_id = enqueue(session, _mail(draft.settings, digest, draft.words, kind=DIGEST, now=now), key=key, now=now)
    if mail_id is None:
        return "meanwhile"
    rows.insert_mailed(session, digest.digest_id, draft.issue.paper_ids, mail_id=mail_id, now=now)
    return "queued"


def preview_issue(
    session: Session, served: Served | None, keys: KeyRing, settings: Settings, digest: Digest, *, now: datetime
) -> Preview:
    """Return exactly what would be sent now in place of the next issue."""
    schedule = schedule_of(digest)
    last_day = None if digest.last_period is None else date.fromisoformat(digest.last_period)
    occasion = next_occasion(schedule, after=now, last_day=last_day)
    issue, words = _compose(session, served, keys, settings, digest, day=occasion.day, now=now)
    return Preview(words, tuple(tell_items(issue, "")))


def digest_of(session: Session, user_id: int | None) -> Digest | None:
    """Return a reader's digest, None for one who never asked for it."""
    return None if user_id is None else rows.find_digest(session, user_id)


def imagine(user_id: int | None, schedule: Schedule) -> Digest:
    """Return what a reader would have who asked for a digest now; it is in no table."""
    return Digest(
        digest_id=NO_DIGEST,
        user_id=user_id,
        recipient="",
        secret="",  # of a link that ends nothing
        cadence=schedule.cadence,
        weekday=schedule.weekday,
        hour=schedule.hour,
        zone=schedule.zone,
    )


def queue_test(session: Session, settings: Settings, digest: Digest, words: Words, *, now: datetime) -> bool:
    """Have the preview sent to an address that is confirmed; False when one was sent a moment ago, or none may be."""
    if not is_running(digest):
        return False
    slot = int(now.timestamp()) // (TEST_MINUTES * 60)
    test = Words(f"Test: {words.subject}", words.text, words.html)
    mail = _mail(settings, digest, test, kind=TEST, now=now)
    return enqueue(session, mail, key=f"test/{digest.digest_id}/{slot}", now=now) is not None


def _compose(
    session: Session,
    served: Served | None,
    keys: KeyRing,
    settings: Settings,
    digest: Digest,
    *,
    day: date,
    now: datetime,
) -> tuple[Issue, Words]:
    schedule = schedule_of(digest)
    subject = Subject.of(digest, period=period_of(schedule, day))
    issue = choose_issue(session, served, keys, settings, subject, now=now)
    words = write_issue(
        issue,
        schedule,
        settings,
        day=day.isoformat(),
        stop_token=stop_token(digest),
        is_personal=digest.user_id is not None,
    )
    return issue, words


def _mail(settings: Settings, digest: Digest, words: Words, *, kind: str, now: datetime) -> Mail:
    return Mail(
        digest.recipient,
        words.subject,
        words.text,
        words.html,
        issue_headers(settings, stop_token(digest)),
        kind=kind,
        user_id=digest.user_id,
        digest_id=digest.digest_id,
        useful_until=now + STALE,
    )
