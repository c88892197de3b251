"""One run of one source outside Celery, for `paperfeed sources run`: `python -m workers.reading NAME PARENT_PID`."""

import sys

from api.runtime.logs import configure_logging
from api.runtime.processes import die_with_parent
from api.settings import read_settings
from api.store.engine import Database
from workers.harvest import read_source


def main(name: str, parent_pid: int) -> int:
    """Read the source slice after slice; return 1 where that does not come to its end."""
    die_with_parent(parent_pid=parent_pid)
    settings = read_settings()
    configure_logging(settings, "sources")
    database = Database(settings.resolved_database_url)
    try:
        harvest = read_source(settings, database, name, seconds=settings.source_run_seconds)
        while harvest is not None and harvest.outcome == "unfinished" and harvest.has_moved:
            harvest = read_source(settings, database, name, seconds=settings.source_run_seconds)
    finally:
        database.engine.dispose()
    return 0 if harvest is not None and harvest.outcome == "done" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
