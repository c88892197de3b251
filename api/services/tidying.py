"""What readers leave behind: sessions and links that are over, traces of the erased in caches, ids nobody waits for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.services.erasure import sweep_erased
from api.store import accounts, erasing, sessions, wants
from api.store.feeds import FeedStore

UNWANTED_DAYS: Final = timedelta(days=30)  # what arXiv said of an id is remembered for so long
LINK_DAYS: Final = timedelta(days=1)  # links are counted for an hour; the rest is for whoever asks what happened


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much went."""

    sessions: int
    links: int
    swept: int  # erased readers after whom caches were looked at once more
    forgotten: int  # erased readers of whom nothing can arrive any more
    unwanted: int  # arXiv ids that nobody waits for any more

    @property
    def total(self) -> int:
        """How much it was together."""
        return self.sessions + self.links + self.swept + self.forgotten + self.unwanted


def tidy_accounts(session: Session, feeds: FeedStore, *, cookie_days: int, now: datetime) -> Tidied:
    """Remove what is over; a name of an erased reader is refused for as long as their cookie could last."""
    return Tidied(
        sessions=sessions.delete_expired(session, now=now),
        links=accounts.delete_links(session, asked_before=now - LINK_DAYS),
        swept=sweep_erased(session, feeds, now=now),
        forgotten=erasing.forget_erased(session, erased_before=now - timedelta(days=2 * cookie_days)),
        unwanted=wants.delete_unwanted_fetches(session, last_asked_before=now - UNWANTED_DAYS),
    )
