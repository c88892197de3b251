"""Tasks that send mails, one after another, and forget those that are done with."""

import logging
import os
import random
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from api.queue import SEND_MAILS, TIDY_MAILS
from api.runtime.metrics import MAILS
from api.runtime.owner import is_dead_owner, name_this_process
from api.runtime.state import Runtime
from api.services import mail_folder, outbox
from api.services.mail_message import build_message, file_name, sender_of
from api.services.outbox import Taken
from api.settings import read_settings
from api.store import digests, mails
from api.store.tables_mails import FAILED, QUEUED
from workers.app import task
from workers.processes import runtime
from workers.smtp import LAST_ANSWER_SECONDS, Outcome, Post, ServerAway

log = logging.getLogger(__name__)

SEND_SECONDS: Final = 40.0  # a round takes no new mail after this time; the next one goes on
STEPS: Final = 10  # of a conversation before its last line, each with the settings' time limit
SPARE_SECONDS: Final = 30.0
TIDY_BATCH: Final = 1000
TIDY_SECONDS: Final = 20.0
MAILED_DAYS: Final = 180  # what was mailed is not new after half a year anyway
PRIVATE_FOLDER: Final = 0o700


def lease_seconds(smtp_seconds: float) -> float:
    """Return how long one mail may take at most."""
    return STEPS * smtp_seconds + max(LAST_ANSWER_SECONDS, smtp_seconds) + SPARE_SECONDS


@task(SEND_MAILS, time_limit=int(SEND_SECONDS + lease_seconds(read_settings().smtp_seconds) + SPARE_SECONDS))
def send_mails() -> int:
    """Send what is due, and return how many mails were tried; any number of workers may do so at once."""
    held = runtime()
    until = time.monotonic() + SEND_SECONDS
    with held.db.read() as session:
        is_idle = not mails.has_waiting(session, now=datetime.now(UTC))
    if is_idle:
        return 0
    with held.db.write() as session:
        now = datetime.now(UTC)
        for mail_id in outbox.settle_lost(session, now=now, is_dead=is_dead_owner):
            log.warning("mail's fate unknown", extra={"mail_id": mail_id})
        outbox.give_up_useless(session, now=now)
    tried = 0
    with Post(held.settings) as post:
        while time.monotonic() < until and (taken := _take(held)) is not None:
            tried += 1
            if not _send(held, post, taken):
                break
    return tried


@task(TIDY_MAILS)
def tidy_mails() -> int:
    """Forget mails that are long done with and addresses that nobody confirmed, and return how many mails went."""
    held = runtime()
    until = time.monotonic() + TIDY_SECONDS
    removed = 0
    now = datetime.now(UTC)
    before = now - timedelta(days=held.settings.mail_days)
    while time.monotonic() < until:
        with held.db.write() as session:
            gone = mails.delete_finished(session, before=before, limit=TIDY_BATCH)
        removed += gone
        if gone < TIDY_BATCH:
            break
    with held.db.write() as session:
        digests.delete_unconfirmed(session, now=now)
        digests.delete_mailed(session, before=now - timedelta(days=MAILED_DAYS))
    with held.db.read() as session:
        mail_folder.remove_forgotten(session, held.settings.mails_dir)
    _remove_unfinished(held.settings.mails_dir, before=now - timedelta(days=1))
    return removed


def _take(held: Runtime) -> Taken | None:
    with held.db.write() as session:
        seconds = lease_seconds(held.settings.smtp_seconds)
        return outbox.take_mail(session, owner=name_this_process(), now=datetime.now(UTC), lease_seconds=seconds)


def _send(held: Runtime, post: Post, taken: Taken) -> bool:
    """Send one mail and note what became of it; False when the mail server is away."""
    try:
        message = build_message(taken.mail, held.settings)
    except ValueError as error:  # nothing that this code writes down, but a row may have been written by other means
        _note(held, taken, Outcome("refused", why=f"cannot be written as a mail: {error}"))
        return True
    if not held.settings.smtp_host:
        return _keep_as_file(held, taken, message)
    try:
        outcome = post.deliver(
            message,
            sender=sender_of(held.settings),
            recipient=taken.mail.recipient,
            begin_handover=partial(_begin_handover, held, taken),
        )
    except ServerAway as error:
        with held.db.write() as session:
            again_at = outbox.leave_for_later(session, taken, str(error), now=datetime.now(UTC))
        log.warning("mail server away", extra={"error": str(error), "again_at": again_at.isoformat()})
        return False
    _note(held, taken, outcome)
    return True


def _begin_handover(held: Runtime, taken: Taken) -> bool:
    with held.db.write() as session:
        outbox.note_server_back(session)
        return outbox.begin_handover(session, taken)


def _note(held: Runtime, taken: Taken, outcome: Outcome) -> None:
    now, kind = datetime.now(UTC), outcome.kind
    with held.db.write() as session:
        if kind == "sent":
            outbox.record_sent(session, taken, code=outcome.code, now=now)
        elif kind == "unknown":
            outbox.record_unknown(session, taken, outcome.why, now=now)
        elif kind == "refused":
            outbox.record_refused(
                session,
                taken,
                held.settings,
                code=outcome.code,
                why=outcome.why,
                is_bounce=outcome.is_bounce,
                now=now,
            )
        elif kind == "later":
            chance = random.random()
            state = outbox.put_off(
                session, taken, held.settings, code=outcome.code, why=outcome.why, now=now, chance=chance
            )
            kind = "later" if state == QUEUED else "refused"
    MAILS.labels(taken.mail.kind, FAILED if kind == "refused" else kind).inc()
    extra = {"mail_id": taken.mail.mail_id, "kind": taken.mail.kind, "outcome": kind, "code": outcome.code}
    log.info("mail", extra=extra)


def _keep_as_file(held: Runtime, taken: Taken, message: bytes) -> bool:
    """Write the mail into the folder, under a name that is the same however often it is written."""
    try:
        write_file(held.settings.mails_dir, file_name(taken.mail), message)
    except OSError as error:
        _note(held, taken, Outcome("later", why=f"{held.settings.mails_dir}: {error.strerror}"))
        return True
    with held.db.write() as session:
        outbox.record_sent(session, taken, code=None, now=datetime.now(UTC), state=QUEUED)
    MAILS.labels(taken.mail.kind, "sent").inc()
    return True


def write_file(folder: Path, name: str, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    handle, path = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")  # mkstemp gives it mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(path).replace(folder / name)
    except OSError:
        Path(path).unlink(missing_ok=True)
        raise


def _remove_unfinished(folder: Path, *, before: datetime) -> None:
    """Remove what a worker left behind that was killed while it wrote."""
    for path in folder.glob(".*.part"):
        with suppress(FileNotFoundError):  # another worker has just finished it
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
