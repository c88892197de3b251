"""Events carry what their slate said, and the times as the client's clock gave them."""

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROWS_PER_STEP: Final = 5_000
SIGNATURE_BYTES: Final = 16
# Of the first format of slates: format, reader, slate, time, first rank, papers, length of the version.
HEADER: Final = struct.Struct("<BQ8sqIHB")
PAPER_BYTES: Final = 5
LAST_SOURCE: Final = 3
LONGEST_VERSION: Final = 40
HIGHEST_POSITION: Final = 2**31 - 1

EVENTS: Final = sa.table(
    "events",
    sa.column("event_pk", sa.BigInteger),
    sa.column("user_id", sa.BigInteger),
    sa.column("paper_id", sa.BigInteger),
    sa.column("slate", sa.Text),
    sa.column("slate_id", sa.String),
    sa.column("slate_position", sa.Integer),
    sa.column("slate_source", sa.SmallInteger),
    sa.column("slate_version", sa.String),
)


def upgrade() -> None:
    """Add the columns and fill them from the tokens that events brought so far.

    Those were stored unchecked, so only tokens of the right form that name the event's reader and paper are read. They
    did not know propensities; a token that says nothing about its event is dropped with the column.
    """
    for column in (
        sa.Column("raw_occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("raw_sent_at", sa.BigInteger(), nullable=True),
        sa.Column("slate_id", sa.String(length=16), nullable=True),
        sa.Column("slate_position", sa.Integer(), nullable=True),
        sa.Column("slate_source", sa.SmallInteger(), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=True),
        sa.Column("slate_version", sa.String(length=40), nullable=True),
        sa.Column("slate_variant", sa.String(length=16), nullable=True),
    ):
        op.add_column("events", column)
    connection = op.get_bind()
    for rows in _with_tokens(connection):
        found = [facts for row in rows if (facts := _facts(*row)) is not None]
        if found:
            connection.execute(_filling(), found)
    op.drop_column("events", "slate")
    acts = sa.text("kind <> 0")
    op.create_index("ix_events_acts", "events", ["user_id", "event_pk"], sqlite_where=acts, postgresql_where=acts)


def downgrade() -> None:
    """Bring back an empty column for tokens and drop what `upgrade` added."""
    op.drop_index("ix_events_acts", table_name="events")
    op.add_column("events", sa.Column("slate", sa.Text(), nullable=True))
    for name in (
        "slate_variant",
        "slate_version",
        "propensity",
        "slate_source",
        "slate_position",
        "slate_id",
        "raw_sent_at",
        "raw_occurred_at",
    ):
        op.drop_column("events", name)


def _with_tokens(connection: sa.Connection) -> Iterator[list[tuple[int, int, int, str]]]:
    after = 0
    query = sa.select(EVENTS.c.event_pk, EVENTS.c.user_id, EVENTS.c.paper_id, EVENTS.c.slate)
    query = query.where(EVENTS.c.slate.is_not(None)).order_by(EVENTS.c.event_pk).limit(ROWS_PER_STEP)
    while rows := connection.execute(query.where(EVENTS.c.event_pk > after)).all():
        yield [(row.event_pk, row.user_id, row.paper_id, row.slate) for row in rows]
        after = rows[-1].event_pk


def _filling() -> sa.Update:
    names = ("slate_id", "slate_position", "slate_source", "slate_version")
    update = sa.update(EVENTS).where(EVENTS.c.event_pk == sa.bindparam("key"))
    return update.values({name: sa.bindparam(f"new_{name}") for name in names})


def _facts(event_pk: int, user_id: int, paper_id: int, token: str) -> dict[str, object] | None:
    payload = _payload(token)
    if len(payload) < HEADER.size:
        return None
    form, reader, slate_id, _, first_rank, papers, tag = HEADER.unpack_from(payload)
    start = HEADER.size + tag
    ends = start + PAPER_BYTES * papers
    if form != 1 or reader not in (0, user_id) or tag > LONGEST_VERSION or len(payload) != ends + papers:
        return None
    ids = [int.from_bytes(payload[at : at + PAPER_BYTES], "little") for at in range(start, ends, PAPER_BYTES)]
    version = payload[HEADER.size : start]
    if paper_id not in ids or not version.isascii() or b"\0" in version:
        return None
    place = ids.index(paper_id)
    if payload[ends + place] > LAST_SOURCE or first_rank + place > HIGHEST_POSITION:
        return None
    return {
        "key": event_pk,
        "new_slate_id": slate_id.hex(),
        "new_slate_position": first_rank + place,
        "new_slate_source": payload[ends + place],
        "new_slate_version": version.decode(),
    }


def _payload(token: str) -> bytes:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw[SIGNATURE_BYTES:]
