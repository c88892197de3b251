"""A stage in a process of its own, watched by the worker that started it."""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

log = logging.getLogger(__name__)

WATCH_SECONDS: Final = 0.2  # how soon a cancel or a lost lease stops the child
LINES_KEPT: Final = 20  # of what a failed child said last
OUTSIDE_SIGNALS: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class StageFailed(Exception):
    """The stage ended with an error of its own: running it again would end the same."""


class StageKilled(Exception):
    """Somebody killed the stage's process, the kernel for want of memory perhaps: it may be run again."""


def run_stage(
    stage: str,
    folder: Path,
    *,
    artifact: Path,
    seconds: float,
    check: Callable[[], None],
    on_progress: Callable[[float], None],
) -> None:
    """Run `workers.apart` to its end; `check` raises to stop it. No process is left, however this returns.

    Call it from the thread that lives longest: the child ends with the thread that started it.
    """
    command = [sys.executable, "-m", "workers.apart", stage, str(folder), str(os.getpid()), str(artifact)]
    news: queue.SimpleQueue[float] = queue.SimpleQueue()
    said: deque[str] = deque(maxlen=LINES_KEPT)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as child:
        readers = [
            threading.Thread(target=_read_progress, args=(child.stdout, news), daemon=True),
            threading.Thread(target=_read_words, args=(child.stderr, said), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            _wait(child, stage, seconds=seconds, check=check, news=news, on_progress=on_progress)
        finally:
            child.kill()
            for reader in readers:  # they end with the child, before its pipes are closed
                reader.join()
    _raise_for(stage, child.returncode, said)


def _wait(
    child: subprocess.Popen[str],
    stage: str,
    *,
    seconds: float,
    check: Callable[[], None],
    news: "queue.SimpleQueue[float]",
    on_progress: Callable[[float], None],
) -> None:
    deadline = time.monotonic() + seconds
    while child.poll() is None:
        check()
        while not news.empty():
            on_progress(news.get())
        if time.monotonic() > deadline:
            raise StageFailed(
                f"the {stage} took longer than {seconds / 60:g} minutes (PAPERFEED_TRAIN_FIT_MINUTES): raise the limit"
            )
        time.sleep(WATCH_SECONDS)


def _raise_for(stage: str, code: int, said: deque[str]) -> None:
    if code == 0:
        return
    if -code in OUTSIDE_SIGNALS:
        name = signal.Signals(-code).name
        raise StageKilled(f"the process of the {stage} was killed by {name}, for want of memory perhaps")
    log.error("stage failed", extra={"stage": stage, "exit_code": code, "stderr": "\n".join(said)})
    why = next((line for line in reversed(said) if line.strip()), "it said nothing")
    raise StageFailed(f"the {stage} ended with code {code}: {why.strip()}")


def _read_progress(stream: IO[str] | None, news: "queue.SimpleQueue[float]") -> None:
    for line in stream or ():
        try:
            news.put(float(json.loads(line)["progress"]))
        except (ValueError, KeyError, TypeError):
            log.info("stage said", extra={"line": line.rstrip()})


def _read_words(stream: IO[str] | None, said: deque[str]) -> None:
    for line in stream or ():
        said.append(line.rstrip("\n"))
