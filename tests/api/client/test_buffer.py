"""The buffer of recorded events: a folder that outlives processes and is shared by them, or bounded memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.client import Buffering, Client, Event
from api.store.engine import Database
from tests.api.client.proxy import Proxy
from tests.api.client.test_recorded import NOBODY, SECONDS, record, recording
from tests.api.client.test_requests import ids_in_log
from tests.faults.watching import until
from tests.shared import free_port


def recorder(url: str, token: str, folder: Path | None, count: int, end: str, *papers: str) -> subprocess.Popen[bytes]:
    """Start a program that records events, with its ids on its standard output."""
    command = [sys.executable, "-m", "tests.api.client.recorder", url, token, str(folder or ""), str(count), end]
    return subprocess.Popen([*command, *papers], stdout=subprocess.PIPE)


def read_ids(program: subprocess.Popen[bytes], count: int) -> list[str]:
    """Return the next ids that the program recorded."""
    assert program.stdout is not None
    return [program.stdout.readline().decode().strip() for _ in range(count)]


def test_readers_of_one_client_are_kept_apart(service: str, token: str, folder: Path, papers: list[str]) -> None:
    with recording(service, token, folder) as client:
        client.record(Event("save", papers[0]))
        client.acting_for("bob").record(Event("save", papers[1]))
        assert client.flush(SECONDS)
        assert [item.paper.paper_id for item in client.read_library().items] == [papers[0]]
        assert [item.paper.paper_id for item in client.acting_for("bob").read_library().items] == [papers[1]]


def test_a_folder_keeps_the_events_of_two_accounts_apart(
    service: str, token_of: Callable[..., str], folder: Path, papers: list[str]
) -> None:
    ada, bob = token_of("read", "write", reader="ada"), token_of("read", "write", reader="bob")
    with Client(f"http://127.0.0.1:{free_port()}", ada, buffering=Buffering(folder, exit_seconds=0.1)) as away:
        away.record(Event("save", papers[0]))
    with Client(service, bob, buffering=Buffering(folder)) as client:
        assert client.flush(SECONDS)
        assert client.report().accepted == 0
        assert client.read_library().items == ()


def test_events_of_a_killed_program_are_sent_by_the_next(
    proxy: Proxy, token: str, folder: Path, papers: list[str], database: Database
) -> None:
    proxy.always = NOBODY
    with recorder(proxy.url, token, folder, 300, "stays", *papers) as program:
        ids = read_ids(program, 300)
        program.kill()
    assert ids_in_log(database) == []
    proxy.always = None
    with recording(proxy.url, token, folder) as client:
        until(lambda: client.report().waiting == 0, seconds=SECONDS, what="the events, without a word of the program")
    assert sorted(ids_in_log(database)) == sorted(ids)


def test_half_a_line_harms_no_other(
    proxy: Proxy, token: str, folder: Path, papers: list[str], database: Database
) -> None:
    proxy.always = NOBODY
    with recording(proxy.url, token, folder, exit_seconds=0.0) as client:
        record(client, papers, 3)
    (file,) = folder.rglob("*.events")
    file.write_bytes(b"not JSON\n" + file.read_bytes()[:-20])
    proxy.always = None
    with recording(proxy.url, token, folder) as client:
        assert client.flush(SECONDS)
        assert client.report().dropped == 1
    assert len(ids_in_log(database)) == 2
    assert list(folder.rglob("*.events")) == []


def test_what_waits_at_the_end_of_a_program_is_sent(
    service: str, token: str, place: Path | None, papers: list[str], database: Database
) -> None:
    with recorder(service, token, place, 50, "exits", *papers) as program:
        ids = read_ids(program, 50)
        assert program.wait(SECONDS) == 0
    assert sorted(ids_in_log(database)) == sorted(ids)


def test_several_processes_share_a_folder(
    proxy: Proxy, token: str, folder: Path, papers: list[str], database: Database
) -> None:
    proxy.script.extend([NOBODY] * 5)
    programs = [recorder(proxy.url, token, folder, 400, "stays", *papers) for _ in range(3)]
    try:
        ids = [event_id for program in programs for event_id in read_ids(program, 400)]
        programs[0].kill()
        until(lambda: len(ids_in_log(database)) == len(ids), seconds=SECONDS, what="all events")
        until(lambda: list(folder.rglob("*.events")) == [], seconds=SECONDS, what="an empty folder")
    finally:
        for program in programs:
            program.kill()
            program.communicate()
    assert sorted(ids_in_log(database)) == sorted(ids)


def test_a_full_buffer_gives_up_the_oldest_and_counts_them(
    proxy: Proxy, token: str, folder: Path, papers: list[str], database: Database
) -> None:
    proxy.always = NOBODY
    events = [Event("impression", papers[0]) for _ in range(1000)]
    with recording(proxy.url, token, folder, most_bytes=64_000, exit_seconds=0.1) as client:
        for event in events:
            client.record(event)
        assert sum(file.stat().st_size for file in folder.rglob("*.events")) <= 64_000 * 17 / 16
        proxy.always = None
        assert client.flush(SECONDS)
        report = client.report()
    kept = ids_in_log(database)
    assert report.dropped + len(kept) == 1000
    assert 0 < len(kept) < 500
    assert events[-1].event_id in kept
    assert events[0].event_id not in kept


def test_memory_is_bounded_too(proxy: Proxy, token: str, papers: list[str], database: Database) -> None:
    proxy.always = NOBODY
    with recording(proxy.url, token, None, most_in_memory=10) as client:
        ids = record(client, papers, 30)
        proxy.always = None
        assert client.flush(SECONDS)
        assert client.report().dropped == 20
    assert len(ids_in_log(database)) == 10
    assert set(ids_in_log(database)) < set(ids)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own with room for a few hundred events."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_keeps_events_in_memory(
    proxy: Proxy, token: str, full_disk: Path, papers: list[str], database: Database
) -> None:
    proxy.always = NOBODY
    with recording(proxy.url, token, full_disk) as client:
        ids = record(client, papers, 1000)
        assert client.report().dropped == 0
        proxy.always = None
        assert client.flush(SECONDS)
        more = record(client, papers, 10)
        assert client.flush(SECONDS)
    assert sorted(ids_in_log(database)) == sorted(ids + more)
    assert list(full_disk.rglob("*.events")) == []


def test_a_folder_that_cannot_be_made_keeps_events_in_memory(
    service: str, token: str, tmp_path: Path, papers: list[str], database: Database
) -> None:
    (tmp_path / "file").write_text("")
    with recording(service, token, tmp_path / "file" / "buffer") as client:
        ids = record(client, papers, 3)
        assert client.flush(SECONDS)
    assert sorted(ids_in_log(database)) == ids


def test_the_folder_holds_no_secret_and_is_nobody_elses(
    proxy: Proxy, token: str, folder: Path, papers: list[str]
) -> None:
    proxy.always = NOBODY
    with recording(proxy.url, token, folder, exit_seconds=0.0) as client:
        record(client, papers, 1)
    (file,) = folder.rglob("*.events")
    assert token.rpartition("_")[2] not in file.read_text()
    assert json.loads(file.read_text())["reader"] == "ada"
    assert file.stat().st_mode & 0o077 == 0


def test_a_client_of_a_parent_process_says_so_in_the_child(service: str, token: str, papers: list[str]) -> None:
    with recording(service, token, None) as client:
        client._outbox._pid = os.getppid()  # as a fork leaves it
        with pytest.raises(RuntimeError, match="fork"):
            client.flush(0.1)
        client._outbox._pid = os.getpid()


def test_a_closed_client_takes_no_events(service: str, token: str) -> None:
    with recording(service, token, None) as client:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        client.record(Event("save", "2401.00001"))
    assert not client.flush(0.1)
