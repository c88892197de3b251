"""Erasing a reader: rows of every table in one transaction, then what other places remember of them.

The one exception to the append-only log. A line of the audit log stays, with counts and no name.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from api.errors import NotFound
from api.services.auditing import By, note_audit
from api.services.comments import touch_commented_papers
from api.services.mail_message import file_name
from api.services.mailing import forget_mails
from api.store import accounts, erasing, users
from api.store.erasing import SECRET_NAMES
from api.store.feeds import FeedStore

ERASED: Final = "reader erased"  # in the audit log
# A list that was being built while its reader was erased is written within the time limit of its task.
SWEEP_AFTER: Final = timedelta(minutes=5)
SWEPT_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Erased:
    """What went, and what is still to be forgotten outside the database."""

    user_ids: tuple[int, ...]
    names: tuple[str, ...]
    rows: dict[str, int]  # removed, by table
    versions: tuple[str, ...]  # of models under which lists were prepared
    mail_files: tuple[str, ...]  # names, where mails are kept as files


def find_reader(session: Session, external_user: str) -> int:
    """Return the number of a reader; raises NotFound."""
    user_id = users.find_user_id(session, external_user)
    if user_id is None:
        raise NotFound("no reader is known under this name")
    return user_id


def erase_reader(session: Session, user_id: int, *, by: By, now: datetime) -> Erased:
    """Remove a reader and the anonymous ones who became part of them from every table; raises NotFound for nobody.

    After the commit `drop_keys` and `drop_files` are to be called; events that arrive meanwhile wait, and are refused
    then.
    """
    gone = erasing.lock_for_erasing(session, user_id)
    if not any(one.user_id == user_id for one in gone):
        raise NotFound("this reader is not here any more")
    user_ids = [one.user_id for one in gone]
    rows = erasing.count_rows(session, user_ids)
    account = accounts.find_account_of_reader(session, user_id)
    mails = erasing.mails_of(session, user_ids, None if account is None else account.mail)
    files = tuple(file_name(mail) for mail in mails)
    if account is not None:
        extra = {
            "mails": forget_mails(session, account.mail),
            "sign_in_links": accounts.delete_links_to(session, account.mail),
            "digests": erasing.delete_digests_to(session, account.mail),
        }
        rows |= {name: max(count, rows.get(name, 0)) for name, count in extra.items() if count}
    names = [one.external_user for one in gone]
    erasing.forget_moderator(session, names if account is None else [*names, account.display_name])
    if letters := erasing.delete_letters(session, gone):
        rows["dead_letters"] = letters
    for number in user_ids:
        touch_commented_papers(session, number, now=now)
    erasing.delete_readers(session, user_ids)
    for one in gone:
        secret_name = one.external_user if one.external_user.startswith(SECRET_NAMES) else None
        erasing.note_erased(session, one.user_id, secret_name=secret_name, now=now)
    note_audit(session, ERASED, by=by, facts={"readers": len(gone), **rows}, now=now)
    versions = tuple(erasing.all_versions(session))
    return Erased(tuple(user_ids), tuple(names), rows, versions, files)


def drop_keys(feeds: FeedStore, erased: Erased) -> bool:
    """Remove what the cache holds of erased readers; False when it is away: `sweep_erased` makes up for it."""
    return feeds.drop_readers(erased.user_ids, versions=erased.versions)


def drop_files(folder: Path, erased: Erased) -> bool:
    """Remove the mails of erased readers from the folder that has them without a mail server; False when it cannot."""
    try:
        for name in erased.mail_files:
            (folder / name).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def sweep_erased(session: Session, feeds: FeedStore, *, now: datetime) -> int:
    """Look once more at the caches after readers were erased; return how many were swept."""
    user_ids = erasing.unswept(session, erased_before=now - SWEEP_AFTER, limit=SWEPT_AT_ONCE)
    if not user_ids or not feeds.drop_readers(user_ids, versions=erasing.all_versions(session)):
        return 0
    erasing.mark_swept(session, user_ids, now=now)
    return len(user_ids)
