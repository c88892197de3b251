"""Events on their way: kept first, sent in batches by a thread of its own, and reported once they are answered."""

import atexit
import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from api.client.buffering import Buffer, Buffering, Report, disk_buffer
from api.client.delivery import Delivery, Send, write_line
from api.client.errors import PaperfeedError, ProblemAnswer, Unreachable
from api.client.memory import MemoryBuffer, Taken
from api.client.values import Event, EventResult, Json

log = logging.getLogger(__name__)

LONGEST_BACKOFF_SECONDS: Final = 60.0
FLUSH_BACKOFF_SECONDS: Final = 0.5  # somebody waits
LAST_SECONDS: Final = 1.0  # for a request that is on its way when the client is closed
MOST_DOUBLINGS: Final = 10


@dataclass(slots=True)
class _State:
    """What the thread and those who wait for it tell each other, under one condition."""

    pending: int = 0  # recorded since the thread last looked
    wanted: int = 0  # number of the newest flush somebody waits for
    tried: int = 0  # number of the newest flush after which everything was tried
    is_empty: bool = True  # nothing of ours waited after that
    is_closed: bool = False
    failures: int = 0
    failure: PaperfeedError | OSError | None = None
    not_before: float = 0.0  # by the service's wish, monotonic seconds


@dataclass(slots=True)
class Outbox:
    """The events of one client; any thread may record."""

    send: Send
    buffering: Buffering
    account: str
    _state: _State = field(default_factory=_State)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _disk: Buffer | None = field(init=False)
    _memory: MemoryBuffer = field(init=False)
    _delivery: Delivery = field(init=False)
    _thread: threading.Thread | None = None
    _pid: int = field(default_factory=os.getpid)
    _draws: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        """Look into the folder: what a former process left there is sent, too."""
        self._disk = disk_buffer(self.buffering, self.account)
        self._memory = MemoryBuffer(self.buffering.most_in_memory)
        self._delivery = Delivery(self._send_while_open, self.buffering)
        if self._disk is not None and self._disk.waiting():
            self._start()

    def record(self, event: Event, reader: str | None) -> None:
        """Keep an event and return at once; it is sent with others, now or when the service is back."""
        line = write_line(event, reader)
        if self._state.is_closed:
            raise RuntimeError("this client is closed")
        try:
            if self._disk is None:
                self._memory.append(line)
            else:
                self._disk.append(line)
        except OSError as error:
            log.warning("the buffer has no room, events wait in memory", extra={"error": str(error)})
            self._memory.append(line)
        with self._changed:
            self._state.pending += 1
            if self._state.pending >= self.buffering.batch_events:
                self._changed.notify_all()
        self._start()

    def flush(self, seconds: float) -> bool:
        """Send what waits; True when all of it was answered in time."""
        return self._flush(seconds, is_patient=True)

    def report(self) -> Report:
        """Return what has become of the events so far."""
        counts = self._delivery
        buffers = self._buffers()
        return Report(
            accepted=counts.accepted,
            duplicate=counts.duplicate,
            rejected=counts.rejected,
            dropped=counts.unreadable + sum(buffer.dropped for buffer in buffers),
            waiting=sum(buffer.waiting() for buffer in buffers),
            failure=self._state.failure,
        )

    def close(self) -> None:
        """Send what can be sent within the time for that; a folder keeps the rest, memory does not."""
        with self._changed:
            if self._state.is_closed:
                return
        if self._pid == os.getpid() and self._thread is not None:
            # What lies in a folder is safe: one attempt is enough there.
            self._flush(self.buffering.exit_seconds, is_patient=self._memory.waiting() > 0)
        with self._changed:
            self._state.is_closed = True
            self._changed.notify_all()
        if self._pid == os.getpid() and self._thread is not None:
            self._thread.join(LAST_SECONDS)
        atexit.unregister(self.close)
        if self._disk is not None:
            self._disk.seal()
        lost = self._memory.waiting()
        if lost:
            log.warning("events were not sent and had no folder to wait in", extra={"events": lost})

    def _buffers(self) -> list[Buffer]:
        return [self._memory] if self._disk is None else [self._disk, self._memory]

    def _start(self) -> None:
        if self._pid != os.getpid():
            raise RuntimeError("this client was made before a fork: make one in each process")
        if self._thread is not None:
            return
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="paperfeed-outbox", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def _flush(self, seconds: float, *, is_patient: bool) -> bool:
        self._start()
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._state.is_closed and self._state.not_before <= deadline:
                self._state.wanted += 1
                self._changed.notify_all()
                if not self._wait_until_tried(self._state.wanted, deadline):
                    return False
                if self._state.is_empty or not is_patient:
                    return self._state.is_empty
        return False

    def _wait_until_tried(self, number: int, deadline: float) -> bool:
        seconds = deadline - time.monotonic()
        return self._changed.wait_for(lambda: self._state.tried >= number, seconds)

    def _run(self) -> None:
        while self._wait():
            with self._changed:
                wanted, self._state.pending = self._state.wanted, 0
            failure = self._drain()
            with self._changed:
                self._note(failure)
                self._state.tried, self._state.is_empty = wanted, failure is None
                self._changed.notify_all()

    def _wait(self) -> bool:
        """Wait until there is a reason to send; False when there will be none."""
        state = self._state
        with self._changed:
            began = time.monotonic()
            due = began + (self._backoff() if state.failures else self.buffering.batch_seconds)
            while not state.is_closed:
                now = time.monotonic()
                wake = due
                if state.wanted > state.tried:
                    wake = min(due, began + (FLUSH_BACKOFF_SECONDS if state.failures > 1 else 0.0))
                elif not state.failures and state.pending >= self.buffering.batch_events:
                    wake = now
                wake = max(wake, state.not_before)
                if now >= wake:
                    return True
                self._changed.wait(wake - now)
        return False

    def _backoff(self) -> float:
        longest = self.buffering.batch_seconds * 2.0 ** min(self._state.failures, MOST_DOUBLINGS)
        return self._draws.uniform(0.0, min(longest, LONGEST_BACKOFF_SECONDS))

    def _note(self, failure: PaperfeedError | OSError | None) -> None:
        state = self._state
        state.failure = failure
        state.failures = 0 if failure is None else state.failures + 1
        if isinstance(failure, ProblemAnswer) and failure.retry_after_seconds is not None:
            state.not_before = time.monotonic() + failure.retry_after_seconds
        if failure is not None:
            log.info("events wait", extra={"error": str(failure), "failures": state.failures})

    def _drain(self) -> PaperfeedError | OSError | None:
        """Send everything, and return why something still waits."""
        trouble: OSError | None = None
        buffers = self._buffers()
        for buffer in buffers:
            buffer.seal()  # what is recorded from here on makes the next batch
        for buffer in buffers:
            while True:
                try:
                    taken = buffer.take()
                    failure = None if taken is None else self._send(buffer, taken)
                except OSError as error:  # a folder that cannot be read: what waits in memory is sent all the same
                    trouble = error
                    break
                if failure is not None:
                    return failure
                if taken is None:
                    break
        return trouble

    def _send_while_open(self, reader: str | None, events: Sequence[Json]) -> Sequence[EventResult]:
        if self._state.is_closed:
            raise Unreachable("the client is closed")
        return self.send(reader, events)

    def _send(self, buffer: Buffer, taken: Taken) -> PaperfeedError | None:
        failure = self._delivery.deliver(taken)
        if failure is None:
            buffer.finish(taken)
        else:
            buffer.put_back(taken)
        return failure
