"""The rebuild of the search index as a child of the process that writes the index."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import orjson

from api.runtime.search_rebuild import BUSY_EXIT

FIRST_REST_SECONDS: Final = 5.0  # after a rebuild that failed; it doubles
LONGEST_REST_SECONDS: Final = 600.0
_COMMAND: Final = ("-P", "-m", "api.runtime.search_rebuild")


class RebuildChild:
    """Starts rebuilds one at a time, follows how far they are, and waits longer after each that failed."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._asked = {"database_url": database_url, "folder": str(folder), "parent": os.getpid()}
        self._process: subprocess.Popen[bytes] | None = None
        self._reading: threading.Thread | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._said: dict[str, object] = {}
        self.problem = ""  # why the last one failed

    @property
    def is_running(self) -> bool:
        """True while a rebuild is under way."""
        return self._process is not None

    @property
    def progress(self) -> tuple[int, int] | None:
        """Papers done and in all, None before the first word of a rebuild."""
        done, total = self._said.get("done"), self._said.get("total")
        return (done, total) if isinstance(done, int) and isinstance(total, int) else None

    def start(self) -> bool:
        """Start a rebuild unless one runs or the last one failed a moment ago; True if it did."""
        if self._process is not None or time.monotonic() < self._rests_until:
            return False
        self._said = {}
        self._process = subprocess.Popen([sys.executable, *_COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reading = threading.Thread(target=self._read, args=(self._process,), name="search-rebuild", daemon=True)
        self._reading.start()
        return True

    def finished(self) -> dict[str, object] | None:
        """Return what a rebuild said last, once, after it ended; None while nothing has."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        if self._reading is not None:
            self._reading.join()
        self._process = None
        if process.returncode in (0, BUSY_EXIT):
            self._failures, self.problem = 0, ""
            return self._said
        self._failures += 1
        rest = min(FIRST_REST_SECONDS * 2 ** (self._failures - 1), LONGEST_REST_SECONDS)
        self._rests_until = time.monotonic() + rest
        self.problem = str(self._said.get("problem") or f"the rebuild ended with {process.returncode}")
        return self._said

    def stop(self) -> None:
        """End a rebuild that is under way; what it made so far is removed by the next one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._reading is not None:
                self._reading.join()
            self._process = None

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a rebuild is started with pipes")
        try:
            with process.stdin:
                process.stdin.write(orjson.dumps(self._asked))
        except BrokenPipeError:  # it died at once: its exit says so
            pass
        with process.stdout:
            for line in process.stdout:
                try:
                    self._said = orjson.loads(line)
                except orjson.JSONDecodeError:  # something a library printed
                    continue
