"""One readable log out of the output of many children."""

import json
import os
import queue
import re
import selectors
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

LONGEST_LINE: Final = 64 * 1024  # bytes; output without line ends is cut here
WAITING_LINES: Final = 10_000  # kept for a terminal that has stopped reading, more are dropped: nobody waits for it
CLOSE_SECONDS: Final = 1.0
_SERVERS: Final = frozenset({"cache", "broker"})
# Greetings that Redis writes at its highest level, and advice for servers that save to disk, which these do not.
_SERVER_NOISE: Final = re.compile(
    rb" # (oO0OoO0OoO0Oo |(Redis|Valkey) version=|Configuration loaded|Server initialized|"
    rb"WARNING:? Memory overcommit must be enabled)"
)
_COLOURS: Final = ("36", "32", "33", "35", "34", "96", "92", "93", "95", "94")
_LONGEST_ROLE: Final = 11


class LogMultiplexer:
    """A pipe for each role; whole lines come out on one stream, marked with their role."""

    def __init__(self, out: TextIO, *, as_json: bool, in_colour: bool = False) -> None:
        self._out = out
        self._format: Callable[[str, str], str] = _as_json if as_json else (_coloured if in_colour else _as_text)
        self._selector = selectors.DefaultSelector()
        self._write_ends: dict[str, int] = {}
        self._rests: dict[int, bytes] = {}
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._dropped = 0
        self._stop_read, self._stop_write = os.pipe()
        self._selector.register(self._stop_read, selectors.EVENT_READ, None)
        self._reader = threading.Thread(target=self._read, name="log-reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name="log-writer", daemon=True)

    def open(self, role: str) -> int:
        """Return the descriptor that the child `role` writes to; the same one after each restart."""
        if role not in self._write_ends:
            read_end, write_end = os.pipe()
            os.set_inheritable(write_end, True)
            self._write_ends[role] = write_end
            self._rests[read_end] = b""
            self._selector.register(read_end, selectors.EVENT_READ, role)
        return self._write_ends[role]

    def start(self) -> None:
        """Begin to read; all roles must be open."""
        self._reader.start()
        self._writer.start()

    def close(self) -> None:
        """Write what has arrived, for at most a second a step, and stop."""
        for descriptor in self._write_ends.values():
            os.close(descriptor)
        os.write(self._stop_write, b"x")
        self._reader.join(CLOSE_SECONDS)
        self._writer.join(CLOSE_SECONDS)

    def _read(self) -> None:
        is_stopping = False
        while True:
            events = self._selector.select(0 if is_stopping else None)
            ready = [(key.fd, key.data) for key, _ in events if key.data is not None]
            is_stopping = is_stopping or len(ready) < len(events)
            if is_stopping and not ready:
                self._lines.put(None)
                return
            for descriptor, role in ready:
                self._take(descriptor, role)

    def _take(self, descriptor: int, role: str) -> None:
        data = os.read(descriptor, LONGEST_LINE)
        if not data:
            self._selector.unregister(descriptor)
            return
        *lines, rest = (self._rests[descriptor] + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._rests[descriptor] = rest
        for line in lines:
            if line.strip() and not (role in _SERVERS and _SERVER_NOISE.search(line)):
                self._keep(self._format(role, line.decode("utf-8", "replace").rstrip("\r")))

    def _keep(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            try:
                if dropped:
                    self._out.write(self._format("up", f"{dropped} lines dropped: the output was not read") + "\n")
                self._out.write(line + "\n")
                if self._lines.empty():
                    self._out.flush()
            except (OSError, ValueError):
                continue  # a closed terminal or a full disk under the log must not stop the service


def _as_text(role: str, line: str) -> str:
    return f"{role:<{_LONGEST_ROLE}} | {line}"


def _coloured(role: str, line: str) -> str:
    colour = _COLOURS[sum(role.encode()) % len(_COLOURS)]
    return f"\x1b[{colour}m{role:<{_LONGEST_ROLE}} |\x1b[0m {line}"


def _as_json(role: str, line: str) -> str:
    if line.startswith("{") and line.endswith("}"):
        return line  # one of ours, which names its role itself
    time = datetime.now(UTC).isoformat()
    return json.dumps({"level": "INFO", "role": role, "message": line, "time": time}, ensure_ascii=False)
