"""The Celery application's settings, each of which is there for a trap."""

import subprocess
import sys
from pathlib import Path

from celery.schedules import crontab

from api.queue import QUEUE_OF_TASK, SWEEP_FEEDS, TRAIN_NIGHTLY
from api.settings import Settings
from workers.app import app, build_app, longest_task_seconds, task


def test_a_message_is_not_given_to_a_second_worker_while_the_longest_task_runs() -> None:
    settings = Settings(train_fit_minutes=600)
    options = build_app(settings).conf.broker_transport_options
    assert options["visibility_timeout"] > longest_task_seconds(settings) > 600 * 60


def test_messages_outlive_their_worker_and_results_are_not_kept() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]


def test_the_worker_never_gives_up_on_its_broker() -> None:
    assert app.conf.broker_connection_retry_on_startup
    assert app.conf.broker_connection_max_retries is None


def test_a_lost_broker_ends_no_fit() -> None:
    assert not app.conf.worker_cancel_long_running_tasks_on_connection_loss


def test_every_scheduled_message_names_a_known_task_its_queue_and_expires() -> None:
    for entry in app.conf.beat_schedule.values():
        options = entry["options"]
        assert options["queue"] == QUEUE_OF_TASK[entry["task"]]
        assert isinstance(entry["schedule"], crontab) or options["expires"] == entry["schedule"]


def test_the_schedule_follows_the_settings() -> None:
    schedule = build_app(Settings(sweep_seconds=7, train_hour_utc=5)).conf.beat_schedule
    assert schedule[SWEEP_FEEDS]["schedule"] == 7.0
    assert schedule[TRAIN_NIGHTLY]["schedule"] == crontab(hour=5, minute=0)


def test_a_task_stays_a_plain_function() -> None:
    @task("paperfeed.test_only")
    def double(number: int) -> int:
        return 2 * number

    assert double(4) == 8
    assert app.tasks["paperfeed.test_only"].time_limit > 0
    app.tasks.unregister("paperfeed.test_only")


def test_a_worker_knows_every_task_that_can_be_queued(tmp_path: Path) -> None:
    script = (
        "from workers.app import app; app.loader.import_default_modules();"
        "from api.queue import QUEUE_OF_TASK; print(sorted(set(QUEUE_OF_TASK) - set(app.tasks)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PAPERFEED_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() == "[]"
    assert SWEEP_FEEDS in QUEUE_OF_TASK
