"""Rejected events are kept once, in bounded number, and given back to the intake as they came."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.services.dead_letters import (
    LONGEST_BODY,
    KeptLetter,
    Letter,
    Replay,
    keep_rejected,
    list_letters,
    load_replay,
    note_replayed,
    tidy,
)
from api.store.engine import Database
from api.store.letters import count_letters
from api.store.tables_letters import DeadLetter

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
EVENT = {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "kind": "click", "paper_id": "2605.01234", "occurred_at": "x"}

A_HUNDRED_THOUSAND = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
INSERT INTO dead_letters (fingerprint, code, reason, body, times, received_at, last_at)
SELECT CAST(n AS BLOB), 'malformed', '', CAST('{}' AS BLOB), 1, 0, 0 FROM numbers
"""


def make_letter(number: int = 0, *, raw: object = None, reader: str | None = "ada", **fields: Any) -> Letter:
    event = EVENT | {"position": number}
    return Letter(
        external_user=reader,
        user_id=fields.get("user_id"),
        event_id=fields.get("event_id", EVENT["id"]),
        code=fields.get("code", "unknown_paper"),
        reason=fields.get("reason", "no paper with this id is known here"),
        raw=raw if isinstance(raw, bytes) else json.dumps(event).encode(),
        sent_at_raw=fields.get("sent_at"),
        received_at=fields.get("received_at", NOW),
        batch_slate=fields.get("slate"),
    )


def keep(database: Database, *letters: Letter, now: datetime = NOW, most: int = 100_000) -> None:
    with database.write() as session:
        keep_rejected(session, letters, now=now, most=most)


def page(
    database: Database,
    *,
    before: int | None = None,
    limit: int = 100,
    code: str | None = None,
    reader: str | None = None,
    is_open: bool = True,
) -> tuple[list[KeptLetter], int | None]:
    with database.read() as session:
        return list_letters(session, before=before, limit=limit, code=code, external_user=reader, is_open=is_open)


def load(database: Database, **wanted: Any) -> Replay:
    with database.read() as session:
        return load_replay(session, **({"corrections": {}} | wanted))


def test_a_letter_is_kept_as_it_came(database: Database) -> None:
    keep(database, make_letter(sent_at="2026-05-01T12:00:00Z"))
    [found], _ = page(database)
    assert (found.external_user, found.code, found.event_id) == ("ada", "unknown_paper", EVENT["id"])
    assert found.event == EVENT | {"position": 0}
    assert (found.sent_at_raw, found.received_at, found.times) == ("2026-05-01T12:00:00Z", NOW, 1)


def test_the_same_letter_again_only_counts_up(database: Database) -> None:
    keep(database, make_letter(), make_letter())
    keep(database, make_letter(), make_letter(1), now=NOW + timedelta(hours=1))
    found, _ = page(database)
    assert [(letter.times, letter.received_at, letter.last_at) for letter in found] == [
        (1, NOW, NOW + timedelta(hours=1)),
        (3, NOW, NOW + timedelta(hours=1)),
    ]


@pytest.mark.parametrize(
    "other",
    [{"reader": "bob"}, {"code": "conflict"}, {"event_id": None}, {"user_id": 7}, {"raw": b"{}"}],
    ids=lambda change: next(iter(change)),
)
def test_a_letter_that_differs_is_another_one(sqlite_database: Database, other: dict[str, Any]) -> None:
    keep(sqlite_database, make_letter(), make_letter(**other))
    assert len(page(sqlite_database)[0]) == 2


def test_hostile_texts_are_kept_and_shown(database: Database) -> None:
    nasty = "\0" + "\ud800" + "x" * 5000
    keep(
        database,
        make_letter(raw=b'"\\ud800" \0' + b"y" * 9000, event_id=nasty, reason=nasty, sent_at=nasty, slate=nasty),
    )
    [found], _ = page(database)
    assert found.event_id is not None
    assert (len(found.event_id), len(found.reason), len(str(found.sent_at_raw))) == (64, 500, 64)
    assert isinstance(found.event, str)
    with database.read() as session:
        assert len(session.execute(sa.select(DeadLetter.body)).scalar_one()) == LONGEST_BODY


def test_letters_beyond_the_limit_go_oldest_first(database: Database) -> None:
    for start in range(0, 60, 20):
        keep(database, *(make_letter(number) for number in range(start, start + 20)), most=30)
    found, _ = page(database)
    assert sorted(letter.event["position"] for letter in found) == list(range(30, 60))  # type: ignore[index] # JSON


def test_one_letter_a_thousand_times_drives_no_other_one_out(database: Database) -> None:
    keep(database, *(make_letter(number) for number in range(10)), most=20)
    for _ in range(50):
        keep(database, *[make_letter(100)] * 20, most=20)
    found, _ = page(database)
    assert sorted(letter.times for letter in found) == [1] * 10 + [1000]


def test_a_hundred_thousand_letters_stay_bounded(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.execute(sa.text(A_HUNDRED_THOUSAND))
    keep(sqlite_database, *(make_letter(number) for number in range(500)))
    with sqlite_database.read() as session:
        assert count_letters(session) == 100_000


def test_letters_of_processes_at_the_same_time_are_all_counted(database: Database) -> None:
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for start in range(5):
                keep(database, *(make_letter(number) for number in range(start, start + 10)))
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found, _ = page(database)
    assert (len(found), sum(letter.times for letter in found)) == (14, 4 * 5 * 10)


def test_pages_follow_each_other_newest_first(database: Database) -> None:
    keep(database, *(make_letter(number) for number in range(5)))
    first, place = page(database, limit=2)
    second, place = page(database, limit=2, before=place)
    third, end = page(database, limit=2, before=place)
    ids = [letter.letter_id for letter in first + second + third]
    assert (ids, end) == (sorted(ids, reverse=True), None)
    assert len(set(ids)) == 5


def test_lists_narrow_to_a_code_a_reader_and_what_is_open(database: Database) -> None:
    keep(database, make_letter(1), make_letter(2, code="conflict"), make_letter(3, reader="bob"))
    assert len(page(database, code="conflict")[0]) == 1
    assert len(page(database, reader="bob")[0]) == 1
    with database.write() as session:
        note_replayed(session, {page(database)[0][0].letter_id: "accepted"}, now=NOW)
    assert (len(page(database)[0]), len(page(database, is_open=False)[0])) == (2, 3)


def test_a_replay_groups_what_came_together_and_says_when(database: Database) -> None:
    keep(
        database, make_letter(1, sent_at="s"), make_letter(2, sent_at="s"), make_letter(3), make_letter(4, reader="bob")
    )
    found = load(database, code="unknown_paper")
    assert sorted(len(part.letter_ids) for part in found.ready) == [1, 1, 2]
    together = next(part.incoming for part in found.ready if len(part.letter_ids) == 2)
    assert (together.external_user, together.sent_at, together.received_at) == ("ada", "s", NOW)


def test_a_letter_of_a_slate_stays_bound_to_that_slate(database: Database) -> None:
    keep(database, make_letter(reader=None, user_id=7, slate="token"))
    [part] = load(database, code="unknown_paper").ready
    assert (part.incoming.user_id, part.incoming.slate, part.incoming.is_slate_only) == (7, "token", True)


def test_corrections_replace_fields_and_take_them_out(database: Database) -> None:
    keep(database, make_letter(3))
    [letter], _ = page(database)
    wanted = {letter.letter_id: {"paper_id": "2605.09999", "position": None}}
    [part] = load(database, letter_ids=[letter.letter_id], corrections=wanted).ready
    without = {name: value for name, value in EVENT.items() if name != "position"}
    assert part.incoming.events == [without | {"paper_id": "2605.09999"}]


def test_what_was_cut_needs_a_whole_correction(database: Database) -> None:
    keep(database, make_letter(raw=b'{"id": "' + b"x" * 9000 + b'"}'))
    [letter], _ = page(database)
    assert "too long" in load(database, letter_ids=[letter.letter_id]).broken[letter.letter_id]
    assert load(database, letter_ids=[letter.letter_id], corrections={letter.letter_id: EVENT}).ready


def test_closed_and_unknown_letters_are_not_replayed(database: Database) -> None:
    keep(database, make_letter())
    [letter], _ = page(database)
    with database.write() as session:
        note_replayed(session, {letter.letter_id: "accepted"}, now=NOW)
    found = load(database, letter_ids=[letter.letter_id, 999])
    assert (found.ready, sorted(found.broken)) == ((), [letter.letter_id, 999])


def test_replaying_by_code_goes_on_where_it_ended(database: Database) -> None:
    keep(database, *(make_letter(number) for number in range(5)))
    first = load(database, code="unknown_paper", limit=3)
    assert first.next_after is not None
    rest = load(database, code="unknown_paper", limit=3, after=first.next_after)
    seen = [letter_id for part in (*first.ready, *rest.ready) for letter_id in part.letter_ids]
    assert (len(seen), len(set(seen)), rest.next_after) == (5, 5, None)


def test_old_letters_go_and_those_that_still_come_stay(database: Database) -> None:
    keep(database, make_letter(1), make_letter(2), now=NOW - timedelta(days=40))
    keep(database, make_letter(2), now=NOW)
    with database.write() as session:
        assert tidy(session, days=30, most=100, now=NOW) == 1
    assert [letter.times for letter in page(database)[0]] == [2]
