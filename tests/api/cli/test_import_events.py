"""`paperfeed import-events` on files."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from api.cli import import_events
from api.cli.import_events import command, reader_by_reader
from api.settings import read_settings
from api.sources.history import ROW_NAMESPACE, HistoryRow, derived_id
from api.store.engine import Database
from api.store.events import count_events_since, load_history
from api.store.library import load_saved
from api.store.migrate import upgrade
from api.store.tables import Event, LibraryItem, User
from tests.api.routes.conftest import count_rows, make_paper

PAPERS = ["2401.00001", "2401.00002", "hep-th/9901001"]

Load = Callable[..., Result]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return a migrated database that the command finds by its settings."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    if request.param == "postgresql":
        monkeypatch.setenv("PAPERFEED_DATABASE_URL", request.getfixturevalue("postgres_url"))
    read_settings.cache_clear()
    (tmp_path / "data").mkdir()
    database = Database(read_settings().resolved_database_url)
    upgrade(database)
    with database.write() as session:
        session.add_all(make_paper(external_id) for external_id in PAPERS)
    yield database
    database.engine.dispose()
    read_settings.cache_clear()


@pytest.fixture
def load(database: Database, tmp_path: Path) -> Load:
    """Return a function that runs the command on a text."""

    def run(content: str | bytes, *, name: str = "history.csv") -> Result:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return CliRunner().invoke(command, [str(path)])

    return run


def counts(result: Result) -> dict[str, Any]:
    """Return the last line on stdout."""
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_a_second_import_changes_nothing(load: Load, database: Database) -> None:
    text = "user_id,paper_id,occurred_at\nada,2401.00001,2026-01-01T00:00:00Z\ngrace,arXiv:2401.00002v3,\n"
    first, second = load(text), load(text)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert counts(first) == {"inserted": 2, "duplicates": 0, "rejected": 0, "readers_created": 2}
    assert counts(second) == {"inserted": 0, "duplicates": 2, "rejected": 0, "readers_created": 0}
    assert count_rows(database, Event) == count_rows(database, LibraryItem) == 2


def test_csv_and_json_lines_mean_the_same(load: Load, database: Database) -> None:
    load("paper_id,user_id,kind,value,occurred_at\n2401.00001,7,read,90,1767225600\n")
    row = {"user_id": 7, "paper_id": "2401.00001", "kind": "read", "value": 90, "occurred_at": "2026-01-01T00:00:00Z"}
    assert counts(load(json.dumps(row)))["duplicates"] == 1


def test_a_missing_time_stays_unknown_and_comes_last(load: Load, database: Database) -> None:
    load("user_id,paper_id,occurred_at\nada,2401.00001,\nada,2401.00002,2026-01-01 00:00:00\nada,hep-th/9901001,\n")
    with database.read() as session:
        user_id = session.execute(sa.select(User.user_id)).scalar_one()
        history = load_history(session, user_id, after=None, limit=10)
        saved = load_saved(session, user_id, after=None, limit=10)
        pages = [
            event.event_pk
            for at in range(3)
            for event in load_history(
                session,
                user_id,
                after=None if at == 0 else (history[at - 1].occurred_at, history[at - 1].event_pk),
                limit=1,
            )
        ]
    assert [event.occurred_at for event in history] == [datetime(2026, 1, 1, tzinfo=UTC), None, None]
    assert pages == [event.event_pk for event in history]
    assert [item.saved_at for item in saved] == [datetime(2026, 1, 1, tzinfo=UTC), None, None]


BAD_LINES = [
    "ada",
    "ada,2401.00001,save,,,,",
    ",2401.00001,save,,,",
    "ada,,save,,,",
    "ada,9999.99999,save,,,",
    "ada,2401.00001,like,,,",
    "ada,2401.00001,save,yesterday,,",
    "ada,2401.00001,save,2999-01-01,,",
    "ada,2401.00001,save,1e300,,",
    "ada,2401.00001,save,nan,,",
    "ada,2401.00001,read,,,",
    "ada,2401.00001,read,,-1,",
    "ada,2401.00001,save,,inf,",
    f"ada,2401.00001,save,,,{'x' * 65}",
    'ada,"2401.00001,save,,,',
    "a\x00da,2401.00001,save,,,",
    f"{'x' * 70_000},2401.00001,save,,,",
]


def test_bad_lines_go_to_the_rejects_and_the_rest_lands(load: Load, tmp_path: Path, database: Database) -> None:
    lines = [line for bad in BAD_LINES for line in (bad, f"r{len(bad)},2401.00001,save,,,")]
    content = "user_id,paper_id,kind,occurred_at,value,id\n" + "\n".join(lines)
    result = load(content.encode() + b"\n\xff\xfe,2401.00001,save,,,\n\n")
    assert result.exit_code == 3
    rejects = [json.loads(line) for line in (tmp_path / "history.csv.rejects.jsonl").read_text().splitlines()]
    assert sorted(reject["line"] for reject in rejects) == [2 + 2 * at for at in range(len(BAD_LINES))] + [
        2 + 2 * len(BAD_LINES)
    ]
    assert all(reject["reason"] for reject in rejects)
    assert counts(result)["rejected"] == len(BAD_LINES) + 1
    assert counts(result)["inserted"] + counts(result)["duplicates"] == len(BAD_LINES)


def test_an_id_of_another_event_is_rejected(load: Load) -> None:
    header = "user_id,paper_id,id\n"
    own = str(uuid.uuid4())
    assert counts(load(f"{header}ada,2401.00001,{own}\n"))["inserted"] == 1
    result = load(f"{header}ada,2401.00002,{own}\nada,2401.00001,{own.upper()}\ngrace,2401.00001,{own}\n")
    assert counts(result) == {"inserted": 1, "duplicates": 1, "rejected": 1, "readers_created": 1}


@pytest.mark.parametrize("text", ["", "user,item\n1,2\n", "user_id,paper_id\n", "\x00\x01\x02"])
def test_a_file_without_history_is_exit_1(load: Load, text: str) -> None:
    result = load(text)
    assert result.exit_code == 1
    assert counts(result)["inserted"] == 0
    assert result.stderr


def test_a_missing_file_is_exit_1(database: Database, tmp_path: Path) -> None:
    assert CliRunner().invoke(command, [str(tmp_path / "nothing.csv")]).exit_code == 1


def test_imported_history_asks_for_nothing(load: Load, database: Database) -> None:
    load("user_id,paper_id,occurred_at\nada,2401.00001,2026-01-01T00:00:00Z\nada,2401.00002,2025-01-01T00:00:00Z\n")
    with database.read() as session:
        user = session.execute(sa.select(User)).scalar_one()
        assert count_events_since(session, 0) == 0
        assert count_events_since(session, 0, api_only=False) == 2
    assert (user.last_seq, user.list_seq) == (0, 0)
    assert user.last_active_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_library_holds_the_latest_word_across_chunks(load: Load, database: Database) -> None:
    rows = [f"ada,2401.00001,{kind},{1767225600 + at}" for at, kind in enumerate(["save", "unsave"] * 1000)]
    rows.reverse()
    load("user_id,paper_id,kind,occurred_at\n" + "\n".join(rows))
    with database.read() as session:
        item = session.execute(sa.select(LibraryItem)).scalar_one()
    assert not item.is_saved
    assert count_rows(database, Event) == 2000


def test_a_derived_id_is_a_uuid5_of_the_row() -> None:
    expected = uuid.uuid5(uuid.UUID(bytes=ROW_NAMESPACE), "ada\x1f2401.00001\x1f2\x1fNone\x1fNone")
    assert derived_id("ada", "2401.00001", 2, None, None) == str(expected)


def test_rows_come_reader_by_reader_and_are_read_no_further_than_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_events, "SORTED_ROWS", 4)
    taken: list[int] = []

    def rows() -> Iterator[HistoryRow]:
        for line, user in enumerate("bababcacbc"):
            taken.append(line)
            yield HistoryRow(line, user, "p", 1, None, None, str(line), False, "")

    given: list[HistoryRow] = []
    for row in reader_by_reader(rows()):
        given.append(row)
        assert len(taken) - len(given) <= 4
    assert "".join(row.external_user for row in given) == "aabb" + "abcc" + "bc"
    for user in "abc":
        lines = [row.line for row in given if row.external_user == user]
        assert lines == sorted(lines)
