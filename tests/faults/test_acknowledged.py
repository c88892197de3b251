"""What was acknowledged is in the log, once, whatever is killed under load."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import Client
from tests.e2e.processes import PAPERFEED, Installation, embedded
from tests.faults.load import Fact, Load, Told, read_log, reconcile, write_papers

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

KILLS = 50
KILLS_OF_ALL = 3
EVENTS_BETWEEN = 20  # acknowledged since the last kill: the next one meets a service at work
BACK_SECONDS = 60.0  # no promise: for slow machines
# Lists and models are not what is shown here.
QUIET = {"PAPERFEED_TRAIN_AFTER_EVENTS": "1000000", "PAPERFEED_SWEEP_SECONDS": "3600"}
API = ("api.cli", "serve")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with embedded(tmp_path / "data", "--empty", environment=QUIET) as installation:
        installation.command("ingest", str(write_papers(tmp_path / "papers.jsonl")))
        yield installation


@pytest.fixture
def load(installation: Installation, tmp_path: Path) -> Load:
    return Load(url_of(installation), installation.admin_token, tmp_path / "buffer")


def url_of(installation: Installation) -> str:
    return f"http://127.0.0.1:{installation.port}"


def database_of(installation: Installation) -> str:
    return f"sqlite:///{installation.data_dir / 'paperfeed.db'}"


def check_everything(installation: Installation, told: Told, log: list[Fact]) -> None:
    reconcile(told, log)
    with Client(url_of(installation), installation.admin_token) as client:
        for reader in sorted({fact.reader for fact in log}):
            seen = client.acting_for(reader)
            assert events_of(seen) == Counter(fact.event_id for fact in log if fact.reader == reader), reader


def events_of(client: Client) -> Counter[str]:
    """Return the ids of a reader's history, page by page."""
    found: Counter[str] = Counter()
    cursor = None
    while True:
        page = client.read_history(limit=100, cursor=cursor)
        found.update(item.event_id for item in page.items)
        cursor = page.next
        if cursor is None:
            return found


def say(what: str, told: Told, log: list[Fact], seconds: float) -> None:
    sys.stderr.write(
        f"{what}: {len(told.acknowledged)} events acknowledged, {told.duplicates} of them after a lost answer, "
        f"{len(log)} in the log, {len(told.sent)} sent; attempts without a second one: "
        f"{dict(Counter(told.attempts))}; {seconds:.0f} s\n"
    )


def test_no_acknowledged_event_is_lost_in_fifty_kills_of_the_api(installation: Installation, load: Load) -> None:
    started = time.monotonic()
    with load.running() as told:
        for _ in range(KILLS):
            load.wait_for(EVENTS_BETWEEN, seconds=BACK_SECONDS)
            assert installation.kill(*API) >= 1
        load.wait_for(EVENTS_BETWEEN, seconds=BACK_SECONDS)  # after the last kill, too
    assert (installation.data_dir / "up.log").read_text().count("api restarted") == KILLS
    log = read_log(database_of(installation))
    say("50 kills of the API", told, log, time.monotonic() - started)
    check_everything(installation, told, log)
    assert len(told.acknowledged) >= KILLS * EVENTS_BETWEEN
    assert "Unreachable" in told.attempts, "no kill was noticed"


def test_no_acknowledged_event_is_lost_when_everything_is_killed_at_once(
    installation: Installation, load: Load
) -> None:
    started = time.monotonic()
    with load.running() as told:
        for _ in range(KILLS_OF_ALL):
            load.wait_for(10 * EVENTS_BETWEEN, seconds=BACK_SECONDS)
            assert installation.kill() >= 5
            installation.start(PAPERFEED, "up", "--empty", log=installation.data_dir / "up.log")
            load.wait_for(1, seconds=BACK_SECONDS)
    log = read_log(database_of(installation))
    say(f"{KILLS_OF_ALL} kills of everything", told, log, time.monotonic() - started)
    check_everything(installation, told, log)
