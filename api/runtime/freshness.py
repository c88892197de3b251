"""As of when this process's papers are: looked up in the background, so that no list waits for it."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.runtime.repeating import Repeating
from api.store.engine import Database
from api.store.sources import read_daily_as_of, read_papers_as_of

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
DAILY_SOURCE: Final = "huggingface"  # daily lists come from nowhere else


class Freshness:
    """Follows the last success of the sources of papers; a failed look keeps what was known."""

    def __init__(self, db: Database, sources: Sequence[str]) -> None:
        self._db = db
        self._sources = sources
        self._as_of: datetime | None = None
        self._text: str | None = None
        self._daily_text: str | None = None
        self._is_failing = False
        self._looking = Repeating(self.look, name="freshness")

    @property
    def as_of(self) -> datetime | None:
        """When a source of papers was last read to its end, else the day of the newest paper; None while unknown."""
        return self._as_of

    @property
    def text(self) -> str | None:
        """The same as lists write it."""
        return self._text

    @property
    def daily_text(self) -> str | None:
        """The same for daily lists, which one source alone fills."""
        return self._daily_text

    def look(self) -> datetime | None:
        """Ask the database and return `as_of`; never raises."""
        try:
            with self._db.read() as session:
                found = read_papers_as_of(session, self._sources)
                daily = read_daily_as_of(session, DAILY_SOURCE)
        except SQLAlchemyError as error:
            if not self._is_failing:
                log.warning("age of papers unknown", extra={"error": type(error).__name__})
            self._is_failing = True
            return self._as_of
        self._is_failing = False
        self._as_of, self._text = found, None if found is None else found.isoformat()
        self._daily_text = None if daily is None else daily.isoformat()
        return found

    def start(self, seconds: float = LOOK_SECONDS) -> None:
        """Look from now on in a background thread."""
        self._looking.start(seconds)

    def stop(self) -> None:
        """End the background thread."""
        self._looking.stop()
