"""One training run outside Celery, for `paperfeed train`: `python -m workers.foreground RUN_ID PARENT_PID`."""

import sys

from api.runtime.logs import configure_logging
from api.runtime.processes import die_with_parent
from api.settings import read_settings
from api.store.engine import Database
from api.store.feeds import FeedStore
from workers.runner import run_training


def main(run_id: int, parent_pid: int) -> None:
    """Run what is queued under this number; does nothing when a worker was faster."""
    die_with_parent(parent_pid=parent_pid)
    settings = read_settings()
    configure_logging(settings, "train")
    feeds = FeedStore(settings.resolved_cache_url, ttl_days=settings.list_ttl_days)
    run_training(settings, Database(settings.resolved_database_url), feeds, run_id)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
