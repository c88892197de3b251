"""Readers at work through the client, and the reconciliation of what they were told with what stands in the log."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from api.client import Buffering, Client, Event, PaperfeedError, ProblemAnswer, Retry
from api.client.values import Kind

PATIENT: Final = Retry(attempts=1000, first_seconds=0.02, longest_seconds=0.5)
ONCE: Final = Retry(attempts=1)
JOIN_SECONDS: Final = 60.0
KINDS: Final[tuple[Kind, ...]] = ("impression", "impression", "click", "save", "unsave")
PAPERS: Final = [f"2401.{number:05}" for number in range(1, 31)]
LOG: Final = sa.text(
    "SELECT e.event_id, u.external_id, e.kind, p.external_id FROM events e "
    "JOIN users u ON u.user_id = e.user_id JOIN papers p ON p.paper_id = e.paper_id"
)


class Fact(NamedTuple):
    """What a reader did, as the log must have it."""

    event_id: str
    reader: str
    kind: str
    paper_id: str


@dataclass(slots=True)
class Told:
    """What the clients were told; their threads write it."""

    sent: set[Fact] = field(default_factory=set)
    acknowledged: list[Fact] = field(default_factory=list)
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    attempts: list[str] = field(default_factory=list)  # of the reader who never tries again: what each came to


def write_papers(path: Path) -> Path:
    """Write the papers of the load as a file that `paperfeed ingest` takes."""
    lines = [
        {"id": paper_id, "title": f"A study of {paper_id}", "summary": "Short.", "published_at": "2024-01-03T18:00:00Z"}
        for paper_id in PAPERS
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


class Load:
    """Threads that send events until they are stopped, and try again until each is answered."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self.told = Told()
        self._url = url
        self._token = token
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._recording = Client(
            url, token, buffering=Buffering(folder, batch_seconds=0.2, batch_events=20), connections=4
        )
        self._recorded: list[Fact] = []

    @contextmanager
    def running(self, *, senders: int = 3) -> Iterator[Told]:
        """Send from so many threads, record from another and probe from a third; at the end all is answered."""
        works = [*((self._send, number) for number in range(senders)), (self._record, 100), (self._probe, 200)]
        threads = [threading.Thread(target=work, args=(random.Random(number),), daemon=True) for work, number in works]
        for thread in threads:
            thread.start()
        try:
            yield self.told
        except BaseException:
            self._stop.set()  # what fails is told at once: a thread may wait for a service that is gone
            raise
        self._stop.set()
        for thread in threads:
            thread.join(JOIN_SECONDS)
        assert not any(thread.is_alive() for thread in threads), "a client was not answered"
        self._settle()

    def wait_for(self, count: int, *, seconds: float) -> None:
        """Wait until so many more events were acknowledged."""
        wanted = len(self.told.acknowledged) + count
        deadline = time.monotonic() + seconds
        while len(self.told.acknowledged) < wanted:
            assert time.monotonic() < deadline, f"fewer than {count} events acknowledged in {seconds} s"
            time.sleep(0.005)

    def _send(self, draws: random.Random) -> None:
        with Client(self._url, self._token, retry=PATIENT, timeout_seconds=10.0) as client:
            while not self._stop.is_set():
                reader = f"reader-{draws.randrange(20)}"
                events = self._draw(draws, reader, draws.randint(1, 4))
                results = client.acting_for(reader).send_events([event for _, event in events])
                with self._lock:
                    for (fact, _), result in zip(events, results, strict=True):
                        self._note(fact, result.status, result.code)
                time.sleep(0.02)

    def _record(self, draws: random.Random) -> None:
        """Events whose answers only the client's own thread sees."""
        while not self._stop.is_set():
            reader = f"recorder-{draws.randrange(5)}"
            ((fact, event),) = self._draw(draws, reader, 1)
            self._recording.acting_for(reader).record(event)
            self._recorded.append(fact)
            time.sleep(0.03)

    def _probe(self, draws: random.Random) -> None:
        """One reader who never tries again: what the service itself answers."""
        with Client(self._url, self._token, reader="prober", retry=ONCE, timeout_seconds=10.0) as client:
            while not self._stop.is_set():
                ((fact, event),) = self._draw(draws, "prober", 1)
                try:
                    (result,) = client.send_events([event])
                except PaperfeedError as error:
                    self.told.attempts.append(_describe(error))
                else:
                    self.told.attempts.append("202")
                    with self._lock:
                        self._note(fact, result.status, result.code)
                time.sleep(0.1)

    def _draw(self, draws: random.Random, reader: str, count: int) -> list[tuple[Fact, Event]]:
        drawn = []
        for _ in range(count):
            event = Event(draws.choice(KINDS), draws.choice(PAPERS), position=draws.randint(1, 20))
            drawn.append((Fact(event.event_id, reader, event.kind, event.paper_id), event))
        with self._lock:
            self.told.sent |= {fact for fact, _ in drawn}
        return drawn

    def _note(self, fact: Fact, status: str, code: str | None) -> None:
        if status == "rejected":
            self.told.refused[code or ""] += 1
            return
        self.told.duplicates += status == "duplicate"
        self.told.acknowledged.append(fact)

    def _settle(self) -> None:
        assert self._recording.flush(60), self._recording.report()
        report = self._recording.report()
        self._recording.close()
        assert report.dropped == report.waiting == report.rejected == 0
        # An event whose file was sent twice is accepted and then duplicate: never fewer answers than events.
        assert report.accepted + report.duplicate >= len(self._recorded)
        self.told.acknowledged += self._recorded
        self.told.duplicates += report.duplicate


def _describe(error: PaperfeedError) -> str:
    if isinstance(error, ProblemAnswer):
        return f"{error.status} {'with' if error.retry_after_seconds else 'without'} Retry-After"
    return type(error).__name__


def read_log(database_url: str) -> list[Fact]:
    """Return every event that stands in the log."""
    from recommender.domain import EventKind

    engine = sa.create_engine(database_url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(LOG).all()
    finally:
        engine.dispose()
    return [Fact(row[0], row[1], EventKind(row[2]).name.lower(), row[3]) for row in rows]


def reconcile(told: Told, log: list[Fact]) -> None:
    """Compare what was acknowledged with the log: nothing lost, nothing twice, nothing changed, nothing made up."""
    facts = set(log)
    assert len(log) == len(facts) == len({fact.event_id for fact in log}), "an event stands in the log twice"
    lost = set(told.acknowledged) - facts
    assert not lost, f"{len(lost)} of {len(told.acknowledged)} acknowledged events are lost: {sorted(lost)[:3]}"
    assert facts <= told.sent, "the log has events that nobody sent"
    assert not told.refused, told.refused
    assert len(told.acknowledged) == len(set(told.acknowledged))
