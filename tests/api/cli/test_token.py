"""`paperfeed token`, and the administrator's token file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.token import command
from api.runtime.access import Access
from api.services.accounts import ensure_admin_token, revoke_token
from api.settings import read_settings
from api.store.engine import Database

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return the database of a fresh data folder that does not exist yet."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    read_settings.cache_clear()
    database = Database(read_settings().resolved_database_url)
    yield database
    database.engine.dispose()
    read_settings.cache_clear()


def test_a_token_is_printed_alone_and_works_until_revoked(own: Database) -> None:
    made = CliRunner().invoke(command, ["create", "--user", "ada", "--scopes", "read,write", "--label", "mine"])
    token = made.stdout.strip()
    identity = Access(own, token_seconds=0).find_identity(token)
    assert identity is not None
    assert (identity.external_user, identity.scopes) == ("ada", frozenset({"read", "write"}))
    listed = CliRunner().invoke(command, ["list"]).stdout
    assert identity.token_id in listed
    assert "mine" in listed
    assert token not in listed
    assert CliRunner().invoke(command, ["revoke", identity.token_id]).exit_code == 0
    assert Access(own, token_seconds=0).find_identity(token) is None


@pytest.mark.parametrize(
    "arguments",
    [["create", "--scope", "everything"], ["create", "--reader", "ada", "--scope", "admin"], ["revoke", "unknown"]],
)
def test_what_cannot_be_is_one_line(own: Database, arguments: list[str]) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert not result.stdout


def test_the_admin_token_is_written_once_for_its_owner_only(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "admin.token"
    for expected in (True, False):
        with database.write() as session:
            assert ensure_admin_token(session, path, now=NOW) is expected
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().count("\n") == 1
    identity = Access(database, token_seconds=0).find_identity(path.read_text().strip())
    assert identity is not None
    assert (identity.user_id, identity.scopes) == (None, frozenset({"read", "write", "admin"}))


@pytest.mark.parametrize("damage", ["revoked", "unknown", "empty", "binary"])
def test_an_admin_token_that_is_no_good_is_replaced(database: Database, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "admin.token"
    with database.write() as session:
        ensure_admin_token(session, path, now=NOW)
    if damage == "revoked":
        with database.write() as session:
            revoke_token(session, path.read_text().split("_")[1], now=NOW)
    else:
        path.write_bytes({"unknown": b"pf_0123456789abcdef_" + b"a" * 43, "empty": b"", "binary": b"\xff\x00"}[damage])
    with database.write() as session:
        assert ensure_admin_token(session, path, now=NOW)
    assert Access(database, token_seconds=0).find_identity(path.read_text().strip()) is not None
