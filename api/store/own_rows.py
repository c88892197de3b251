"""All rows that belong to a reader, table by table, in pages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.every_table import every_table, reader_columns
from api.store.tables import Paper, User
from api.store.tables_accounts import Account
from api.store.tables_letters import DeadLetter, Merge
from api.store.tables_mails import Digest, QueuedMail

PAGE: Final = 500  # rows
# What opens something, means nothing outside this service, or names somebody else.
SECRETS: Final = frozenset(
    {
        *("secret", "secret_hash", "confirm_hash", "name_hash", "fingerprint", "payload_hash"),
        *("lease_owner", "lease_until", "fencing_token", "hidden_by"),
    }
)
_BODIES: Final = {"mails": frozenset({"text", "html", "headers"})}  # its links sign in; who it is to has it
_NEVER: Final = frozenset({"erasures", "audit_log"})  # know nobody
PAPER: Final = "paper"  # beside the number of a paper, its id


@dataclass(frozen=True, slots=True)
class Owner:
    """A reader and the anonymous ones who became part of them."""

    user_ids: tuple[int, ...]
    names: tuple[str, ...]
    mail: str | None  # of their account


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table with rows of readers, and which of them are an owner's."""

    table: sa.Table
    is_own: sa.ColumnElement[bool]


def find_owner(session: Session, user_id: int) -> Owner | None:
    """Return a reader with all that became part of them, None for nobody."""
    parts = sa.select(Merge.user_id).where(Merge.into_user_id == user_id)
    query = sa.select(User.user_id, User.external_id).where(sa.or_(User.user_id == user_id, User.user_id.in_(parts)))
    rows = session.execute(query.order_by(User.user_id)).all()
    if not any(row.user_id == user_id for row in rows):
        return None
    mail = session.scalar(sa.select(Account.mail).where(Account.user_id == user_id))
    return Owner(tuple(row.user_id for row in rows), tuple(row.external_id for row in rows), mail)


def own_tables(owner: Owner) -> Iterator[OwnTable]:
    """Yield every table that can hold rows of a reader, in the order in which they refer to each other."""
    direct: dict[sa.Table, sa.ColumnElement[bool]] = {}
    for table in every_table():
        if table.name in _NEVER:
            continue
        conditions = _conditions(table, owner) or _conditions_of_parents(table, direct)
        if conditions:
            direct[table] = sa.or_(*conditions)
            yield OwnTable(table, direct[table])


def own_keys(session: Session, own: OwnTable) -> list[tuple[Any, ...]]:
    """Return the primary keys of an owner's rows, ascending."""
    return sorted(tuple(row) for row in session.execute(sa.select(*own.table.primary_key.columns).where(own.is_own)))


def load_own_rows(session: Session, own: OwnTable, keys: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return these rows as they are kept, without secrets; papers are named by their ids, too."""
    table = own.table
    left_out = SECRETS | _BODIES.get(table.name, frozenset())
    query = sa.select(*(column for column in table.columns if column.name not in left_out))
    if "paper_id" in table.columns:
        papers = Paper.__table__
        query = query.add_columns(papers.c.external_id.label(PAPER))
        query = query.select_from(table.outerjoin(papers, papers.c.paper_id == table.c.paper_id))
    key = list(table.primary_key.columns)
    wanted = key[0].in_([one[0] for one in keys]) if len(key) == 1 else sa.tuple_(*key).in_(keys)
    return [dict(row) for row in session.execute(query.where(wanted, own.is_own).order_by(*key)).mappings()]


def _conditions(table: sa.Table, owner: Owner) -> list[sa.ColumnElement[bool]]:
    if table is User.__table__:
        return [table.c.user_id.in_(owner.user_ids)]
    found: list[sa.ColumnElement[bool]] = [column.in_(owner.user_ids) for column in reader_columns(table)]
    if table is DeadLetter.__table__:
        found += [table.c.user_id.in_(owner.user_ids), table.c.external_user.in_(owner.names)]
    if owner.mail is not None and table in (Digest.__table__, QueuedMail.__table__):
        found.append(sa.func.lower(table.c.recipient) == owner.mail)
    if owner.mail is not None and table.name == "sign_in_links":
        found.append(table.c.mail == owner.mail)
    return found


def _conditions_of_parents(
    table: sa.Table, direct: dict[sa.Table, sa.ColumnElement[bool]]
) -> list[sa.ColumnElement[bool]]:
    """The rows of a table that belong to rows of a reader, as the items of a collection do."""
    found: list[sa.ColumnElement[bool]] = []
    for key in table.foreign_keys:
        parent = key.column.table
        if isinstance(parent, sa.Table) and parent in direct and parent is not table:
            found.append(key.parent.in_(sa.select(key.column).where(direct[parent])))
    return found
