"""Accounts, what issuers call their owners, and the links that were mailed to them."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import User
from api.store.tables_accounts import Account, Identity, SignInLink
from api.store.upsert import insert_into


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account with its reader's name."""

    account_id: int
    user_id: int
    external_user: str
    mail: str
    display_name: str


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link that was mailed."""

    mail: str
    next_path: str


def find_account(session: Session, mail: str) -> FoundAccount | None:
    """Return the account of an address."""
    return _found(session, Account.mail == mail)


def find_account_of_reader(session: Session, user_id: int) -> FoundAccount | None:
    """Return a reader's account, None for one who cannot sign in."""
    return _found(session, Account.user_id == user_id)


def find_account_of_identity(session: Session, issuer: str, subject: str) -> FoundAccount | None:
    """Return the account of somebody whom an issuer knows."""
    owner = sa.select(Identity.account_id).where(Identity.issuer == issuer, Identity.subject == subject)
    return _found(session, Account.account_id == owner.scalar_subquery())


def insert_account(session: Session, *, user_id: int, mail: str, display_name: str, now: datetime) -> bool:
    """Store an account; False when the address has one, whoever made it meanwhile."""
    values = {"user_id": user_id, "mail": mail, "display_name": display_name, "created_at": now}
    statement = insert_into(session, Account).values(values).on_conflict_do_nothing(index_elements=["mail"])
    return session.scalar(statement.returning(Account.account_id)) is not None


def insert_identity(session: Session, *, issuer: str, subject: str, account_id: int, now: datetime) -> None:
    """Note what an issuer calls the owner of an account; it is never given to another account."""
    values = {"issuer": issuer, "subject": subject, "account_id": account_id, "linked_at": now}
    session.execute(insert_into(session, Identity).values(values).on_conflict_do_nothing())


def write_display_name(session: Session, account_id: int, display_name: str) -> None:
    """Rename an account."""
    session.execute(sa.update(Account).where(Account.account_id == account_id).values(display_name=display_name))


def delete_reader(session: Session, user_id: int) -> None:
    """Remove a reader's row, and with it all that refers to it."""
    session.connection().execute(sa.delete(User).where(User.user_id == user_id))


def lock_name(session: Session, name: str) -> None:
    """Let transactions that count under this name follow each other."""
    if session.get_bind().dialect.name == "sqlite":
        return  # there is one writer at a time
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def insert_link(
    session: Session, *, secret_hash: str, link: FoundLink, client: str, now: datetime, expires_at: datetime
) -> None:
    """Store a link that was asked for."""
    session.add(
        SignInLink(
            secret_hash=secret_hash,
            mail=link.mail,
            client=client,
            next_path=link.next_path,
            asked_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()


def count_links(session: Session, *, since: datetime, mail: str | None = None, client: str | None = None) -> int:
    """Return how many links were asked for since, for an address or by a client."""
    query = sa.select(sa.func.count()).select_from(SignInLink).where(SignInLink.asked_at > since)
    query = query.where(SignInLink.mail == mail) if mail is not None else query.where(SignInLink.client == client)
    return session.execute(query).scalar_one()


def find_link(session: Session, secret_hash: str, *, now: datetime) -> FoundLink | None:
    """Return a link that still signs in; looking does not use it up."""
    query = sa.select(SignInLink.mail, SignInLink.next_path).where(*_is_good(secret_hash, now))
    row = session.execute(query).one_or_none()
    return None if row is None else FoundLink(row.mail, row.next_path)


def use_link(session: Session, secret_hash: str, *, now: datetime) -> FoundLink | None:
    """Use a link up and return it; of any number of callers one gets it, the others None."""
    statement = sa.update(SignInLink).where(*_is_good(secret_hash, now)).values(used_at=now)
    row = session.execute(statement.returning(SignInLink.mail, SignInLink.next_path)).one_or_none()
    return None if row is None else FoundLink(row.mail, row.next_path)


def delete_links(session: Session, *, asked_before: datetime) -> int:
    """Remove links that were asked for long ago; return how many."""
    return session.connection().execute(sa.delete(SignInLink).where(SignInLink.asked_at < asked_before)).rowcount


def delete_links_to(session: Session, mail: str) -> int:
    """Remove all links that were mailed to an address; return how many."""
    return session.connection().execute(sa.delete(SignInLink).where(SignInLink.mail == mail)).rowcount


def _is_good(secret_hash: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return SignInLink.secret_hash == secret_hash, SignInLink.used_at.is_(None), SignInLink.expires_at > now


def _found(session: Session, which: sa.ColumnElement[bool]) -> FoundAccount | None:
    columns = (Account.account_id, Account.user_id, User.external_id, Account.mail, Account.display_name)
    row = session.execute(sa.select(*columns).join(User, User.user_id == Account.user_id).where(which)).one_or_none()
    return None if row is None else FoundAccount(*row)
