"""Small facts about the installation, by name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import ServiceState
from api.store.upsert import insert_into


def read_state(session: Session, key: str, *, is_held: bool = False) -> dict[str, Any] | None:
    """Return what is kept under `key`, None if nothing is; held, nobody else writes it until the transaction ends."""
    query = sa.select(ServiceState.value).where(ServiceState.key == key)
    return session.scalar(query.with_for_update() if is_held else query)


def write_state(session: Session, key: str, value: Mapping[str, object], *, now: datetime) -> None:
    """Keep `value` under `key` in place of what was there."""
    statement = insert_into(session, ServiceState)
    statement = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={"value": statement.excluded.value, "updated_at": statement.excluded.updated_at},
    )
    session.execute(statement, [{"key": key, "value": dict(value), "updated_at": now}])


def delete_state(session: Session, key: str) -> None:
    """Forget what is kept under `key`."""
    session.execute(sa.delete(ServiceState).where(ServiceState.key == key))
