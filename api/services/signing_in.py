"""Signing in: links by mail that work once, identities of an issuer, and the account that either leads to."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict, Gone, InvalidRequest, NotAllowed, TooManyRequests
from api.runtime.access import hash_secret
from api.services import sessions
from api.services.mail_addresses import fold_mail_address, read_mail_address
from api.services.mailing import Mail, queue_mail
from api.services.merging import Merged, merge_reader
from api.services.sessions import Lifetime, NewSession
from api.store import accounts, users
from api.store.accounts import FoundAccount, FoundLink
from api.store.tables_accounts import ACCOUNT_PREFIX, LONGEST_DISPLAY_NAME

SECRET_BYTES: Final = 32
LONGEST_SECRET: Final = 64  # characters; ours have 43
HOUR: Final = timedelta(hours=1)
NAME_BYTES: Final = 16
LONGEST_CLIENT: Final = 64
BY_MAIL: Final = "mail"
BY_ISSUER: Final = "oidc"
LINK_KIND: Final = "sign-in"  # of the mail


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may sign in, and how often links are mailed."""

    domains: Collection[str]  # empty: everybody may
    link_life: timedelta
    links_an_hour: int  # to one address
    asked_an_hour: int  # by one client

    def may_sign_in(self, mail: str) -> bool:
        """True for an address whose owner may have an account."""
        return not self.domains or mail.rpartition("@")[2] in self.domains


@dataclass(frozen=True, slots=True)
class Identified:
    """Somebody whom an issuer vouches for; `mail` is confirmed by it."""

    issuer: str
    subject: str
    mail: str
    name: str


@dataclass(frozen=True, slots=True)
class SigningIn:
    """Which browser signs in."""

    device: str
    anonymous: str | None  # the reader it has been so far
    former_session: str | None  # hash of the session it had: it ends here
    lifetime: Lifetime


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody who has just signed in."""

    account: FoundAccount
    session: NewSession
    merged: Merged | None
    former_account_id: int | None  # whose session ended here
    next_path: str


def ask_link(
    session: Session, typed: str, *, client: str, next_path: str, site: str, rules: Rules, now: datetime
) -> bool:
    """Have a link mailed to an address, if its owner may sign in and has not been sent many; say whether it was.

    The caller says the same in either case. Raises InvalidRequest for no address, TooManyRequests for a client that
    asks too often.
    """
    mail = fold_mail_address(read_mail_address(typed))
    client = client[:LONGEST_CLIENT]
    accounts.lock_name(session, f"client {client}")
    if accounts.count_links(session, since=now - HOUR, client=client) >= rules.asked_an_hour:
        wait = int(HOUR.total_seconds())
        raise TooManyRequests("many links were asked for from here: try again in an hour", retry_after_seconds=wait)
    accounts.lock_name(session, f"mail {mail}")
    is_mailed = accounts.count_links(session, since=now - HOUR, mail=mail) < rules.links_an_hour
    secret = secrets.token_urlsafe(SECRET_BYTES)
    secret_hash = hash_secret(secret)
    expires_at = now + rules.link_life
    accounts.insert_link(
        session,
        secret_hash=secret_hash,
        link=FoundLink(mail, next_path),
        client=client,
        now=now,
        expires_at=expires_at,
    )
    if not is_mailed or not rules.may_sign_in(mail):
        return False
    minutes = max(round(rules.link_life.total_seconds() / 60), 1)
    queue_mail(
        session, _letter(mail, f"{site}/sign-in/{secret}", minutes, expires_at), key=f"sign-in:{secret_hash}", now=now
    )
    return True


def look_at_link(session: Session, secret: str, *, now: datetime) -> FoundLink | None:
    """Return a link that would sign in; looking does not use it up."""
    return accounts.find_link(session, hash_secret(secret), now=now) if len(secret) <= LONGEST_SECRET else None


def sign_in_by_link(session: Session, secret: str, browser: SigningIn, *, rules: Rules, now: datetime) -> Arrived:
    """Use a link up and sign its owner in; raises Conflict for one that signs nobody in any more."""
    used = accounts.use_link(session, hash_secret(secret), now=now) if len(secret) <= LONGEST_SECRET else None
    if used is None or not rules.may_sign_in(used.mail):
        raise Conflict("this link has been used, or is too old: ask for a new one")
    account = _ensure_account(session, used.mail, name="", now=now)
    return _arrive(session, account, browser, method=BY_MAIL, next_path=used.next_path, now=now)


def sign_in_by_issuer(
    session: Session, who: Identified, browser: SigningIn, *, next_path: str, rules: Rules, now: datetime
) -> Arrived:
    """Sign in somebody whom the issuer vouches for; raises NotAllowed for those who may not have an account."""
    mail = fold_mail_address(read_mail_address(who.mail))
    if not rules.may_sign_in(mail):
        raise NotAllowed("addresses of this mail domain may not sign in here")
    account = accounts.find_account_of_identity(session, who.issuer, who.subject)
    if account is None:
        account = _ensure_account(session, mail, name=who.name, now=now)
        accounts.insert_identity(
            session, issuer=who.issuer, subject=who.subject, account_id=account.account_id, now=now
        )
    return _arrive(session, account, browser, method=BY_ISSUER, next_path=next_path, now=now)


def rename(session: Session, account_id: int, typed: str) -> str:
    """Give an account another name for others to see, and return it; raises InvalidRequest for none."""
    name = tidy_name(typed)
    if not name:
        raise InvalidRequest(f"a name has 1 to {LONGEST_DISPLAY_NAME} printable characters", field="name")
    accounts.write_display_name(session, account_id, name)
    return name


def tidy_name(text: str) -> str:
    """Return a name without what cannot be seen or would turn the text around it, cut at the limit."""
    seen = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(seen.split())[:LONGEST_DISPLAY_NAME].strip()


def _ensure_account(session: Session, mail: str, *, name: str, now: datetime) -> FoundAccount:
    found = accounts.find_account(session, mail)
    if found is not None:
        return found
    external_user = ACCOUNT_PREFIX + secrets.token_urlsafe(NAME_BYTES)
    user_id = users.ensure_users(session, [external_user], now=now)[0][external_user]
    shown = tidy_name(name) or f"Reader {secrets.randbelow(9000) + 1000}"  # nothing of the address: others see it
    if not accounts.insert_account(session, user_id=user_id, mail=mail, display_name=shown, now=now):
        accounts.delete_reader(session, user_id)  # somebody else's press of a button was first
    found = accounts.find_account(session, mail)
    if found is None:
        raise Conflict("this account has just been removed: ask for a new link")
    return found


def _arrive(
    session: Session, account: FoundAccount, browser: SigningIn, *, method: str, next_path: str, now: datetime
) -> Arrived:
    former = None
    if browser.former_session is not None:
        former = sessions.end_session(session, browser.former_session)
    merged = None
    if browser.anonymous is not None:
        merged = _join(session, browser.anonymous, account.external_user, now=now)
    begun = sessions.begin_session(
        session, account.account_id, method=method, device=browser.device, lifetime=browser.lifetime, now=now
    )
    return Arrived(account, begun, merged, former, next_path)


def _join(session: Session, anonymous: str, external_user: str, *, now: datetime) -> Merged | None:
    """Take along what the browser's reader did; None where that is another account's already, or was erased."""
    try:
        return merge_reader(session, anonymous, external_user=external_user, now=now)
    except (Conflict, Gone):
        return None


def _letter(mail: str, link: str, minutes: int, useful_until: datetime) -> Mail:
    how = f"It works once, within {minutes} minutes, in any browser. If you did not ask for it, do nothing."
    text = f"Open this page and press the button to sign in:\n\n{link}\n\n{how}\n"
    html = f'<p><a href="{link}">Open this page</a> and press the button to sign in.</p><p>{how}</p>'
    return Mail(mail, "Your link to sign in", text, html=html, kind=LINK_KIND, useful_until=useful_until)
