"""The Celery application: queues, limits, the schedule, and what each worker process does when it starts."""

import logging
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

from celery import Celery, signals
from celery.exceptions import SecurityWarning
from celery.schedules import crontab

from api.queue import (
    EMBED_PAPERS,
    EVENTS_QUEUE,
    IMPORT_LIBRARIES,
    LIST_SUBMITTED,
    MAKE_DIGESTS,
    QUEUE_OF_TASK,
    REAP_RUNS,
    REFRESH_TRENDING,
    REPAIR_MODEL,
    SEND_MAILS,
    SETTLE_WANTED,
    SPREAD_NEWS,
    SWEEP_FEEDS,
    SWEEP_SOURCES,
    TIDY_ACCOUNTS,
    TIDY_LETTERS,
    TIDY_MAILS,
    TRAIN_AFTER_EVENTS,
    TRAIN_NIGHTLY,
    TRAIN_QUEUE,
)
from api.runtime.logs import configure_logging
from api.runtime.processes import die_with_parent
from api.settings import Settings, read_settings
from workers import processes

# In a container root is the usual user, and messages hold JSON only: nothing to warn of at each start.
warnings.filterwarnings("ignore", category=SecurityWarning)

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., object])

TASK_SECONDS: Final = 120  # limit of a task that names none
FITS_PER_RUN: Final = 3  # champion, challenger and the model itself
SPARE_SECONDS: Final = 3600  # for everything of a run that is not a fit
SOFT_SHUTDOWN_SECONDS: Final = 5.0  # a task may end by itself this long after SIGTERM; then its message goes back
TRENDING_SECONDS: Final = 15.0
NEWS_SECONDS: Final = 10.0
REAP_SECONDS: Final = 10.0
COUNT_EVENTS_SECONDS: Final = 60.0
EMBED_SECONDS: Final = 60.0
REPAIR_SECONDS: Final = 60.0
TIDY_SECONDS: Final = 600.0
SOURCES_SECONDS: Final = 60.0
MAILS_SECONDS: Final = 5.0  # somebody who wants to sign in waits for one; a hint usually comes before
DIGESTS_SECONDS: Final = 20.0
WANTED_SECONDS: Final = 10.0
IMPORTS_SECONDS: Final = 60.0  # a hint comes before; this takes up what was put off
SUBMITTED_SECONDS: Final = 30.0

MODULES_OF_TASKS: Final = (
    "workers.feeds",
    "workers.training",
    "workers.embedding",
    "workers.housekeeping",
    "workers.sources",
    "workers.mails",
    "workers.digests",
    "workers.wanted",
    "workers.importing",
    "workers.submissions",
)


def longest_task_seconds(settings: Settings) -> int:
    """Return the time limit of a training run, the longest task there is."""
    return int(FITS_PER_RUN * settings.train_fit_minutes * 60) + SPARE_SECONDS


def build_app(settings: Settings) -> Celery:
    """Return the configured application."""
    celery = Celery("paperfeed", broker=settings.resolved_broker_url, include=MODULES_OF_TASKS)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        # A message is given back when its worker dies: every task is safe to run twice.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # A broker that restarts ends no fit: a message that comes twice finds its run taken.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=SOFT_SHUTDOWN_SECONDS,
        worker_enable_soft_shutdown_on_idle=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Redis gives an unacknowledged message to somebody else after this time, again and again.
        broker_transport_options={"visibility_timeout": longest_task_seconds(settings) + SPARE_SECONDS},
        task_default_queue=EVENTS_QUEUE,
        task_routes={name: {"queue": queue} for name, queue in QUEUE_OF_TASK.items()},
        task_time_limit=TASK_SECONDS,
        timezone="UTC",
        enable_utc=True,
        beat_schedule=build_schedule(settings),
    )
    return celery


def build_schedule(settings: Settings) -> dict[str, dict[str, object]]:
    """Return what beat sends; a message that nobody took by the next one's time is dropped."""
    seconds = {
        SWEEP_FEEDS: float(settings.sweep_seconds),
        REFRESH_TRENDING: TRENDING_SECONDS,
        SPREAD_NEWS: NEWS_SECONDS,
        REAP_RUNS: REAP_SECONDS,
        TRAIN_AFTER_EVENTS: COUNT_EVENTS_SECONDS,
        REPAIR_MODEL: REPAIR_SECONDS,
        TIDY_LETTERS: TIDY_SECONDS,
        TIDY_ACCOUNTS: TIDY_SECONDS,
        SWEEP_SOURCES: SOURCES_SECONDS,
        SEND_MAILS: MAILS_SECONDS,
        MAKE_DIGESTS: DIGESTS_SECONDS,
        TIDY_MAILS: TIDY_SECONDS,
        SETTLE_WANTED: WANTED_SECONDS,
        IMPORT_LIBRARIES: IMPORTS_SECONDS,
        LIST_SUBMITTED: SUBMITTED_SECONDS,
    }
    if settings.sentence_encoder:
        seconds[EMBED_PAPERS] = EMBED_SECONDS
    schedule: dict[str, dict[str, object]] = {
        name: {"task": name, "schedule": every, "options": {"queue": QUEUE_OF_TASK[name], "expires": every}}
        for name, every in seconds.items()
    }
    nightly = crontab(hour=settings.train_hour_utc, minute=0)
    schedule[TRAIN_NIGHTLY] = {"task": TRAIN_NIGHTLY, "schedule": nightly, "options": {"queue": EVENTS_QUEUE}}
    return schedule


app: Final = build_app(read_settings())


def task(name: str, *, time_limit: int = TASK_SECONDS) -> Callable[[F], F]:
    """Register a plain function as the task `name` and leave it a plain function."""

    def register(function: F) -> F:
        app.task(name=name, time_limit=time_limit, ignore_result=True)(function)
        return function

    return register


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def _configure_logging(**_: object) -> None:
    configure_logging(read_settings(), "worker")


@signals.celeryd_after_setup.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def _note_queues(instance: Any, **_: object) -> None:
    queues = set(instance.app.amqp.queues.consume_from)
    processes.refreshes_lists = EVENTS_QUEUE in queues
    if TRAIN_QUEUE in queues:
        log.info("worker takes training runs")


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def _start_process(**_: object) -> None:
    die_with_parent()
    processes.start()


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def _stop_process(**_: object) -> None:
    processes.stop()
