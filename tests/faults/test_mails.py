"""The worker of mails is killed at every step of the conversation: nobody gets one issue twice."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.services.digest_times import DAILY, Schedule
from api.services.digests import ask_for_reader
from api.store.engine import Database
from api.store.tables import Base
from api.store.tables_mails import Digest, QueuedMail
from tests.api.feed_world import load_installation
from tests.faults.watching import until
from tests.mail_world import freshen
from tests.workers.mail_server import MailServer, Received, mail_server

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

READERS = 40
SECONDS = 240.0
STEPS = ("recipient named", "message there, not taken", "taken, not answered", "answered")


@dataclass(slots=True)
class Saboteur:
    """Kills the worker at one step for each reader, the first time it gets there; another follows it."""

    pid_file: Path
    kills: Counter[str] = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    killing: threading.Lock = field(default_factory=threading.Lock)

    def kill_at(self, step: str, recipient: str) -> bool:
        """Kill the worker if this step is this reader's; True when it was."""
        if step_of(recipient) != step or recipient in self.met:
            return False
        self.met.add(recipient)
        self.kills[step] += 1
        with self.killing:  # the mail server and the test may want it at once: each kills a living one
            pid = int(self.pid_file.read_text())
            os.kill(pid, signal.SIGKILL)
            until(lambda: self.pid_file.read_text() != str(pid), seconds=30, what="the end of the worker")
        return True


def step_of(recipient: str) -> str:
    return STEPS[int(recipient.removeprefix("u").partition("@")[0]) % len(STEPS)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return a database in which forty readers have a digest that is due."""
    (tmp_path / "data").mkdir()
    made = Database(f"sqlite:///{tmp_path / 'data' / 'paperfeed.db'}")
    Base.metadata.create_all(made.engine)
    load_installation(made)
    freshen(made, now=datetime.now(UTC))
    now = datetime.now(UTC)
    with made.write() as session:
        for user_id in range(1, READERS + 1):
            schedule, address = Schedule(DAILY, 0, now.hour, "UTC"), f"u{user_id}@example.org"
            ask_for_reader(session, user_id, address=address, schedule=schedule, is_proven=True, now=now)
        session.execute(sa.update(Digest).values(due_at=now - timedelta(minutes=1)))
    yield made
    made.engine.dispose()


@pytest.fixture
def saboteur(database: Database, box: MailServer, tmp_path: Path) -> Iterator[Saboteur]:
    """Return who kills the running worker."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PAPERFEED_")}
    environment = {
        **inherited,
        "PAPERFEED_DATA_DIR": str(tmp_path / "data"),
        "PAPERFEED_DATABASE_URL": database.url,
        "PAPERFEED_BROKER_URL": "redis+socket:///nonexistent/broker",
        "PAPERFEED_CACHE_URL": "unix:///nonexistent/cache",
        "PAPERFEED_SECRET_KEY": "a signing secret of the tests, long enough",
        "PAPERFEED_SMTP_HOST": "127.0.0.1",
        "PAPERFEED_SMTP_PORT": str(box.port),
        "PAPERFEED_SMTP_SECURITY": "none",
        "PAPERFEED_MAIL_SENDER": "papers@papers.test",
    }
    found = Saboteur(tmp_path / "worker.pid")
    sabotage(box, found)
    command = [sys.executable, "-m", "tests.faults.mailer", str(found.pid_file)]
    with (tmp_path / "worker.log").open("ab") as output:
        worker = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    yield found
    worker.kill()
    worker.wait()


@pytest.fixture
def box() -> Iterator[MailServer]:
    """Return a mail server that takes everything until told otherwise."""
    with mail_server() as server:
        yield server


def sabotage(box: MailServer, saboteur: Saboteur) -> None:
    """Let the worker die at the step of each reader."""

    def named(recipient: str) -> str | None:
        return None if saboteur.kill_at("recipient named", recipient) else "250 OK"

    async def there(mail: Received) -> str | None:
        return "451 4.3.0 gone" if saboteur.kill_at("message there, not taken", mail.recipient) else "250 OK"

    def taken(mail: Received) -> str | None:
        return None if saboteur.kill_at("taken, not answered", mail.recipient) else "250 OK"

    box.on_recipient, box.on_message, box.after_taking = named, there, taken


def states_in(database: Database) -> dict[str, str]:
    with database.read() as session:
        rows = session.execute(sa.select(QueuedMail.recipient, QueuedMail.state).where(QueuedMail.kind == "digest"))
        return {row.recipient: row.state for row in rows}


def test_nobody_gets_an_issue_twice_wherever_the_worker_is_killed(
    box: MailServer, saboteur: Saboteur, database: Database
) -> None:
    def is_over() -> bool:
        states = states_in(database)
        for recipient, state in states.items():  # right after the record: nothing of it may be done again
            if state == "sent":
                saboteur.kill_at("answered", recipient)
        return len(states) == READERS and set(states.values()) <= {"sent", "unknown"}

    until(is_over, seconds=SECONDS, what="the end of all mails")
    with database.write() as session:  # as if the period had never been dealt with
        session.execute(sa.update(Digest).values(due_at=datetime.now(UTC) - timedelta(minutes=1)))
    until(lambda: _is_moved_on(database), seconds=SECONDS, what="the next round")
    arrived, states = Counter(box.taken_by), states_in(database)
    sys.stderr.write(f"kills by step: {dict(saboteur.kills)}; states: {dict(Counter(states.values()))}\n")
    assert saboteur.kills == dict.fromkeys(STEPS, READERS // len(STEPS))
    assert len(states) == READERS
    assert max(arrived.values()) == 1
    assert all(arrived[recipient] == 1 for recipient, state in states.items() if state == "sent")
    # The window that is left: the last line went out, and the worker died before it heard the answer.
    lost = {recipient for recipient in states if not arrived[recipient]}
    assert all(states[recipient] == "unknown" for recipient in lost)
    in_the_window = {recipient for recipient in states if step_of(recipient) == "message there, not taken"}
    assert len(lost - in_the_window) <= saboteur.kills["answered"]  # which may hit the next mail there


def _is_moved_on(database: Database) -> bool:
    with database.read() as session:
        due = sa.select(sa.func.count()).select_from(Digest).where(Digest.due_at <= datetime.now(UTC))
        return session.execute(due).scalar_one() == 0
