"""The programs that `up` keeps running."""

import signal
import sys
from typing import Final

from api.runtime import embedded
from api.runtime.logs import ROLE
from api.runtime.supervisor import ChildSpec
from api.settings import Settings

MODULE: Final = ("-P", "-m")
SERVER_STOP_SECONDS: Final = 1.5  # Redis ends at once
STOP_SECONDS: Final = 6.0  # more than Celery's soft shutdown; a longer task is taken up after the next start
# The numeric code brings its own threads: two kinds at once make it ten times slower.
ONE_BLAS_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def build_children(settings: Settings, *, is_empty: bool) -> list[ChildSpec]:
    """Return the children for these settings; servers whose address is configured are not started."""
    specs = []
    if settings.cache_url is None:
        specs.append(_server("cache", embedded.cache_command(settings)))
    if settings.broker_url is None:
        specs.append(_server("broker", embedded.broker_command(settings)))
    start = ("workers.first_start", "--paused", "--empty") if is_empty else ("workers.first_start",)
    # Workers have nothing to tell each other: what is to be done stands in SQL.
    worker = ("celery", "-q", "-A", "workers.app", "worker", "--without-mingle", "--without-gossip")
    events = ("-Q", "events", "-c", str(settings.worker_processes), "-n", "events@%h")
    train = ("-Q", "train", "-c", "1", "-n", "train@%h")
    sources = ("-Q", "sources", "-c", "1", "-n", "sources@%h")
    mail = ("-Q", "mail", "-c", "1", "-n", "mail@%h")
    beat = ("celery", "-q", "-A", "workers.app", "beat", "--pidfile=", "-s", str(settings.run_dir / "beat-schedule"))
    return [
        *specs,
        _program("api", ("api.cli", "serve"), stage=1),
        _program("first-start", start, stage=1, runs_once=True),
        # To Celery SIGTERM means: wait for every task, however long; SIGQUIT gives tasks a few seconds.
        _program("worker", (*worker, *events), stage=2, stop_signal=signal.SIGQUIT),
        _program("trainer", (*worker, *train), stage=2, stop_signal=signal.SIGQUIT),
        _program("fetcher", (*worker, *sources), stage=2, stop_signal=signal.SIGQUIT),
        _program("mailer", (*worker, *mail), stage=2, stop_signal=signal.SIGQUIT),
        _program("beat", beat, stage=2),
    ]


def _server(role: str, command: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(role, command, stage=0, stop_seconds=SERVER_STOP_SECONDS)


def _program(
    role: str,
    arguments: tuple[str, ...],
    *,
    stage: int,
    runs_once: bool = False,
    stop_signal: int = signal.SIGTERM,
) -> ChildSpec:
    return ChildSpec(
        role,
        (sys.executable, *MODULE, *arguments),
        stage=stage,
        stop_signal=stop_signal,
        stop_seconds=STOP_SECONDS,
        runs_once=runs_once,
        env={"PYTHONUNBUFFERED": "1", ROLE: role, **ONE_BLAS_THREAD},
    )
