"""People who sign in by links, for tests of what follows."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.services import sessions, signing_in
from api.services.sessions import Lifetime, NewSession, SignedIn
from api.services.signing_in import Arrived, Rules, SigningIn
from api.store.engine import Database
from api.store.tables_mails import QueuedMail

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA = "ada@papers.test"
LIFETIME = Lifetime(timedelta(days=30), timedelta(days=90))
RULES = Rules(domains=(), link_life=timedelta(minutes=15), links_an_hour=3, asked_an_hour=10)
BROWSER = SigningIn("Firefox on Linux", None, None, LIFETIME)


def ask(
    session: Session, mail: str = ADA, *, client: str = "192.0.2.1", now: datetime = NOW, rules: Rules = RULES
) -> bool:
    return signing_in.ask_link(
        session, mail, client=client, next_path="/library", site="https://papers.test", rules=rules, now=now
    )


def ask_secret(database: Database, mail: str = ADA, *, now: datetime = NOW) -> str:
    with database.write() as session:
        assert ask(session, mail, now=now)
        letter = session.scalars(sa.select(QueuedMail).order_by(QueuedMail.mail_id.desc())).first()
        assert letter is not None
        return letter.text.partition("/sign-in/")[2].split()[0]


def use(database: Database, secret: str, browser: SigningIn = BROWSER, *, now: datetime = NOW) -> Arrived:
    with database.write() as session:
        return signing_in.sign_in_by_link(session, secret, browser, rules=RULES, now=now)


def find(database: Database, begun: NewSession, *, now: datetime) -> tuple[SignedIn, bool] | None:
    with database.read() as session:
        return sessions.read_session(
            session, begun.secret_hash, moderators={"grace@papers.test"}, lifetime=LIFETIME, now=now
        )
