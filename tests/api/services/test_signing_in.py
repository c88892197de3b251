"""Links that sign in once, an issuer that vouches for somebody, and the account that both lead to."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Conflict, InvalidRequest, NotAllowed, TooManyRequests
from api.services import signing_in
from api.services.signing_in import Arrived, Identified, Rules, SigningIn
from api.store import users
from api.store.engine import Database
from api.store.tables import User
from api.store.tables_accounts import Account, Identity, SignInLink
from api.store.tables_mails import QueuedMail
from tests.api.services.sign_in_world import ADA, BROWSER, LIFETIME, NOW, RULES, ask, ask_secret, use

ISSUER = "https://id.papers.test"


def test_a_link_leads_to_a_new_account_and_later_to_the_same(database: Database) -> None:
    first = use(database, ask_secret(database))
    again = use(database, ask_secret(database, "ADA@Papers.Test"))
    assert first.account == again.account
    assert first.session.secret != again.session.secret
    assert first.account.mail == ADA
    assert "ada" not in first.account.display_name.lower()  # others see the name, never the address
    assert first.next_path == "/library"


def test_of_many_who_use_a_link_at_once_one_signs_in(database: Database) -> None:
    secret = ask_secret(database)
    arrived: list[Arrived] = []
    refused: list[Conflict] = []
    start = threading.Barrier(4)

    def press() -> None:
        start.wait()
        try:
            arrived.append(use(database, secret))
        except Conflict as error:
            refused.append(error)

    presses = [threading.Thread(target=press) for _ in range(4)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert (len(arrived), len(refused)) == (1, 3)


def test_two_links_used_at_once_make_one_account(database: Database) -> None:
    secrets = [ask_secret(database) for _ in range(2)]
    arrived: list[Arrived] = []
    start = threading.Barrier(2)

    def press(secret: str) -> None:
        start.wait()
        arrived.append(use(database, secret))

    presses = [threading.Thread(target=press, args=(secret,)) for secret in secrets]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert len({one.account.account_id for one in arrived}) == 1
    with database.read() as session:
        assert session.scalars(sa.select(sa.func.count()).select_from(User)).one() == 1  # nobody is left over


def test_a_link_ends_with_its_time(database: Database) -> None:
    secret = ask_secret(database)
    with database.read() as session:
        assert signing_in.look_at_link(session, secret, now=NOW + timedelta(minutes=14)) is not None
        assert signing_in.look_at_link(session, secret, now=NOW + timedelta(minutes=15)) is None
    with pytest.raises(Conflict):
        use(database, secret, now=NOW + timedelta(minutes=15))


def test_a_failed_transaction_does_not_use_the_link_up(database: Database) -> None:
    secret = ask_secret(database)

    def stop(session: Session) -> None:
        signing_in.sign_in_by_link(session, secret, BROWSER, rules=RULES, now=NOW)
        raise RuntimeError("the machine stopped")

    with pytest.raises(RuntimeError), database.write() as session:
        stop(session)
    assert use(database, secret).account.mail == ADA


def test_an_address_and_a_client_are_counted_by_the_hour(database: Database) -> None:
    with database.write() as session:
        assert [ask(session, now=NOW + timedelta(minutes=minute)) for minute in range(5)] == [True] * 3 + [False] * 2
        assert ask(session, now=NOW + timedelta(minutes=61)) is False  # what was asked for in vain counts, too
        assert ask(session, now=NOW + timedelta(minutes=130))
        for number in range(9):
            ask(session, f"reader{number}@papers.test", now=NOW + timedelta(minutes=131))
        with pytest.raises(TooManyRequests):
            ask(session, "one-more@papers.test", now=NOW + timedelta(minutes=132))
        assert ask(session, "one-more@papers.test", client="192.0.2.2", now=NOW + timedelta(minutes=132))


def test_links_asked_for_at_once_are_counted_one_after_the_other(database: Database) -> None:
    mailed: list[bool] = []
    start = threading.Barrier(6)

    def press(number: int) -> None:
        start.wait()
        with database.write() as session:
            mailed.append(ask(session, client=f"192.0.2.{number}"))

    presses = [threading.Thread(target=press, args=(number,)) for number in range(6)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert sum(mailed) == RULES.links_an_hour


def test_only_people_of_the_configured_domains_sign_in(database: Database) -> None:
    closed = Rules({"papers.test"}, RULES.link_life, 3, 10)
    with database.write() as session:
        assert not ask(session, "eve@papers.test.evil.test", rules=closed)
        assert not ask(session, "eve@sub.papers.test", rules=closed)
        assert ask(session, "ada@PAPERS.test", rules=closed)
        assert session.scalars(sa.select(QueuedMail.recipient)).all() == ["ada@papers.test"]
    secret = ask_secret(database, "eve@elsewhere.test")  # asked for before the setting was there
    with pytest.raises(Conflict), database.write() as session:
        signing_in.sign_in_by_link(session, secret, BROWSER, rules=closed, now=NOW)


def test_a_mail_of_a_link_is_not_sent_when_the_link_is_over(database: Database) -> None:
    ask_secret(database)
    with database.read() as session:
        assert session.scalars(sa.select(QueuedMail.useful_until)).one() == NOW + RULES.link_life


def arrive(database: Database, who: Identified, *, rules: Rules = RULES) -> Arrived:
    with database.write() as session:
        return signing_in.sign_in_by_issuer(session, who, BROWSER, next_path="/", rules=rules, now=NOW)


def test_an_issuers_word_and_a_mailed_link_lead_to_the_same_account(database: Database) -> None:
    by_mail = use(database, ask_secret(database))
    by_issuer = arrive(database, Identified(ISSUER, "subject 1", "Ada@papers.test", "Ada Lovelace"))
    assert by_issuer.account.account_id == by_mail.account.account_id


def test_who_changes_their_address_at_the_issuer_stays_who_they_are(database: Database) -> None:
    first = arrive(database, Identified(ISSUER, "subject 1", ADA, "Ada Lovelace"))
    moved = arrive(database, Identified(ISSUER, "subject 1", "countess@papers.test", "Ada King"))
    assert moved.account == first.account
    assert first.account.display_name == "Ada Lovelace"
    with database.read() as session:
        assert session.scalars(sa.select(Identity.subject)).all() == ["subject 1"]


def test_the_same_subject_of_another_issuer_is_somebody_else(database: Database) -> None:
    first = arrive(database, Identified(ISSUER, "subject 1", ADA, ""))
    other = arrive(database, Identified("https://other.test", "subject 1", "eve@papers.test", ""))
    assert other.account.account_id != first.account.account_id


def test_an_issuers_people_keep_to_the_domains_too(database: Database) -> None:
    closed = Rules({"papers.test"}, RULES.link_life, 3, 10)
    with pytest.raises(NotAllowed):
        arrive(database, Identified(ISSUER, "subject 1", "eve@elsewhere.test", ""), rules=closed)
    with pytest.raises(InvalidRequest):
        arrive(database, Identified(ISSUER, "subject 1", "no address", ""))


def test_what_a_browser_did_comes_along_once_and_to_one_account(database: Database) -> None:
    with database.write() as session:
        users.ensure_users(session, ["anon:one"], now=NOW)
    browser = SigningIn("a browser", "anon:one", None, LIFETIME)
    first = use(database, ask_secret(database), browser)
    assert first.merged is not None
    second = use(database, ask_secret(database, "grace@papers.test"), browser)
    assert second.merged is None  # it is Ada's
    assert use(database, ask_secret(database), browser).merged is not None  # again into the same account is nothing


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Ada\u202eecalevoL", "Ada ecalevoL"),
        ("<b>Ada</b>", "<b>Ada</b>"),
        ("Ada\nLovelace\0", "Ada Lovelace"),
        ("x" * 100, "x" * 80),
    ],
)
def test_a_name_is_one_line_that_can_be_seen(typed: str, kept: str) -> None:
    assert signing_in.tidy_name(typed) == kept


def test_a_name_of_nothing_is_refused(sqlite_database: Database) -> None:
    arrived = use(sqlite_database, ask_secret(sqlite_database))
    with sqlite_database.write() as session:
        assert signing_in.rename(session, arrived.account.account_id, " Ada ") == "Ada"
        for typed in ("", "  ", "\u200b"):
            with pytest.raises(InvalidRequest):
                signing_in.rename(session, arrived.account.account_id, typed)
        assert session.scalars(sa.select(Account.display_name)).one() == "Ada"


def test_a_secret_of_any_length_is_only_looked_up_when_it_can_be_one(sqlite_database: Database) -> None:
    with sqlite_database.read() as session:
        assert signing_in.look_at_link(session, "x" * 65, now=NOW) is None
        assert signing_in.look_at_link(session, "", now=NOW) is None
        assert session.scalars(sa.select(SignInLink)).all() == []
