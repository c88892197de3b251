"""Erasing a reader from a running process: rows, then what the process and the cache remember."""

import logging
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from api.runtime.group_commit import OVERTAKEN
from api.runtime.state import Runtime
from api.services import erasure
from api.services.auditing import By
from api.services.erasure import Erased

log = logging.getLogger(__name__)

ATTEMPTS: Final = 3


def erase(runtime: Runtime, user_id: int, *, by: By) -> Erased:
    """Erase a reader; this process forgets them at once, others within `token_cache_seconds`. Raises NotFound."""
    erased = _erase_rows(runtime, user_id, by=by)
    for gone, name in zip(erased.user_ids, erased.names, strict=True):
        runtime.access.forget_user(name)
        runtime.access.forget_tokens(gone)
        runtime.signed_in.forget_reader(gone)
    if not erasure.drop_keys(runtime.feeds, erased):
        runtime.async_feeds.distrust(erased.user_ids)
        log.warning("lists of an erased reader wait for the cache", extra={"readers": len(erased.user_ids)})
    if not erasure.drop_files(runtime.settings.mails_dir, erased):
        log.warning("mails of an erased reader stay in the folder", extra={"files": len(erased.mail_files)})
    return erased


def _erase_rows(runtime: Runtime, user_id: int, *, by: By) -> Erased:
    attempt = 1
    while True:
        try:
            with runtime.db.write() as session:
                return erasure.erase_reader(session, user_id, by=by, now=datetime.now(UTC))
        except sa.exc.DBAPIError as error:  # two writers waited for each other: the other one is through now
            if attempt == ATTEMPTS or getattr(error.orig, "sqlstate", None) not in OVERTAKEN:
                raise
        attempt += 1
