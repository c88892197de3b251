"""`migrate` and `doctor`, as an operator calls them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli import main
from api.cli.up import address, welcome
from api.services.accounts import ensure_admin_token
from api.services.diagnosis import check_broker_policy, check_folder, check_token_file
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.migrate import is_current


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PAPERFEED_PORT", str(port))
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


def paperfeed(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def checks(result: Result) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(result.stdout)["checks"]
    return found


def test_migrate_makes_the_tables_and_says_so(tmp_path: Path) -> None:
    first = paperfeed("migrate")
    assert (first.exit_code, "upgraded" in first.stdout) == (0, True)
    assert "already" in paperfeed("migrate").stdout
    db = Database(f"sqlite:///{tmp_path / 'data' / 'paperfeed.db'}")
    assert is_current(db)
    db.engine.dispose()


@pytest.mark.parametrize("command", ["--help", "migrate", "doctor"])
def test_an_output_that_takes_nothing_is_one_line(command: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "api.cli", command], check=False, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "paperfeed: output: No space left on device"
    assert "Traceback" not in ended.stderr


def test_migrate_on_a_database_that_is_away_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERFEED_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:9/none")
    answer = paperfeed("migrate")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("paperfeed: the database cannot be used")
    assert len(answer.stderr.splitlines()) == 1


def test_doctor_names_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    paperfeed("migrate")
    answer = paperfeed("doctor", "--json")
    assert answer.exit_code == 1
    found = checks(answer)
    assert found["database"]["state"] == "ok"
    assert found["sources"]["state"] == "failed"
    assert "paperfeed ingest" in found["sources"]["detail"]
    assert found["token"]["state"] == "degraded"
    assert found["port"]["state"] == "ok"
    assert "FAIL  sources" in paperfeed("doctor").stdout


def test_doctor_on_a_stopped_service_says_so_in_one_line() -> None:
    paperfeed("migrate")
    found = checks(paperfeed("doctor", "--json"))
    assert "`paperfeed up`" in found["service"]["detail"]
    assert not {"cache", "broker"} & set(found)


def test_doctor_names_a_revoked_admin_token(tmp_path: Path) -> None:
    paperfeed("migrate")
    path = tmp_path / "data" / "admin.token"
    db = Database(f"sqlite:///{tmp_path / 'data' / 'paperfeed.db'}")
    with db.write() as session:
        ensure_admin_token(session, path, now=datetime.now(UTC))
    db.engine.dispose()
    assert checks(paperfeed("doctor", "--json"))["token"]["state"] == "ok"
    paperfeed("token", "revoke", path.read_text().split("_")[1])
    assert "revoked or unknown" in checks(paperfeed("doctor", "--json"))["token"]["detail"]


def test_a_command_that_makes_a_database_names_its_folder_once(tmp_path: Path) -> None:
    line = f"made a new database in {tmp_path / 'data'} (PAPERFEED_DATA_DIR names another)"
    assert line in paperfeed("token", "create").stderr.splitlines()
    assert "new database" not in paperfeed("token", "create").stderr


def test_doctor_names_a_taken_port(monkeypatch: pytest.MonkeyPatch) -> None:
    paperfeed("migrate")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PAPERFEED_PORT", str(taken.getsockname()[1]))
        read_settings.cache_clear()
        port = checks(paperfeed("doctor", "--json"))["port"]
    assert port["state"] == "failed"
    assert "--port" in port["detail"]


def test_doctor_finds_tables_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "paperfeed migrate" in checks(paperfeed("doctor", "--json"))["migrations"]["detail"]


def test_doctor_says_that_no_worker_answers(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("PAPERFEED_BROKER_URL", redis_url.replace("unix://", "redis+socket://"))
    monkeypatch.setenv("PAPERFEED_CACHE_URL", redis_url)
    monkeypatch.setenv("PAPERFEED_SECRET_KEY", "k" * 32)
    read_settings.cache_clear()
    paperfeed("migrate")
    found = checks(paperfeed("doctor", "--json"))
    assert (found["cache"]["state"], found["broker"]["state"]) == ("ok", "ok")
    assert "no worker answers" in found["worker"]["detail"]
    assert found["cache policy"]["state"] == "degraded"  # the test server refuses writes when full


def test_a_broker_that_drops_work_is_named(redis_url: str) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert check_broker_policy(redis_url).state == "failed"
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert check_broker_policy(redis_url).state == "ok"


def test_a_token_file_that_others_can_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "admin.token"
    path.write_text("pf_x_y")
    path.chmod(0o644)
    assert check_token_file(path).state == "failed"
    path.chmod(0o600)
    assert check_token_file(path).state == "ok"


def test_a_nearly_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    real = shutil.disk_usage(tmp_path)
    assert check_folder(tmp_path).state == "ok"
    monkeypatch.setattr("api.services.diagnosis.LEAST_FREE_BYTES", real.free + 10**9)
    assert "free some space" in check_folder(tmp_path).detail
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names only


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")]
)
def test_the_welcome_shows_an_address_that_works_here(host: str, shown: str) -> None:
    settings = Settings(host=host, port=8001)
    assert address(settings) == f"http://{shown}:8001"
    assert welcome(settings, is_ready=True).count("  curl ") == 3
