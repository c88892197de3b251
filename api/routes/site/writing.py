"""Who may write comments and moderate them, as a visit says it."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from api.errors import NotAllowed
from api.routes.site.visiting import Visit
from api.services.comments import Writer, find_writer
from api.services.feed import NOBODY

OPERATOR: Final = "the operator"


def may_write(visit: Visit) -> bool:
    """True for who is signed in, and for the reader picked on this machine."""
    return visit.account is not None or visit.is_picked


def writer_of(visit: Visit) -> Writer | None:
    """Return as whom a visitor reads comments, None for one of whom nobody wrote any."""
    if visit.account is not None:
        account = visit.account
        is_moderator = account.is_moderator or visit.is_operator
        return Writer(account.user_id, account.display_name or account.external_user, is_moderator)
    if visit.is_picked and visit.user_id is not None:
        return Writer(visit.user_id, visit.name, visit.is_operator)
    return Writer(NOBODY, OPERATOR, is_moderator=True) if visit.is_operator else None


def find_writing(session: Session, visit: Visit) -> Writer:
    """Return as whom a visitor writes; raises NotAllowed for one who has to sign in first."""
    if not may_write(visit):
        raise NotAllowed("comments are written by people who are signed in: sign in, then send it again")
    writer = writer_of(visit)
    if writer is None or writer.user_id == NOBODY:  # a picked reader who has done nothing yet
        made = find_writer(session, visit.name, now=datetime.now(UTC))
        return Writer(made.user_id, made.name, visit.is_operator)
    return writer


def find_moderator(visit: Visit) -> Writer:
    """Return as whom a visitor moderates; raises NotAllowed for everybody else."""
    writer = writer_of(visit)
    if writer is None or not writer.is_moderator:
        raise NotAllowed("this page is for moderators")
    return writer
