"""How often an address may be asked whether it wants digests, whoever asks."""

from datetime import UTC, datetime, timedelta

from api.services.digest_asking import MOST_CONFIRMATIONS, PAUSE, subscribe_address, subscribe_reader
from api.services.digest_times import DAILY, Schedule
from api.settings import Settings
from api.store.engine import Database
from tests.api.feed_world import add_reader
from tests.mail_world import mails_in

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SCHEDULE = Schedule(DAILY, 0, 7, "UTC")
SETTINGS = Settings()


def ask(database: Database, user_id: int, address: str, *, now: datetime) -> bool:
    """Have a reader order a digest to somebody's address; True when that is asked by a mail."""
    with database.write() as session:
        asked = subscribe_reader(
            session, SETTINGS, user_id, address=address, schedule=SCHEDULE, is_proven=False, now=now
        )
        return asked.is_mailed


def test_readers_who_name_one_address_have_it_asked_once_in_ten_minutes(database: Database) -> None:
    for user_id in (1, 2, 3):
        add_reader(database, user_id)
    assert ask(database, 1, "victim@elsewhere.test", now=NOW)
    assert not ask(database, 2, "Victim@Elsewhere.test", now=NOW)
    with database.write() as session:
        asked = subscribe_address(session, SETTINGS, address="VICTIM@elsewhere.test", schedule=SCHEDULE, now=NOW)
    assert not asked.is_mailed
    assert ask(database, 2, "other@elsewhere.test", now=NOW)
    assert ask(database, 3, "victim@elsewhere.test", now=NOW + PAUSE)
    assert len(mails_in(database)) == 3


def test_ever_new_readers_have_an_address_asked_five_times_a_day(database: Database) -> None:
    for user_id in range(1, 10):
        add_reader(database, user_id)
    asked = [ask(database, at, "victim@elsewhere.test", now=NOW + at * PAUSE) for at in range(1, 9)]
    assert asked == [True] * MOST_CONFIRMATIONS + [False] * 3
    assert ask(database, 9, "victim@elsewhere.test", now=NOW + timedelta(days=1) + 2 * PAUSE)
