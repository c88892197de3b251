"""Names of queues and tasks, and the one way to hand work to the workers."""

import functools
import logging
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from api.settings import read_settings

log = logging.getLogger(__name__)

EVENTS_QUEUE: Final = "events"
TRAIN_QUEUE: Final = "train"
MAIL_QUEUE: Final = "mail"
SOURCES_QUEUE: Final = "sources"  # waits for strangers: nothing else may stand behind them

SWEEP_FEEDS: Final = "paperfeed.sweep_feeds"
REFRESH_TRENDING: Final = "paperfeed.refresh_trending"
SPREAD_NEWS: Final = "paperfeed.spread_news"
RUN_TRAINING: Final = "paperfeed.run_training"
WARM_LISTS: Final = "paperfeed.warm_lists"
REAP_RUNS: Final = "paperfeed.reap_runs"
TRAIN_NIGHTLY: Final = "paperfeed.train_nightly"
TRAIN_AFTER_EVENTS: Final = "paperfeed.train_after_events"
REPAIR_MODEL: Final = "paperfeed.repair_model"
EMBED_PAPERS: Final = "paperfeed.embed_papers"
TIDY_LETTERS: Final = "paperfeed.tidy_letters"
TIDY_ACCOUNTS: Final = "paperfeed.tidy_accounts"
SWEEP_SOURCES: Final = "paperfeed.sweep_sources"
READ_SOURCE: Final = "paperfeed.read_source"
SEND_MAILS: Final = "paperfeed.send_mails"
MAKE_DIGESTS: Final = "paperfeed.make_digests"
TIDY_MAILS: Final = "paperfeed.tidy_mails"
SETTLE_WANTED: Final = "paperfeed.settle_wanted"
FETCH_WANTED: Final = "paperfeed.fetch_wanted"
IMPORT_LIBRARIES: Final = "paperfeed.import_libraries"
LIST_SUBMITTED: Final = "paperfeed.list_submitted"

QUEUE_OF_TASK: Final = {
    SWEEP_FEEDS: EVENTS_QUEUE,
    REFRESH_TRENDING: EVENTS_QUEUE,
    SPREAD_NEWS: EVENTS_QUEUE,
    RUN_TRAINING: TRAIN_QUEUE,
    WARM_LISTS: TRAIN_QUEUE,
    REAP_RUNS: EVENTS_QUEUE,
    TRAIN_NIGHTLY: EVENTS_QUEUE,
    TRAIN_AFTER_EVENTS: EVENTS_QUEUE,
    REPAIR_MODEL: EVENTS_QUEUE,
    EMBED_PAPERS: TRAIN_QUEUE,
    TIDY_LETTERS: EVENTS_QUEUE,
    TIDY_ACCOUNTS: EVENTS_QUEUE,
    SWEEP_SOURCES: EVENTS_QUEUE,
    READ_SOURCE: SOURCES_QUEUE,
    SEND_MAILS: MAIL_QUEUE,
    MAKE_DIGESTS: EVENTS_QUEUE,  # whoever has the model makes them, whoever has the mail server sends them
    TIDY_MAILS: MAIL_QUEUE,
    SETTLE_WANTED: EVENTS_QUEUE,
    FETCH_WANTED: SOURCES_QUEUE,
    IMPORT_LIBRARIES: SOURCES_QUEUE,
    LIST_SUBMITTED: EVENTS_QUEUE,
}

# A dead broker must cost a caller under 0.1 s; the worker keeps longer limits, which also bound blocking reads.
PRODUCER_TRANSPORT_OPTIONS: Final = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
}


@functools.lru_cache(maxsize=1)
def _producer() -> Celery:
    app = Celery("paperfeed-producer", broker=read_settings().resolved_broker_url, set_as_current=False)
    app.conf.update(
        broker_transport_options=PRODUCER_TRANSPORT_OPTIONS,
        task_ignore_result=True,
        broker_connection_retry=False,
    )
    return app


def send(task: str, *args: int | str) -> bool:
    """Queue `task`; False when the broker is away, which callers may ignore: a periodic task makes up for it."""
    try:
        _producer().send_task(task, args=args, queue=QUEUE_OF_TASK[task], retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("broker unreachable", extra={"task": task, "error": type(error).__name__})
        return False
    return True
