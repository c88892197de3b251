"""Erasing while somebody still writes: nothing comes back, on both databases."""

import json
import threading
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.erasing import erase
from api.routes.signing import COOKIE
from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Event, User
from api.store.tables_accounts import Account, AuditLine
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.signing_world import ORIGIN, sign_in

WRITERS, EVENTS_EACH = 3, 12


def test_events_that_arrive_while_their_reader_is_erased_make_nobody(
    client: TestClient, runtime: Runtime, database: Database, papers: list[str]
) -> None:
    sign_in(client, database, "ada@papers.test")
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}", **ORIGIN}
    started = threading.Barrier(WRITERS + 1)
    statuses: list[int] = []

    def write() -> None:
        started.wait()
        for number in range(EVENTS_EACH):
            event = {
                "id": str(uuid.uuid4()),
                "kind": "click",
                "paper_id": papers[number % len(papers)],
                "occurred_at": datetime.now(UTC).isoformat(),
            }
            answer = client.post("/v1/events", content=json.dumps({"events": [event]}), headers=cookie)
            statuses.append(answer.status_code)

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    with database.read() as session:
        user_id = session.scalars(sa.select(Account.user_id)).one()
    started.wait()
    erase(runtime, user_id, by="reader")
    for writer in writers:
        writer.join()
    assert len(statuses) == WRITERS * EVENTS_EACH
    assert set(statuses) <= {202, 401, 403}
    assert count_rows(database, Event) == count_rows(database, User) == 0


def test_a_reader_who_is_erased_twice_at_once_is_erased_once(
    client: TestClient, runtime: Runtime, database: Database
) -> None:
    sign_in(client, database, "ada@papers.test")
    with database.read() as session:
        user_id = session.scalars(sa.select(Account.user_id)).one()
    started = threading.Barrier(2)
    failures: list[str] = []

    def press() -> None:
        started.wait()
        try:
            erase(runtime, user_id, by="reader")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            failures.append(type(error).__name__)

    presses = [threading.Thread(target=press) for _ in range(2)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert failures == ["NotFound"]
    assert count_rows(database, AuditLine) == 1
