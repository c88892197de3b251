"""Taken lines as batches of one reader each, and what the answers to them mean."""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from api.client.buffering import Buffering, Rejection
from api.client.calls import MOST_BATCH_BYTES, MOST_EVENTS
from api.client.errors import BadRequest, InvalidRequest, PaperfeedError, ProblemAnswer, TooLarge, UnexpectedAnswer
from api.client.memory import Taken
from api.client.values import Event, EventResult, Json

log = logging.getLogger(__name__)

Send = Callable[[str | None, Sequence[Json]], Sequence[EventResult]]
"""Sends the events of one reader, once."""
Batch = list[tuple[Json, int]]  # events and their bytes


@dataclass(slots=True)
class Delivery:
    """Sends what was taken and counts the answers."""

    send: Send
    buffering: Buffering
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    unreadable: int = 0
    _answered: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def deliver(self, taken: Taken) -> PaperfeedError | None:
        """Send all of it; the failure after which the rest has to wait, None when all of it was answered.

        What was answered before a failure is not sent again by this process, so a rejection is told once.
        """
        done = self._answered[taken.name]
        try:
            for reader, events in self._batches(taken, done):
                self._send(reader, events, done)
        except PaperfeedError as error:
            return error
        del self._answered[taken.name]
        return None

    def _batches(self, taken: Taken, done: set[str]) -> Iterator[tuple[str | None, list[Json]]]:
        by_reader: dict[str | None, Batch] = defaultdict(list)
        for line in taken.lines:
            try:
                entry = json.loads(line)
                reader, event, event_id = entry["reader"], entry["event"], entry["event"]["id"]
            except (ValueError, KeyError, TypeError):
                key = repr(line)
                self.unreadable += key not in done
                done.add(key)
                continue
            if event_id not in done:
                by_reader[reader].append((event, len(line)))
        most = min(self.buffering.batch_events, MOST_EVENTS)
        for reader, batch in by_reader.items():
            for events in cut(batch, most_events=most, most_bytes=MOST_BATCH_BYTES):
                yield reader, events

    def _send(self, reader: str | None, events: list[Json], done: set[str]) -> None:
        try:
            results = self.send(reader, events)
        except (BadRequest, InvalidRequest, TooLarge) as problem:
            self._divide(reader, events, done, problem)
            return
        if len(results) != len(events):
            raise UnexpectedAnswer(f"{len(results)} results for {len(events)} events")
        for event, result in zip(events, results, strict=True):
            self._count(reader, event, result)
            done.add(event["id"])

    def _divide(self, reader: str | None, events: list[Json], done: set[str], problem: ProblemAnswer) -> None:
        """Find the event for which a whole batch was refused; a single one that is refused is rejected."""
        if len(events) == 1:
            (event,) = events
            self._count(reader, event, EventResult(event["id"], "rejected", problem.type_name, problem.detail))
            done.add(event["id"])
            return
        middle = len(events) // 2
        self._send(reader, events[:middle], done)
        self._send(reader, events[middle:], done)

    def _count(self, reader: str | None, event: Json, result: EventResult) -> None:
        if result.status == "accepted":
            self.accepted += 1
        elif result.status == "duplicate":
            self.duplicate += 1
        else:
            self.rejected += 1
            self._tell(Rejection(reader, event, result))

    def _tell(self, rejection: Rejection) -> None:
        result = rejection.result
        log.warning("event rejected", extra={"event_id": rejection.event["id"], "code": result.code})
        if self.buffering.on_rejected is None:
            return
        try:
            self.buffering.on_rejected(rejection)
        except Exception:  # the program's own function must not end the thread that sends
            log.exception("on_rejected failed", extra={"event_id": rejection.event["id"]})


def write_line(event: Event, reader: str | None) -> bytes:
    """Return an event as it waits; without line breaks, whatever its texts hold."""
    return json.dumps({"reader": reader, "event": event.to_json()}, separators=(",", ":")).encode()


def cut(batch: Batch, *, most_events: int, most_bytes: int) -> Iterator[list[Json]]:
    """Return the events of a batch in pieces; one that is too large by itself is a piece of its own."""
    piece: list[Json] = []
    size = 0
    for event, length in batch:
        if piece and (len(piece) >= most_events or size + length > most_bytes):
            yield piece
            piece, size = [], 0
        piece.append(event)
        size += length
    if piece:
        yield piece
