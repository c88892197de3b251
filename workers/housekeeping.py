"""Tasks that remove what is no longer kept."""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from api.queue import TIDY_ACCOUNTS, TIDY_LETTERS
from api.services import dead_letters, tidying
from workers.app import task
from workers.processes import runtime

log = logging.getLogger(__name__)

TIDY_SECONDS: Final = 20.0  # the next one goes on
TIDY_LIMIT: Final = 60


@task(TIDY_LETTERS, time_limit=TIDY_LIMIT)
def tidy_letters() -> int:
    """Remove rejected events that are too old or too many, in short transactions, and return how many went."""
    held = runtime()
    until = time.monotonic() + TIDY_SECONDS
    removed = 0
    while time.monotonic() < until:
        with held.db.write() as session:
            gone = dead_letters.tidy(
                session,
                days=held.settings.dead_letter_days,
                most=held.settings.dead_letters_most,
                now=datetime.now(UTC),
            )
        removed += gone
        if gone < dead_letters.TIDIED_AT_ONCE:
            break
    if removed:
        log.info("dead letters removed", extra={"letters": removed})
    return removed


@task(TIDY_ACCOUNTS, time_limit=TIDY_LIMIT)
def tidy_accounts() -> int:
    """Remove what readers leave behind: sessions, links, traces of the erased, unwanted ids; return how many."""
    held = runtime()
    with held.db.write() as session:
        tidied = tidying.tidy_accounts(
            session, held.feeds, cookie_days=held.settings.reader_cookie_days, now=datetime.now(UTC)
        )
    if tidied.total:
        fields = {
            "sessions": tidied.sessions,
            "links": tidied.links,
            "erased": tidied.swept,
            "unwanted": tidied.unwanted,
        }
        log.info("accounts tidied", extra=fields)
    return tidied.total
