"""Sessions of accounts: how long they last, who ends them, and whose they are."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from api.errors import NotFound
from api.services import sessions
from api.services.sessions import Lifetime
from api.services.signing_in import SigningIn
from api.store.engine import Database
from api.store.tables import User
from api.store.tables_accounts import Account, SiteSession
from tests.api.services.sign_in_world import ADA, LIFETIME, NOW, ask_secret, find, use


def test_signing_in_ends_the_session_the_browser_had(database: Database) -> None:
    first = use(database, ask_secret(database))
    browser = SigningIn("a browser", None, first.session.secret_hash, LIFETIME)
    second = use(database, ask_secret(database, "grace@papers.test"), browser)
    assert second.former_account_id == first.account.account_id
    assert find(database, first.session, now=NOW) is None
    assert find(database, second.session, now=NOW) is not None


def test_a_session_ends_without_use_and_after_its_longest_time(database: Database) -> None:
    begun = use(database, ask_secret(database)).session
    assert find(database, begun, now=NOW + timedelta(days=29)) is not None
    assert find(database, begun, now=NOW + timedelta(days=31)) is None
    for day in range(0, 90, 20):
        with database.write() as session:
            sessions.prolong_session(session, begun.secret_hash, lifetime=LIFETIME, now=NOW + timedelta(days=day))
    assert find(database, begun, now=NOW + timedelta(days=89)) is not None
    assert find(database, begun, now=NOW + timedelta(days=91)) is None


def test_a_shorter_lifetime_counts_for_sessions_that_are_there(database: Database) -> None:
    begun = use(database, ask_secret(database)).session
    short = Lifetime(timedelta(days=1), timedelta(days=90))
    with database.read() as session:
        late = NOW + timedelta(days=2)
        assert sessions.read_session(session, begun.secret_hash, moderators=(), lifetime=short, now=late) is None


def test_use_is_worth_noting_once_a_day(database: Database) -> None:
    begun = use(database, ask_secret(database)).session
    noted = [found[1] for hours in (0, 23, 25) if (found := find(database, begun, now=NOW + timedelta(hours=hours)))]
    assert noted == [False, False, True]


def test_moderators_are_those_whose_address_is_in_the_setting(database: Database) -> None:
    begun = [use(database, ask_secret(database, mail)).session for mail in (ADA, "Grace@papers.test")]
    found = [find(database, one, now=NOW) for one in begun]
    assert [one[0].is_moderator for one in found if one] == [False, True]


def test_somebody_ends_their_own_sessions_and_nobody_elses(database: Database) -> None:
    ada = [use(database, ask_secret(database)) for _ in range(3)]
    grace = use(database, ask_secret(database, "grace@papers.test"))
    found = find(database, ada[0].session, now=NOW)
    assert found is not None
    with database.write() as session:
        listed = sessions.list_own_sessions(session, found[0], now=NOW)
        assert [(one.device, one.is_current) for one in listed].count(("Firefox on Linux", True)) == 1
        assert len(listed) == 3
        sessions.end_own_session(session, found[0], ada[1].session.session_id)
        with pytest.raises(NotFound):
            sessions.end_own_session(session, found[0], grace.session.session_id)
    assert find(database, ada[1].session, now=NOW) is None
    with database.write() as session:
        assert sessions.end_all_sessions(session, found[0].account_id) == 2
    assert find(database, ada[0].session, now=NOW) is None
    assert find(database, grace.session, now=NOW) is not None


def test_an_account_that_goes_takes_its_sessions_along(database: Database) -> None:
    arrived = use(database, ask_secret(database))
    with database.write() as session:
        session.execute(sa.delete(User).where(User.user_id == arrived.account.user_id))
        assert session.scalars(sa.select(Account)).all() == []
        assert session.scalars(sa.select(SiteSession)).all() == []
    assert find(database, arrived.session, now=NOW) is None
